package itest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// scene is something that can happen to a call. It ends in an error of the code want, or in none.
type scene struct {
	name string
	want idem.Code
	play func(*actor) error
}

// TestTheCanarysScenes does nothing by itself: TestNothingSecretComesOut has it run in a process of its own, whose whole
// output it reads.
func TestTheCanarysScenes(t *testing.T) {
	file := os.Getenv(canaryEnv)
	if file == "" {
		return
	}
	c := newCanary()
	c.plant(t)
	for _, scenes := range [][]scene{refusals, runs, storeFaults, transactionFaults, operators, sqliteScenes, serverScenes(), redisScenes, httpScenes()} {
		for _, s := range scenes {
			t.Run(s.name, func(t *testing.T) {
				a := &actor{T: t, canary: c}
				err := c.hear(s.play(a))
				require.Equal(t, s.want, idem.CodeOf(err))
			})
		}
	}
	for _, code := range everyCode {
		require.Contains(t, c.codes, code, "no scene ends like this")
	}
	for kind, seen := range c.kinds {
		select {
		case <-seen:
		default:
			require.Fail(t, "no scene has this event", "%v", kind)
		}
	}
	c.writeTokens(t, file)
}

var everyCode = []idem.Code{
	idem.CodeNone, idem.CodeOther, idem.CodeMissingKey, idem.CodeInvalidKey, idem.CodeMissingUser, idem.CodeInvalidUser,
	idem.CodeInvalidRequest, idem.CodeMismatch, idem.CodeInFlight, idem.CodeUnknownOutcome, idem.CodeLeaseLost,
	idem.CodeMaxRun, idem.CodeNotStored, idem.CodeAnswerNotKept, idem.CodeReentrant, idem.CodeCorrupt, idem.CodeVersion,
	idem.CodeUnavailable, idem.CodeCommitUnknown, idem.CodeConflict, idem.CodeWrongGuarantee, idem.CodeNoTransactions,
	idem.CodeUnsupported, idem.CodeNotFound, idem.CodeInvalidOption, idem.CodeContextCanceled,
}

// actor plays one scene.
type actor struct {
	*testing.T
	canary *canary
}

// The request and the answer of a scene.
type (
	charge struct {
		Account string
		Cents   int64
	}
	receipt struct {
		ID    string
		Cents int64
	}
)

var (
	marked   = charge{Account: markBody, Cents: markCents}
	answered = receipt{ID: markAnswer, Cents: markReceipt}

	errDown = errors.New("the store is down")
	errFn   = errors.New(markFailure)
)

// memory returns a store in memory and a guard on it that the canary watches.
func (a *actor) memory(opts ...idem.GuardOption) (*memtest.Store, *idem.Guard) {
	a.Helper()
	store := new(memtest.Store)
	return store, a.guard(&tappedMemory{Store: store, canary: a.canary}, opts...)
}

func (a *actor) guard(store backend.Store, opts ...idem.GuardOption) *idem.Guard {
	a.Helper()
	g, err := idem.New("canary", store, append([]idem.GuardOption{idem.WithObserver(a.canary)}, opts...)...)
	require.NoError(a, err)
	return g
}

// do makes the marked call and lets the canary hear how it ends.
func (a *actor) do(g *idem.Guard, fn func(context.Context, charge) (receipt, error), opts ...idem.CallOption) error {
	_, err := idem.Do(a.Context(), g, markKey, markUser, marked, fn, opts...)
	return a.canary.hear(err)
}

func succeeds(context.Context, charge) (receipt, error) { return answered, nil }
func fails(context.Context, charge) (receipt, error)    { return receipt{}, errFn }

// returning is an fn that returns err.
func returning(err error) func(context.Context, charge) (receipt, error) {
	return func(context.Context, charge) (receipt, error) { return receipt{}, err }
}

// until waits for an event of the kind, which some scene or this one has caused.
func (a *actor) until(kind idem.EventKind) {
	a.Helper()
	select {
	case <-a.canary.kinds[kind]:
	case <-time.After(patience):
		require.Fail(a, "the event does not come", "%v", kind)
	}
}

// The taps show the canary what must not come out of a claim.
type (
	tappedMemory struct {
		*memtest.Store
		canary *canary
	}
	tappedIn struct {
		backend.TxStore
		canary *canary
	}
)

func (s *tappedMemory) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.Store.Begin(ctx, c)
}

func (s *tappedMemory) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *memtest.Tx, backend.TxStore) error) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.Store.InTx(ctx, c, run)
}

func (s *tappedMemory) Join(tx *memtest.Tx) (backend.TxStore, error) {
	in, err := s.Store.Join(tx)
	return tappedIn{in, s.canary}, err
}

func (s tappedIn) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.TxStore.Begin(ctx, c)
}
