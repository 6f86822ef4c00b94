package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// payoutStores are the two ways in which payouts are guarded.
var payoutStores = []struct {
	name      string
	change    func(*config)
	guarantee idem.Guarantee
}{
	{"in the transaction of the payout", func(*config) {}, idem.Tx},
	{"in a backend of its own", inMemory, idem.Rerun},
}

func TestAPayoutIsPaidOnce(t *testing.T) {
	t.Parallel()
	for _, c := range payoutStores {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change)
			require.Equal(t, c.guarantee, a.payouts.guard.Guarantee())
			require.Equal(t, "[]\n", a.do(t, get("/payouts")).body)

			first := a.do(t, pay(`"k"`))
			require.Equal(t, http.StatusCreated, first.status)
			require.False(t, first.replayed())
			paid := decode[Payout](t, first)
			require.Equal(t, Payout{paid.ID, "alice", "m1", 5, paid.CreatedAt}, paid)

			again := a.do(t, pay("k").with(func(c *call) { c.body = `{"amount":5,"unknown":1,"market_id":"m1"}` }))
			require.Equal(t, http.StatusCreated, again.status)
			require.True(t, again.replayed())
			require.Equal(t, first.body, again.body)

			other := a.do(t, pay("k").with(func(c *call) { c.body = `{"market_id":"m1","amount":6}` }))
			require.Equal(t, http.StatusUnprocessableEntity, other.status)
			require.Equal(t, "mismatch", decode[httpadapter.Problem](t, other).Code)

			require.Equal(t, []Payout{paid}, decode[[]Payout](t, a.do(t, get("/payouts"))))
			require.Equal(t, 1, a.executions(t))
			require.Equal(t, http.StatusCreated, a.do(t, predict("k")).status, "predictions have keys of their own")
		})
	}
}

func TestADuplicatePayoutInFlightIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range payoutStores {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change)
			require.Equal(t, http.StatusOK, a.do(t, get("/payouts")).status) // alice is known from here on
			slow := a.later(t.Context(), pay("k", "X-Demo-Delay: 1s"))
			a.ran(t, 1)
			duplicate := a.do(t, pay("k"))
			require.Equal(t, http.StatusConflict, duplicate.status)
			require.NotEmpty(t, duplicate.header.Get("Retry-After"))
			require.Empty(t, decode[[]Payout](t, a.do(t, get("/payouts"))), "it was refused only after the first was over")
			require.Equal(t, http.StatusCreated, (<-slow).status)
			require.True(t, a.do(t, pay("k")).replayed())
			require.Equal(t, 1, a.executions(t))
		})
	}
}

func TestAPayoutThatFailsLeavesTheKeyFree(t *testing.T) {
	t.Parallel()
	for _, c := range payoutStores {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change)
			require.Equal(t, http.StatusServiceUnavailable, a.do(t, pay("k", "X-Demo-Status: 503")).status)
			_, err := a.try(t.Context(), pay("k", "X-Demo-Panic: 1"))
			require.Error(t, err, "a panic ends the connection")
			require.Equal(t, "[]\n", a.do(t, get("/payouts")).body)
			r := a.do(t, pay("k"))
			require.Equal(t, http.StatusCreated, r.status)
			require.False(t, r.replayed())
			require.Equal(t, 3, a.executions(t))
			require.Len(t, decode[[]Payout](t, a.do(t, get("/payouts"))), 1)
		})
	}
}

func TestAnInvalidPayoutClaimsNothing(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, c := range []struct{ name, body, detail string }{
		{"no body", ``, "not JSON"},
		{"no market", `{"amount":1}`, "market_id must be"},
		{"no amount", `{"market_id":"m"}`, "amount must be"},
		{"an amount of nothing", `{"market_id":"m","amount":0}`, "amount must be"},
		{"a fraction", `{"market_id":"m","amount":0.5}`, "amount must be"},
		{"one more than an int64", `{"market_id":"m","amount":9223372036854775808}`, "amount must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.do(t, pay("k").with(func(p *call) { p.body = c.body }))
			require.Equal(t, http.StatusBadRequest, r.status)
			require.Contains(t, decode[httpadapter.Problem](t, r).Detail, c.detail)
		})
	}
	missing := a.do(t, pay(""))
	require.Equal(t, http.StatusBadRequest, missing.status)
	require.Equal(t, "missing_key", decode[httpadapter.Problem](t, missing).Code)
	require.Zero(t, a.executions(t))
	require.Equal(t, http.StatusCreated, a.do(t, pay("k")).status)
}

func TestAClientThatHangsUpFindsItsPayout(t *testing.T) {
	t.Parallel()
	for _, c := range payoutStores {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.change)
			a.hangUp(t, pay("k", "X-Demo-Delay: 300ms"), 1)
			var r reply
			require.Eventually(t, func() bool {
				r = a.do(t, pay("k"))
				return r.status != http.StatusConflict
			}, 10*time.Second, 10*time.Millisecond)
			require.Equal(t, http.StatusCreated, r.status)
			require.True(t, r.replayed())
			require.Equal(t, 1, a.executions(t))
		})
	}
}
