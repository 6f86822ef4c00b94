package itest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// load is callers at work on a storage while something happens to its server. Each key has two of them at a time.
type load struct {
	sys    system
	worker *worker
	told   atomic.Int64 // answers, to anybody
	stop   chan struct{}
	pairs  sync.WaitGroup

	mu   sync.Mutex
	keys []*loaded
}

// loaded is what came of one key's callers.
type loaded struct {
	call call
	res  [2]idem.Result[answer]
	errs [2]error
}

// pairsEach is how many pairs of callers there are for each guarantee.
const pairsEach = 2

// startLoad has callers begin. They go on until end.
func (st storage) startLoad(t *testing.T) *load {
	t.Helper()
	l := &load{sys: st.sys, worker: st.worker(t), stop: make(chan struct{})}
	for _, gt := range st.sys.guarantees() {
		for pair := range pairsEach {
			l.pairs.Go(func() { l.work(t, gt, fmt.Sprint("pair ", pair)) })
		}
	}
	t.Cleanup(l.end)
	return l
}

// work makes calls two by two, until the end.
func (l *load) work(t *testing.T, gt idem.Guarantee, name string) {
	rest := time.NewTicker(10 * time.Millisecond)
	defer rest.Stop()
	for n := 0; !l.ended(); n++ {
		k := &loaded{call: call{guarantee: gt, key: idem.Key(fmt.Sprintf("%v, %s, call %d", gt, name, n))}}
		var both sync.WaitGroup
		for i := range k.errs {
			both.Go(func() {
				if k.res[i], k.errs[i] = l.worker.do(t.Context(), k.call); k.errs[i] == nil {
					l.told.Add(1)
				}
			})
		}
		both.Wait()
		l.mu.Lock()
		l.keys = append(l.keys, k)
		l.mu.Unlock()
		if k.errs[0] != nil && k.errs[1] != nil { // the server is away
			select {
			case <-rest.C:
			case <-l.stop:
			}
		}
	}
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// await waits until so many more answers have been told.
func (l *load) await(t *testing.T, more int64) {
	t.Helper()
	until := l.told.Load() + more
	require.Eventually(t, func() bool { return l.told.Load() >= until }, patience, time.Millisecond, "the callers do not get on")
}

// end lets the callers finish what they are at.
func (l *load) end() {
	if !l.ended() {
		close(l.stop)
	}
	l.pairs.Wait()
}

// audit has a client ask for every key once more, and holds what he is told, and the effects, against what the callers
// were told. It returns how many answers that were.
func (l *load) audit(t *testing.T) (answers int64) {
	t.Helper()
	l.end()
	ended := map[string]int{}
	for group := range slices.Chunk(l.keys, 20) {
		var calls []call
		for _, k := range group {
			calls = append(calls, k.call)
		}
		ends := l.worker.finishAll(t.Context(), calls, time.Now()) // nothing is wedged: each comes to its end
		had, err := l.worker.site.effects.all(t.Context())
		require.NoError(t, err)
		for i, k := range group {
			answers += l.check(t, k, ends[i], had[string(k.call.key)])
			for _, err := range k.errs {
				ended[fmt.Sprintf("%v: %q", k.call.guarantee, idem.CodeOf(err))]++
			}
		}
	}
	t.Logf("%d keys; their callers were told: %v", len(l.keys), ended)
	return answers
}

// underLoad are the codes in which a call may end whose server goes away or whose clock jumps. What fn itself says, which
// has an effect on that server too, is CodeOther.
var underLoad = []idem.Code{
	idem.CodeInFlight, idem.CodeUnavailable, idem.CodeNotStored, idem.CodeLeaseLost, idem.CodeCommitUnknown, idem.CodeUnknownOutcome,
	idem.CodeConflict, idem.CodeOther,
}

// check judges one key. It returns how many of its callers were told an answer.
func (l *load) check(t *testing.T, k *loaded, later end, had []string) (answers int64) {
	t.Helper()
	name := string(k.call.key)
	unknown := idem.CodeOf(later.err) == idem.CodeUnknownOutcome
	if unknown {
		require.Equal(t, idem.Hold, k.call.guarantee, name)
	} else {
		require.NoError(t, later.err, name)
		require.Contains(t, had, later.res.Value.Run, "%s: the answer is that of a run without an effect", name)
	}
	if k.call.guarantee != idem.Rerun {
		require.LessOrEqual(t, len(had), 1, "%s: %v", name, had)
	}
	for i, err := range k.errs {
		if err != nil {
			require.Contains(t, underLoad, idem.CodeOf(err), "%s: %v", name, err)
			continue
		}
		answers++
		require.False(t, unknown, "%s: an answer was told, and its outcome is unknown", name)
		require.True(t, later.res.Replayed, "%s: an answer was told, and is not stored", name)
		require.Equal(t, later.res.Value, k.res[i].Value, "%s: another answer is stored than was told: %+v %v", name, k.res, k.errs)
	}
	return answers
}
