package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

func TestForgetAsksForYes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.done("k")
	args := []string{"forget", "-guard", "payments", "-user", "account-7", "-key", "k"}

	r := s.idem(args...).fails(exitFault, "idem forget: nothing was removed; to remove it, add -yes")
	require.Contains(t, r.stdout, rec.Ref.String())
	var got forgottenJSON
	s.idem(append(args, "-json")...).fails(exitFault, "nothing was removed").json(&got)
	require.Equal(t, forgottenJSON{WouldRemove: &tally{Done: 1}}, got)
	require.Equal(t, rec.Ref, s.lookup("k").Ref)

	s.idem(append(args, "-yes")...).ok("removed 1 record\n")
	s.idem(append(args, "-yes")...).fails(exitFault, "there is no such record")
	s.idem(args...).fails(exitFault, "there is no such record")
}

func TestForgetTakesARecordInAnyState(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.unknown("k-unknown")
	_, finish := s.pending("k-pending")
	for _, key := range []string{"k-unknown", "k-pending"} {
		var got forgottenJSON
		s.idem("forget", "-guard", "payments", "-user", "account-7", "-key", key, "-yes", "-json").ok().json(&got)
		require.Equal(t, forgottenJSON{Removed: 1}, got)
	}
	require.ErrorIs(t, finish(), idem.ErrLeaseLost, "the help says that the running attempt loses its claim")
}

func TestForgetUserAsksForYes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.done("k-1")
	s.done("k-2")
	s.unknown("k-3")
	s.abandoned("k-4")
	args := []string{"forget-user", "-guard", "payments", "-user", "account-7"}

	r := s.idem(args...).fails(exitFault, "nothing was removed; to remove it, add -yes")
	require.Equal(t, "would remove 4 records: 1 pending, 2 done, 1 unknown\n", r.stdout)
	var got forgottenJSON
	s.idem(append(args, "-json")...).fails(exitFault, "nothing was removed").json(&got)
	require.Equal(t, forgottenJSON{WouldRemove: &tally{Pending: 1, Done: 2, Unknown: 1}}, got)

	s.idem("forget-user", "-guard", "orders", "-user", "account-7", "-yes").ok("removed 0 records")
	s.idem("forget-user", "-guard", "payments", "-user", "account-8", "-yes").ok("removed 0 records")
	s.idem(append(args, "-yes")...).ok("removed 4 records\n")
	_, err := s.guard.Lookup(t.Context(), "k-1", "account-7")
	require.ErrorIs(t, err, idem.ErrNotFound)
}
