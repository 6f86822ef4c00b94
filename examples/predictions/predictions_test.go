package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/httpadapter"
)

func TestTheFiveRulesOfTheSeed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config){
		"records beside the predictions": func(*config) {},
		"records in memory":              inMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, change)

			first := a.do(t, predict(`"k"`))
			require.Equal(t, http.StatusCreated, first.status)
			require.False(t, first.replayed())
			made := decode[Prediction](t, first)
			require.Equal(t, Prediction{made.ID, "alice", "m1", "yes", 100, made.CreatedAt}, made)
			require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, made.CreatedAt)
			require.Equal(t, "/predictions/"+made.ID, first.header.Get("Location"))

			again := a.do(t, predict("k").with(func(c *call) { c.body = `{ "stake":100, "outcome":"yes", "market_id":"m1" }` }))
			require.Equal(t, http.StatusCreated, again.status)
			require.True(t, again.replayed())
			require.Equal(t, first.body, again.body)
			require.Equal(t, first.header.Get("Location"), again.header.Get("Location"))

			other := a.do(t, predict("k").with(func(c *call) { c.body = strings.Replace(aPrediction, "100", "101", 1) }))
			require.Equal(t, http.StatusUnprocessableEntity, other.status)

			missing := a.do(t, predict(""))
			require.Equal(t, http.StatusBadRequest, missing.status)
			require.Equal(t, "missing_key", decode[httpadapter.Problem](t, missing).Code)

			require.Equal(t, 1, a.executions(t))
			slow := a.later(t.Context(), predict("slow", "X-Demo-Delay: 1s"))
			a.ran(t, 2)
			duplicate := a.do(t, predict("slow"))
			require.Equal(t, http.StatusConflict, duplicate.status)
			require.NotEmpty(t, duplicate.header.Get("Retry-After"))
			require.Equal(t, http.StatusCreated, (<-slow).status)
			require.True(t, a.do(t, predict("slow")).replayed())

			require.Equal(t, 2, a.executions(t))
			require.Len(t, decode[[]Prediction](t, a.do(t, get("/predictions"))), 2)
		})
	}
}

func TestAPredictionThatDoesNotValidateIsRefused(t *testing.T) {
	t.Parallel()
	a := serve(t)
	const stake, market, outcome = "stake must be a whole number", "market_id must be a string of 1 to 64", `outcome must be "yes" or "no"`
	for _, c := range []struct{ name, body, detail string }{
		{"no body", ``, "not JSON"},
		{"no JSON", `market_id=m1`, "not JSON"},
		{"JSON that is cut short", `{"market_id":"m1"`, "not JSON"},
		{"something behind the JSON", aPrediction + `{}`, "not JSON"},
		{"a list", `[]`, "must be a JSON object"},
		{"bytes that are not UTF-8", "{\"market_id\":\"\xff\",\"outcome\":\"yes\",\"stake\":1}", "not valid UTF-8"},
		{"null", `null`, market},
		{"no market", `{"outcome":"yes","stake":1}`, market},
		{"an empty market", `{"market_id":"","outcome":"yes","stake":1}`, market},
		{"a market of 65 characters", `{"market_id":"` + strings.Repeat("é", 65) + `","outcome":"yes","stake":1}`, market},
		{"a market that is a number", `{"market_id":7,"outcome":"yes","stake":1}`, market},
		{"no outcome", `{"market_id":"m","stake":1}`, outcome},
		{"another outcome", `{"market_id":"m","outcome":"YES","stake":1}`, outcome},
		{"an outcome that is a boolean", `{"market_id":"m","outcome":true,"stake":1}`, outcome},
		{"no stake", `{"market_id":"m","outcome":"yes"}`, stake},
		{"a stake of nothing", `{"market_id":"m","outcome":"yes","stake":0}`, stake},
		{"a negative stake", `{"market_id":"m","outcome":"yes","stake":-1}`, stake},
		{"a fraction", `{"market_id":"m","outcome":"yes","stake":1.5}`, stake},
		{"a whole number as a fraction", `{"market_id":"m","outcome":"yes","stake":1.0}`, stake},
		{"a stake that is a string", `{"market_id":"m","outcome":"yes","stake":"1"}`, stake},
		{"a stake beyond every float", `{"market_id":"m","outcome":"yes","stake":1e400}`, stake},
		{"one more than an int64", `{"market_id":"m","outcome":"yes","stake":9223372036854775808}`, stake},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := a.do(t, predict(t.Name()).with(func(p *call) { p.body = c.body }))
			require.Equal(t, http.StatusBadRequest, r.status, r.body)
			require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
			require.Contains(t, decode[httpadapter.Problem](t, r).Detail, c.detail)
		})
	}
}

