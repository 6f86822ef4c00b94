package sqlbackend

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// fakeBatcher makes what it is asked when a test says so.
type fakeBatcher struct {
	holds chan struct{}
	fails error
	mu    sync.Mutex
	asked [][]*transition
}

func (f *fakeBatcher) batch(_ context.Context, _ kind, ts []*transition) error {
	f.mu.Lock()
	f.asked = append(f.asked, ts)
	f.mu.Unlock()
	<-f.holds
	if f.fails != nil {
		return f.fails
	}
	for _, t := range ts {
		t.keep()
	}
	return nil
}

// fakeEngine is an engine for calls by themselves, which waits as the batcher does.
type fakeEngine struct {
	engine
	holds  chan struct{}
	begins func(backend.Claim)
	writes func()
	mu     sync.Mutex
}

func (e *fakeEngine) begin(_ context.Context, c backend.Claim) (backend.Grant, error) {
	<-e.holds
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begins(c)
	return backend.Grant{Verdict: backend.Claimed, Attempt: 1}, nil
}

func (e *fakeEngine) write(context.Context, func(context.Context, session) error) error {
	e.writes()
	return nil
}

func (e *fakeEngine) classify(error) class { return unclassified }

// inGroup runs a test of a group whose every flush waits for an element of holds.
func inGroup(t *testing.T, test func(t *testing.T, s *Store, b *fakeBatcher, e *fakeEngine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		holds := make(chan struct{})
		b := &fakeBatcher{holds: holds}
		e := &fakeEngine{holds: holds, begins: func(backend.Claim) {}, writes: func() {}}
		s := &Store{engine: e}
		g := newBatches(s, b, 1)
		g.crowd.Few = 1
		s.group = g
		test(t, s, b, e)
	})
}

func claimNumbered(n byte) backend.Claim {
	return backend.Claim{ID: backend.ID{n}, Token: backend.Token{n, 1}}
}

// asks has a caller claim, and returns once that is under way or queued.
func asks(ctx context.Context, s *Store, c backend.Claim) chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := s.Begin(ctx, c)
		ended <- err
	}()
	synctest.Wait()
	return ended
}

func TestAReleaseWaitsForTheClaimThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	inGroup(t, func(t *testing.T, s *Store, b *fakeBatcher, e *fakeEngine) {
		released := false
		e.writes = func() { released = true }
		ctx, leave := context.WithCancel(t.Context())
		asks(t.Context(), s, claimNumbered(1))
		left := asks(ctx, s, claimNumbered(2))
		asks(t.Context(), s, claimNumbered(3))
		b.holds <- struct{}{} // the first is over, and the two go together
		synctest.Wait()
		require.Len(t, b.asked, 1)
		leave()
		synctest.Wait()
		require.ErrorIs(t, <-left, context.Canceled)

		c := claimNumbered(2)
		ended := make(chan error, 1)
		go func() {
			_, err := s.Release(t.Context(), c.ID, c.Token)
			ended <- err
		}()
		synctest.Wait()
		require.False(t, released, "it overtook the claim")
		other := claimNumbered(9)
		_, err := s.Release(t.Context(), other.ID, other.Token)
		require.NoError(t, err, "another's release waits for nobody")
		released = false

		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = s.Release(short, c.ID, c.Token)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, released)
		b.holds <- struct{}{}
		synctest.Wait()
		require.NoError(t, <-ended)
		require.True(t, released)
	})
}

func TestClaimsThatWereLeftBehindAreForgotten(t *testing.T) {
	t.Parallel()
	var b behind
	over := make(chan struct{})
	close(over)
	for n := range byte(10) {
		b.add(backend.Token{n}, over)
	}
	require.Len(t, b.claims, 1)
}

func TestNoStatementHasTwoOfOneRecord(t *testing.T) {
	t.Parallel()
	inGroup(t, func(t *testing.T, s *Store, b *fakeBatcher, e *fakeEngine) {
		var alone []backend.ID
		e.begins = func(c backend.Claim) { alone = append(alone, c.ID) }
		asks(t.Context(), s, claimNumbered(9))
		for _, n := range []byte{3, 1, 3, 2, 1} {
			asks(t.Context(), s, claimNumbered(n))
		}
		b.holds <- struct{}{}
		synctest.Wait()
		require.Len(t, b.asked, 1)
		var ids []backend.ID
		for _, t := range b.asked[0] {
			ids = append(ids, t.id)
		}
		require.Equal(t, []backend.ID{{1}, {2}, {3}}, ids, "in the order of the ids")
		close(b.holds)
		synctest.Wait()
		require.ElementsMatch(t, []backend.ID{{9}, {1}, {3}}, alone, "the others each claim alone")
	})
}

