package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestShowTellsWhatToDo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	unknown, done, abandoned := s.unknown("k-unknown"), s.done("k-done"), s.abandoned("k-abandoned")
	pending, finish := s.pending("k-pending")
	t.Cleanup(func() { require.NoError(t, finish()) })
	for _, c := range []struct {
		name string
		ref  string
		want []string
	}{
		{"an unknown one", unknown.Ref.String(), []string{"k-unknown", "unknown for ", "stripe pi_123", "never", "idem release (it did not)"}},
		{"a done one", done.Ref.String(), []string{"k-done", "done for ", "in 2", "bytes", "retries get the stored answer"}},
		{"an abandoned one", abandoned.Ref.String(), []string{"k-abandoned", "pending for ", "over for ", "run idem prune"}},
		{"a pending one", pending.Ref.String(), []string{"k-pending", "pending for ", "it is running"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s.idem("show", c.ref).ok(c.want...).ok("payments", "account-7", c.ref)
		})
	}
}

func TestShowFindsARecordByItsNameOrItsReference(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.done("k")
	for _, args := range [][]string{
		{"show", "-guard", "payments", "-user", "account-7", "-key", "k"},
		{"show", rec.Ref.String()},
		{"show", rec.Ref.String(), "-guard", "payments"},
	} {
		var got recordJSON
		s.idem(append(args, "-json")...).ok().json(&got)
		require.Equal(t, rec.Ref.String(), got.Ref)
		require.Equal(t, "done", got.State)
		require.Equal(t, "k", got.Key)
	}
}

func TestShowOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	s.idem("show", "-guard", "payments", "-user", "account-7", "-key", "other").fails(exitFault, "idem show: there is no such record")
	s.idem("show", "-guard", "payments", "-user", "account-8", "-key", "k").fails(exitFault, "there is no such record")
	s.idem("show", someRef).fails(exitFault, "there is no such record: it was freed, forgotten or pruned")
	s.idem("show", rec.Ref.String(), "-guard", "orders").fails(exitFault, "the record belongs to another guard: payments")
	require.NoError(t, s.guard.Release(t.Context(), rec.Ref))
	s.unknown("k")
	s.idem("show", rec.Ref.String()).fails(exitFault, "there is no such record: a later attempt has its key now")
}

func TestNoCommandShowsAToken(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.abandoned("k")
	for _, args := range [][]string{
		{"show", rec.Ref.String()},
		{"show", rec.Ref.String(), "-json"},
		{"list", "-guard", "payments", "-state", "all"},
		{"list", "-guard", "payments", "-state", "all", "-json"},
	} {
		out := s.idem(args...).ok("k").stdout
		for _, form := range tokenForms(s.token) {
			require.NotContains(t, out, form)
		}
	}
	require.True(t, rec.Ref.Matches(s.token), "the record is not under the token that is looked for")
	require.NotEqual(t, backend.Token{}, s.token)
}