func TestAPredictionThatJustValidatesIsTaken(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, c := range []struct{ name, body string }{
		{"the largest stake", `{"market_id":"m","outcome":"no","stake":9223372036854775807}`},
		{"a market of 64 characters", `{"market_id":"` + strings.Repeat("é", 64) + `","outcome":"yes","stake":1}`},
		{"members that nobody knows", `{"market_id":"m","outcome":"yes","stake":1,"id":"mine","user":"bob","x":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := a.do(t, predict(t.Name()).with(func(p *call) { p.body = c.body }))
			require.Equal(t, http.StatusCreated, r.status, r.body)
			require.Equal(t, "alice", decode[Prediction](t, r).User)
			require.NotEqual(t, "mine", decode[Prediction](t, r).ID)
		})
	}
	t.Run("a body that is declared as something else", func(t *testing.T) {
		t.Parallel()
		form := predict(t.Name()).with(func(c *call) { c.mediaType = "application/x-www-form-urlencoded" })
		require.Equal(t, http.StatusCreated, a.do(t, form).status)
		require.True(t, a.do(t, form).replayed())
	})
}

// This test has no connection: a server that refuses a body may close it while the client still sends.
func TestABodyOfMoreThanAMebibyteIsRefusedOnBothRoutes(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, path := range []string{"/predictions", "/payouts"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"x":"`+strings.Repeat("x", maxBody)+`"}`))
		r.Header.Set("Authorization", "Bearer alice")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		a.handler().ServeHTTP(w, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, path)
	}
	require.Zero(t, a.executions(t))
}

func TestARefusalIsAnAnswerLikeAnyOther(t *testing.T) {
	t.Parallel()
	a := serve(t)
	bad := predict("k").with(func(c *call) { c.body = `{}` })
	require.Equal(t, http.StatusBadRequest, a.do(t, bad).status)
	again := a.do(t, bad)
	require.True(t, again.replayed())
	require.Equal(t, http.StatusBadRequest, again.status)
	require.Equal(t, http.StatusUnprocessableEntity, a.do(t, predict("k")).status, "a corrected prediction needs a new key")
}

func TestAUserSeesHisOwnPredictionsOnly(t *testing.T) {
	t.Parallel()
	a := serve(t)
	require.Equal(t, "[]\n", a.do(t, get("/predictions")).body, "a list of nothing is not null")
	first := decode[Prediction](t, a.do(t, predict("1")))
	second := decode[Prediction](t, a.do(t, predict("2")))
	bobs := decode[Prediction](t, a.do(t, predict("1").with(func(c *call) { c.user = "bob" })))

	require.Equal(t, []Prediction{first, second}, decode[[]Prediction](t, a.do(t, get("/predictions"))))
	require.Equal(t, first, decode[Prediction](t, a.do(t, get("/predictions/"+first.ID))))
	require.Equal(t, http.StatusNotFound, a.do(t, get("/predictions/"+bobs.ID)).status)
	require.Equal(t, http.StatusNotFound, a.do(t, get("/predictions/none")).status)
}