func TestABatchThatFailsIsMadeByEachAlone(t *testing.T) {
	t.Parallel()
	inGroup(t, func(t *testing.T, s *Store, b *fakeBatcher, e *fakeEngine) {
		b.fails = errors.New("no")
		alone := 0
		e.begins = func(backend.Claim) { alone++ }
		var all []chan error
		for n := range byte(5) {
			all = append(all, asks(t.Context(), s, claimNumbered(n)))
		}
		close(b.holds)
		synctest.Wait()
		for _, ended := range all {
			require.NoError(t, <-ended)
		}
		require.Equal(t, 5, alone)
	})
}

// The calls of all kinds make the crowd.
func TestAFewCallsOfWhateverKindShareNothing(t *testing.T) {
	t.Parallel()
	inGroup(t, func(t *testing.T, s *Store, b *fakeBatcher, e *fakeEngine) {
		s.group = newBatches(s, b, 1)
		e.writes = func() { <-e.holds }
		few := func() {
			for n := range byte(fewCalls) {
				if n%2 == 0 {
					asks(t.Context(), s, claimNumbered(n))
					continue
				}
				go func() { _, _ = s.Release(t.Context(), backend.ID{n}, backend.Token{n}) }()
				synctest.Wait()
			}
		}
		few()
		for range fewCalls { // all of which are under way
			b.holds <- struct{}{}
		}
		synctest.Wait()
		few()
		for n := range byte(3) {
			asks(t.Context(), s, claimNumbered(fewCalls+n))
		}
		require.Empty(t, b.asked)
		close(b.holds)
		synctest.Wait()
		require.Len(t, b.asked, 1, "the first of them in a batch of one, and the others in one of two")
	})
}

func TestALargeAnswerIsNotShared(t *testing.T) {
	t.Parallel()
	small := transition{completion: backend.Completion{Answer: make([]byte, light)}}
	large := transition{completion: backend.Completion{Answer: make([]byte, light+1)}}
	require.False(t, small.heavy())
	require.True(t, large.heavy())
	kept := small.completion.Answer
	small.own()
	kept[0] = 1
	require.Zero(t, small.completion.Answer[0], "who left may use its bytes for something else")
}

func TestArraysOfTextKeepWhatIsInThem(t *testing.T) {
	t.Parallel()
	ts := []*transition{{note: `a"b\c`}, {note: ``}, {note: `{,}`}}
	require.Equal(t, `{"a\"b\\c","","{,}"}`, arrayOfTexts(ts, func(t *transition) string { return t.note }))
	n := int64(0)
	require.Equal(t, `{1,2,3}`, arrayOfNumbers(ts, func(*transition) int64 { n++; return n }))
}

func TestASharedStatementOfMariaDBIsFilledUp(t *testing.T) {
	t.Parallel()
	parts := append([]mariaDBPart{chosenFor(`SET a = `, func(t *transition) any { return t.note })}, stillMine(` END`)...)
	require.Equal(t, `SET a = CASE id WHEN ? THEN ? WHEN ? THEN ? END WHERE id IN (?, ?) AND token = CASE id WHEN ? THEN ? WHEN ? THEN ? END`,
		strings.Split(mariaDBText(parts, 2), ` AND state`)[0])
	b := &mariaDBBatcher{e: &mysqlEngine{packet: 1 << 20}}
	b.parts[holding] = parts
	for i := range mariaDBSizes {
		b.sent[holding][i] = &query{}
	}
	ts := []*transition{{id: backend.ID{1}}, {id: backend.ID{2}}, {id: backend.ID{3}}}
	q, args, err := b.filled(holding, ts)
	require.NoError(t, err)
	require.Same(t, b.sent[holding][1], q)
	require.Len(t, args, 5*4)
	require.Equal(t, []any{ts[2].id[:], ts[2].note, ts[2].id[:], ts[2].note}, args[4:8], "the last one again")
	b.e.packet = overhead + 100
	_, _, err = b.filled(holding, ts)
	require.ErrorIs(t, err, backend.ErrTooLarge)
}
