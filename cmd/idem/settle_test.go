package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func TestReleaseFreesTheKey(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	_, err := s.charge("k")
	require.ErrorIs(t, err, idem.ErrUnknownOutcome)
	s.idem("release", rec.Ref.String(), "-guard", "payments").ok("released: the next call with this key runs")
	_, err = s.guard.Lookup(t.Context(), "k", "account-7")
	require.ErrorIs(t, err, idem.ErrNotFound)
	_, err = s.charge("k")
	require.NoError(t, err, "it runs again")
}

func TestReleaseAsJSON(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k")
	var got settledJSON
	s.idem("-json", "release", rec.Ref.String(), "-guard", "payments").ok().json(&got)
	require.Equal(t, settledJSON{Ref: rec.Ref.String(), State: "absent"}, got)
}

// settling are the two commands that act on an unknown record.
func settling(ref idem.Ref, guard string) [][]string {
	return [][]string{
		{"release", ref.String(), "-guard", guard},
		{"resolve", ref.String(), "-guard", guard, "-answer", `{"ID":"ch_1"}`},
	}
}

func TestOnlyTheRecordThatWasShownIsSettled(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	shown := s.unknown("k")
	require.NoError(t, s.guard.Release(t.Context(), shown.Ref), "somebody else was faster")
	for _, args := range settling(shown.Ref, "payments") {
		s.idem(args...).fails(exitFault, "nothing was changed: there is no such record: it was freed")
	}
	later := s.unknown("k")
	for _, args := range settling(shown.Ref, "payments") {
		s.idem(args...).fails(exitFault, "nothing was changed: there is no such record: a later attempt")
	}
	for _, args := range settling(later.Ref, "orders") {
		s.idem(args...).fails(exitFault, "nothing was changed: the record belongs to another guard: payments")
	}
	require.Equal(t, later.Ref, s.lookup("k").Ref)
	require.Equal(t, backend.Unknown, s.lookup("k").State)
}

func TestOnlyAnUnknownRecordIsSettled(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	done, abandoned := s.done("k-done"), s.abandoned("k-abandoned")
	pending, finish := s.pending("k-pending")
	for _, c := range []struct {
		rec  idem.Record
		want string
	}{
		{done, "nothing was changed: the record is done, not unknown"},
		{pending, "nothing was changed: the record is pending, not unknown"},
		{abandoned, "nothing was changed: the record is abandoned but not unknown yet: run idem prune first"},
	} {
		for _, args := range settling(c.rec.Ref, "payments") {
			s.idem(args...).fails(exitFault, c.want)
		}
	}
	require.NoError(t, finish(), "the call that was running is disturbed")
	require.Equal(t, done.Ref, s.lookup("k-done").Ref)
	require.Equal(t, backend.Pending, s.lookup("k-abandoned").State)
}

func TestAnAbandonedRecordIsSettledAfterPruning(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.abandoned("k")
	s.idem("prune").ok("1 became unknown")
	s.idem("release", rec.Ref.String(), "-guard", "payments").ok("released")
}

func TestAReferenceThatBeginsWithAHyphenIsSettled(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	key := idem.Key("k")
	for backend.NewID("payments", "account-7", string(key))[0]>>2 != 62 {
		key += "k"
	}
	rec := s.unknown(key)
	require.Equal(t, byte('-'), rec.Ref.String()[0])
	s.idem("show", rec.Ref.String()).ok("unknown")
	s.idem("release", "-guard", "payments", rec.Ref.String()).ok("released")
}

func TestWhereTheStoreDoesNotAnswerNothingIsClaimed(t *testing.T) {
	t.Parallel()
	h, err := backend.Open(t.Context(), "memory:"+t.Name())
	require.NoError(t, err)
	s := &shop{t: t, store: h.Store, guard: idem.Must(idem.New("payments", h.Store, idem.Hold))}
	s.op = idem.Must(idem.For[payment, receipt](s.guard, "charge"))
	rec := s.unknown("k")
	require.IsType(t, new(memtest.Store), h.Store)
	r := typed{backend: "test-mute:" + t.Name()}.idem(t, "release", rec.Ref.String(), "-guard", "payments")
	r.fails(exitFault, "it is not known whether it was done, see idem show REF: the store did not answer: the connection was reset")
	require.NotContains(t, r.stderr, "nothing was changed")
}
