package itest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// system is a backend under test. What is particular to one stands in its row; the tests know nothing of it.
type system struct {
	name string

	// transacts says that the storage has transactions, so that idem.DoTx works on it.
	transacts bool

	// blind says that nobody can see whose claim it is that an open transaction holds: another request under the same key
	// is told that it is in flight, and that it is a mismatch once the transaction has committed.
	blind bool

	// flushes says that who has not stored an answer writes once before he tells it, so that it is on disk.
	flushes bool

	// single says that an open transaction keeps every other writer waiting.
	single bool

	// fresh names an empty storage that goes when the test ends.
	fresh func(t *testing.T) (url string)

	// open opens a storage, in whatever process calls it.
	open func(ctx context.Context, url string) (*site, error)

	// hasty is url with a way to say that a call which must wait for another's transaction gives up after d.
	hasty func(url string, d time.Duration) string

	// watch returns a function whose answer changes with every write to the storage, whoever makes it, and is the same
	// again where nothing was written. It does not write itself.
	watch func(t *testing.T, url string) (written func() string)
}

// systems are the backends that every test of this package runs on.
var systems = []system{sqliteSystem, postgresSystem, mariadbSystem, redisSystem}

func systemNamed(name string) (system, bool) {
	for _, sys := range systems {
		if sys.name == name {
			return sys, true
		}
	}
	return system{}, false
}

// eachSystem runs f as a parallel subtest on every backend.
func eachSystem(t *testing.T, f func(t *testing.T, sys system)) {
	t.Helper()
	for _, sys := range systems {
		t.Run(sys.name, func(t *testing.T) {
			t.Parallel()
			f(t, sys)
		})
	}
}

// guarantees are those that the backend can give.
func (sys system) guarantees() (all []idem.Guarantee) {
	for _, gt := range []idem.Guarantee{idem.Rerun, idem.Hold, idem.Tx} {
		if sys.gives(gt) {
			all = append(all, gt)
		}
	}
	return all
}

func (sys system) gives(gt idem.Guarantee) bool { return gt != idem.Tx || sys.transacts }

// abreast is how many calls may be stopped at a time.
func (sys system) abreast(gt idem.Guarantee) int {
	if gt == idem.Tx && sys.single {
		return 1
	}
	return 12
}

// site is one process's access to a storage: idem's store, and beside it the effects that calls have in it.
type site struct {
	store   backend.Store
	staged  backend.Store // the same, stopping at points
	effects effects       // through a connection of its own, as Do has them
	doTx    txCall        // nil where the storage has no transactions
	prepare func(context.Context) error
	close   func() error
}

// txCall is idem.DoTx for the transactions of a storage.
type txCall func(ctx context.Context, g *idem.Guard, key idem.Key, req payment, fn payFunc, opts ...idem.CallOption) (idem.Result[answer], error)

// effects are what calls did to the world. They are kept where the records are, so that a crash cannot lose count.
type effects interface {
	// add notes that a run of key had its effect.
	add(ctx context.Context, key, run string) error
	// of returns the runs that had an effect for key.
	of(ctx context.Context, key string) ([]string, error)
	// all returns the runs of every key that had an effect.
	all(ctx context.Context) (map[string][]string, error)
	// count returns how many effects there are in all.
	count(ctx context.Context) (int, error)
}

// storage is one test's storage.
type storage struct {
	sys   system
	url   string
	lease time.Duration // of the guards of those who open it
}

// newStorage makes a storage with a table for effects.
func newStorage(t *testing.T, sys system) storage {
	t.Helper()
	st := storage{sys: sys, url: sys.fresh(t), lease: lease}
	s, err := sys.open(t.Context(), st.url)
	require.NoError(t, err)
	require.NoError(t, s.prepare(t.Context()))
	require.NoError(t, s.close())
	return st
}

// hasty is the same storage for callers who do not wait for another's transaction.
func (st storage) hasty(d time.Duration) storage {
	st.url = st.sys.hasty(st.url, d)
	return st
}

// calm is the same storage under a lease that no busy machine outlasts.
func (st storage) calm() storage {
	st.lease = time.Minute
	return st
}

// worker opens the storage in this process. It is closed with the test at the latest.
func (st storage) worker(t *testing.T, opts ...idem.GuardOption) *worker {
	t.Helper()
	s, err := st.sys.open(t.Context(), st.url)
	require.NoError(t, err)
	w, err := newWorker(s, s.store, st.lease, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	return w
}
