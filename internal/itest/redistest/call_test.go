package redistest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// claimOf is a claim on the record of key, with a token of its own.
func claimOf(key string) backend.Claim {
	return backend.Claim{
		ID: backend.NewID("guard", "user", key), Token: backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("the request")),
		Lease:       10 * time.Minute, Retention: time.Hour,
		Guard: "guard", User: "user", Key: key,
	}
}

// again is another attempt at the same request.
func again(c backend.Claim) backend.Claim {
	c.Token = backend.NewToken()
	return c
}

func otherRequest(c backend.Claim) backend.Claim {
	c = again(c)
	c.Fingerprint = backend.NewFingerprint([]byte("another request"))
	return c
}

func holding(c backend.Claim) backend.Claim {
	c.Hold = true
	return c
}

func begins(t testing.TB, s backend.Store, c backend.Claim, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.Begin(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func completion(c backend.Claim, answer string) backend.Completion {
	return backend.Completion{Fingerprint: c.Fingerprint, Answer: []byte(answer), Retention: time.Hour}
}

func completes(t testing.TB, s backend.Store, c backend.Claim, answer string, want backend.Verdict) backend.Grant {
	t.Helper()
	g, err := s.Complete(t.Context(), c.ID, c.Token, completion(c, answer))
	require.NoError(t, err)
	require.Equal(t, want, g.Verdict)
	return g
}

func renewal(note string) backend.Renewal {
	return backend.Renewal{Lease: 10 * time.Minute, Retention: time.Hour, Note: note}
}

// answers checks the verdict of a call that must not fail.
func answers(t testing.TB, want backend.Verdict) func(backend.Grant, error) {
	return func(g backend.Grant, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, g.Verdict)
	}
}
