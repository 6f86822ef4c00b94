package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

func TestPruneIsOneRound(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.done("k-done")
	s.unknown("k-unknown")
	rec := s.abandoned("k-abandoned")
	s.expired("k-expired")
	s.idem("prune").ok("looked at 4 records: removed 1 expired, 1 became unknown\n")
	require.Equal(t, backend.Unknown, s.lookup("k-abandoned").State)
	require.Equal(t, rec.Ref, s.lookup("k-abandoned").Ref)

	s.expired("k-expired")
	var got pruneJSON
	s.idem("prune", "-json").ok().json(&got)
	require.Equal(t, pruneJSON{Scanned: 4, Removed: 1}, got)
}

// expired leaves an answer whose retention is over. No guard would take one as short.
func (s *shop) expired(key idem.Key) {
	s.t.Helper()
	id, token := backend.NewID("payments", "account-7", string(key)), backend.NewToken()
	_, err := s.store.Begin(s.t.Context(), backend.Claim{
		ID: id, Token: token, Lease: time.Minute, Retention: time.Minute, Guard: "payments", User: "account-7", Key: string(key),
	})
	require.NoError(s.t, err)
	grant, err := s.store.Complete(s.t.Context(), id, token, backend.Completion{Answer: []byte("x"), Retention: time.Millisecond})
	require.NoError(s.t, err)
	require.Equal(s.t, backend.Kept, grant.Verdict)
	require.Eventually(s.t, func() bool {
		rec, err := s.store.(backend.Inspector).Lookup(context.Background(), id)
		return err == nil && rec.State == backend.Absent
	}, 10*time.Second, time.Millisecond)
}
