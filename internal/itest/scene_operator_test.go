package itest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// operators are what happens to those who look after records.
var operators = []scene{
	{"a lookup of nothing", idem.CodeNotFound, func(a *actor) error {
		_, g := a.memory()
		_, err := g.Lookup(a.Context(), markKey, markUser)
		return err
	}},
	{"a lookup of a bad key", idem.CodeInvalidKey, func(a *actor) error {
		_, g := a.memory()
		_, err := g.Lookup(a.Context(), markKey+"\n", markUser)
		return err
	}},
	{"to forget nothing", idem.CodeNotFound, func(a *actor) error {
		_, g := a.memory()
		return g.Forget(a.Context(), markKey, markUser)
	}},
	{"to forget a bad user", idem.CodeInvalidUser, func(a *actor) error {
		_, g := a.memory()
		_, err := g.ForgetUser(a.Context(), markUser+"\n")
		return err
	}},
	{"a release of what is not held any more", idem.CodeNotFound, func(a *actor) error {
		_, g := a.memory()
		require.NoError(a, a.do(g, succeeds))
		rec, err := g.Lookup(a.Context(), markKey, markUser)
		require.NoError(a, err)
		return g.Release(a.Context(), rec.Ref)
	}},
	{"an answer for what is not held any more", idem.CodeNotFound, func(a *actor) error {
		_, g := a.memory()
		op, err := idem.For[charge, receipt](g, "pay")
		require.NoError(a, err)
		_, err = op.Do(a.Context(), markKey, markUser, marked, succeeds)
		require.NoError(a, err)
		rec, err := g.Lookup(a.Context(), markKey, markUser)
		require.NoError(a, err)
		return op.Resolve(a.Context(), rec.Ref, answered)
	}},
	{"a reference that is none", idem.CodeOther, func(*actor) error {
		_, err := backend.ParseRef(markPassword)
		return err
	}},
	{"a store that nobody can look into", idem.CodeUnsupported, func(a *actor) error {
		store, _ := a.memory()
		_, err := a.guard(plain{store}).Lookup(a.Context(), markKey, markUser)
		return err
	}},
	{"a round of pruning", idem.CodeNone, func(a *actor) error {
		_, g := a.memory()
		require.NoError(a, a.do(g, succeeds))
		_, err := g.Prune(a.Context())
		return err
	}},
	{"a URL without a scheme", idem.CodeOther, opening(markPassword)},
	{"a URL of an unknown scheme", idem.CodeOther, opening("unknown://user:" + markPassword + "@host/db")},
	{"a URL of SQLite with a host", idem.CodeOther, opening("sqlite://user:" + markPassword + "@host/db")},
	{"a URL of SQLite with a bad escape", idem.CodeOther, opening("sqlite:" + markPassword + "%zz")},
}

func opening(url string) func(*actor) error {
	return func(a *actor) error {
		_, err := backend.Open(context.WithoutCancel(a.Context()), url)
		return err
	}
}

// plain is a store without optional interfaces.
type plain struct{ backend.Store }

// everything asks what an operator can ask. Some of it fails, each scene its own.
func (a *actor) everything(g *idem.Guard) {
	ctx := a.Context()
	_, err := g.Lookup(ctx, markKey, markUser)
	_ = a.canary.hear(err)
	_, _, err = g.List(ctx, idem.Filter{User: markUser}, idem.Cursor{})
	_ = a.canary.hear(err)
	_, err = g.Check(ctx)
	_ = a.canary.hear(err)
	_, err = g.Prune(ctx)
	_ = a.canary.hear(err)
	_, err = g.ForgetUser(ctx, markUser+"-other")
	_ = a.canary.hear(err)
	_ = a.canary.hear(g.Forget(ctx, markKey+"-other", markUser))
}
