package resources

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

const (
	owner     idem.User = "user-1"
	retention           = time.Second // the shortest
)

var errRefused = errors.New("the gateway refused")

// visitor makes calls of every kind that ends in its own way.
type visitor struct {
	rerun, hold *idem.Guard
	tx          *idem.Guard // nil where the store has no transactions of SQL
}

func newVisitor(t *testing.T, store backend.Store) *visitor {
	t.Helper()
	guard := func(g idem.Guarantee) *idem.Guard {
		return idem.Must(idem.New("resources", store, g, idem.Retention(retention)))
	}
	v := &visitor{rerun: guard(idem.Rerun), hold: guard(idem.Hold)}
	if _, ok := store.(backend.Transactor[*sqlx.Tx]); ok {
		v.tx = guard(idem.Tx)
	}
	return v
}

// round visits so many new keys, by some callers at once.
func (v *visitor) round(t *testing.T, number, size int) {
	const callers = 10
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < size; i += callers {
				if err := v.visit(t.Context(), i, fmt.Sprintf("%d-%d", number, i)); err != nil {
					t.Errorf("key %d of round %d: %v", i, number, err)
					return
				}
			}
		})
	}
	all.Wait()
	require.False(t, t.Failed())
	keys.Add(int64(size))
}

// visit makes the i-th call of a round and asks again; and, every so often, a call that ends in another way.
func (v *visitor) visit(ctx context.Context, i int, key string) error {
	for replayed := range 2 {
		res, err := idem.DoResult(ctx, v.rerun, idem.Key(key), owner, i, succeed)
		if err != nil || res.Replayed != (replayed == 1) || res.Value != answerOf(i) {
			return fmt.Errorf("%+v: %w", res, errors.Join(err, errors.ErrUnsupported))
		}
	}
	switch i % 4 {
	case 0:
		_, err := idem.Do(ctx, v.rerun, idem.Key(key), owner, i+1, succeed)
		return want(idem.ErrMismatch, err)
	case 1:
		_, err := idem.Do(ctx, v.rerun, idem.Key("refused "+key), owner, i, fail)
		return want(errRefused, err)
	case 2:
		return v.visitHold(ctx, i, idem.Key("held "+key))
	}
	return v.visitTx(ctx, i, idem.Key("tx "+key))
}

// visitHold leaves an outcome unknown, and frees the record as an operator does.
func (v *visitor) visitHold(ctx context.Context, i int, key idem.Key) error {
	_, err := idem.Do(ctx, v.hold, key, owner, i, fail)
	if err := want(errRefused, err); err != nil {
		return err
	}
	rec, err := v.hold.Lookup(ctx, key, owner)
	if err != nil {
		return err
	}
	return v.hold.Release(ctx, rec.Ref)
}

func (v *visitor) visitTx(ctx context.Context, i int, key idem.Key) error {
	if v.tx == nil {
		return nil
	}
	_, err := idem.DoTx(ctx, v.tx, key, owner, i, func(ctx context.Context, _ *sqlx.Tx, i int) (string, error) { return succeed(ctx, i) })
	return err
}

func succeed(_ context.Context, i int) (string, error) { return answerOf(i), nil }
func fail(context.Context, int) (string, error)        { return "", errRefused }

func answerOf(i int) string { return fmt.Sprint("answer ", i) }

func want(want, err error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %w, want %w", err, want)
	}
	return nil
}

// vanish waits until no record is left, pruning where the store does not forget by itself.
func (v *visitor) vanish(t *testing.T) {
	t.Helper()
	eventually(t, "records", func() int {
		_, err := v.rerun.Prune(t.Context())
		require.NoError(t, err)
		left, _, err := v.rerun.List(t.Context(), idem.Filter{}, idem.Cursor{})
		require.NoError(t, err)
		return len(left)
	}, 0)
}
