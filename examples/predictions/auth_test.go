package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

func TestWithoutAUserEveryRouteIsClosed(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, route := range []call{predict("k"), pay("k"), get("/predictions"), get("/predictions/x"), get("/payouts")} {
		for _, c := range []struct {
			name  string
			lines []string
		}{
			{"no header", nil},
			{"another scheme", []string{"Authorization: Basic YWxpY2U6"}},
			{"no name", []string{"Authorization: Bearer"}},
			{"a blank name", []string{"Authorization: Bearer  "}},
			{"padding alone", []string{"Authorization: Bearer =="}},
			{"two names", []string{"Authorization: Bearer alice bob"}},
			{"two headers", []string{"Authorization: Bearer alice", "Authorization: Bearer alice"}},
			{"letters that no token has", []string{"Authorization: Bearer alicé"}},
			{"a name that is too long", []string{"Authorization: Bearer " + strings.Repeat("a", 256)}},
		} {
			t.Run(route.method+" "+route.path+" with "+c.name, func(t *testing.T) {
				t.Parallel()
				r := a.do(t, route.with(func(p *call) { p.user, p.lines = "", c.lines }))
				require.Equal(t, http.StatusUnauthorized, r.status)
				require.Equal(t, "Bearer", r.header.Get("WWW-Authenticate"))
				require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
			})
		}
	}
}

func TestTheSchemeIsWrittenInAnyCase(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer alice":            "alice",
		"bearer alice":            "alice",
		"BEARER  alice":           "alice",
		"Bearer a.b-c_d~e+f/g9==": "a.b-c_d~e+f/g9==",
	} {
		got, ok := bearer([]string{header})
		require.True(t, ok, header)
		require.Equal(t, want, got)
	}
}

func TestUsersHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	a := serve(t)
	for _, c := range []call{predict("k"), pay("k")} {
		alices := a.do(t, c)
		bobs := a.do(t, c.with(func(c *call) { c.user = "bob" }))
		require.Equal(t, http.StatusCreated, bobs.status)
		require.False(t, bobs.replayed())
		require.NotEqual(t, alices.body, bobs.body)
	}
}

func TestUsersThatCannotBeReadAreNotNobody(t *testing.T) {
	t.Parallel()
	a := serve(t)
	_, err := a.store.db.ExecContext(t.Context(), `ALTER TABLE users RENAME TO gone`)
	require.NoError(t, err)
	for _, c := range []call{predict("k"), pay("k"), get("/predictions")} {
		r := a.do(t, c)
		require.Equal(t, http.StatusServiceUnavailable, r.status, "%s %s", c.method, c.path)
		require.NotEmpty(t, r.header.Get("Retry-After"))
	}
	require.Contains(t, a.logged(), "authentication: ")
}

func TestRecordsHaveAForeignKeyToUsers(t *testing.T) {
	t.Parallel()
	a := serve(t)
	require.Equal(t, http.StatusCreated, a.do(t, predict("k")).status)
	require.Equal(t, http.StatusCreated, a.do(t, pay("k")).status)
	_, err := a.guard.Lookup(t.Context(), "k", "alice")
	require.NoError(t, err)

	_, err = a.store.db.ExecContext(t.Context(), `DELETE FROM users WHERE id = 'alice'`)
	require.NoError(t, err)
	for _, g := range []*idem.Guard{a.guard, a.payouts.guard} {
		_, err = g.Lookup(t.Context(), "k", "alice")
		require.ErrorIs(t, err, idem.ErrNotFound)
	}
	_, err = idem.Do(t.Context(), a.guard, "k", "nobody", 1, func(context.Context, int) (int, error) { return 1, nil })
	require.ErrorIs(t, err, idem.ErrInvalidUser)
}
