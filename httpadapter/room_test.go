package httpadapter_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// TestExchangesShareNothing: bodies, answers and headers of all sizes stand where those of another exchange stood.
func TestExchangesShareNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(echo)
	var group sync.WaitGroup
	for caller := range 8 {
		group.Go(func() {
			for n := range 60 {
				body := fmt.Sprintf(`"%d %d %s"`, caller, n, strings.Repeat("x", n*n%5000))
				key := header("Idempotency-Key", fmt.Sprint("k-", caller, "-", n))
				kind := header("Content-Type", []string{"application/json", "text/plain"}[n%2])
				first(t, do(h, sent(body, key, kind)), 201, body)
				replayed(t, do(h, sent(body, key, kind)), 201, body)
				refused(t, do(h, sent("0", key, kind)), 422, idem.CodeMismatch)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 8*60, s.runs.Load())
}

// keepingStore fails to store, and still has what it was given: as a driver may that gave up while it was sending.
type keepingStore struct {
	backend.Store
	kept, was [][]byte
}

func (s *keepingStore) Complete(_ context.Context, _ backend.ID, _ backend.Token, c backend.Completion) (backend.Grant, error) {
	s.kept, s.was = append(s.kept, c.Answer), append(s.was, bytes.Clone(c.Answer))
	return backend.Grant{}, backend.ErrUnsupported
}

func TestWhatAFailedStoreMayStillBeSendingStays(t *testing.T) {
	t.Parallel()
	store := &keepingStore{Store: new(memtest.Store)}
	h := newMiddleware(t, newGuard(t, store)).Wrap(newService(t).counted(echo))
	for n := range 40 {
		body := fmt.Sprint(n)
		first(t, do(h, sent(body, header("Idempotency-Key", "k-"+body))), 201, body)
	}
	require.Len(t, store.kept, 40)
	for n, was := range store.was {
		require.Equal(t, string(was), string(store.kept[n]))
	}
}
