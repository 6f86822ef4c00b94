package itest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/internal/itest/proxy"
	"github.com/idem-go/idem/internal/together"
)

// Whatever a store with GroupCommit is asked here goes the shared way, also where it is asked alone.
func init() { together.Always = true }

// One fault of the network, at any request of any call: what is told is what is stored, and nothing happens twice.
func TestAFaultAtAnyRequest(t *testing.T) {
	t.Parallel()
	eachNetwork(t, func(t *testing.T, n network) { sweeps(t, n, n.stories()) })
}

// The same where what is asked goes the way of what is shared, as if others had asked in the same moment.
func TestAFaultAtAnyRequestThatIsShared(t *testing.T) {
	t.Parallel()
	eachOf(t, sqlNetworks(sqlbackend.GroupCommit()), func(t *testing.T, n network) {
		n.transacts = false // a transaction shares nothing
		sweeps(t, n, n.stories())
	})
}

func sweeps(t *testing.T, n network, stories []story) {
	t.Helper()
	for i, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			f := n.distant(t)
			ended := map[string]int{}
			for _, round := range rounds(i, 1) {
				f.sweep(t, s, fmt.Sprint("round ", round), ended)
			}
			t.Logf("%v", ended)
		})
	}
}

// sweep tells the story once for every request that it has, and every fault at it.
func (f *far) sweep(t *testing.T, s story, name string, ended map[string]int) {
	t.Helper()
	usual := f.statements(t, s, idem.Key(name+", nothing fails"))
	for k := range usual {
		for _, fault := range quick {
			fault.Skip = k
			f.meet(t, s, fault, idem.Key(fmt.Sprintf("%s, %s of %d", name, nameOf(fault), k)), ended)
		}
	}
}

// meet tells the story with one fault in it, and judges how it ended.
func (f *far) meet(t *testing.T, s story, fault proxy.Fault, key idem.Key, ended map[string]int) {
	t.Helper()
	f.prepare(t, s, key)
	injected := f.proxy.Inject(fault)
	o := f.tell(t.Context(), s, key)
	injected.Remove()
	met := injected.Requests()
	require.Len(t, met, 1, "%s: the fault met no request", key)
	<-injected.Hit()
	tally.network(fault)
	code := f.judge(t, s, o)
	require.Contains(t, s.allowed(met[0]), code, "%s: %v at %q", key, o.err, met[0].Text)
	ended[fmt.Sprintf("%s: %q", summary(met[0].Text), code)]++
}

// statements are those of the story where nothing fails, once the worker has all that it keeps between calls.
func (f *far) statements(t *testing.T, s story, key idem.Key) []proxy.Request {
	t.Helper()
	var seen []proxy.Request
	for _, suffix := range []string{" at first", ""} {
		key := key + idem.Key(suffix)
		f.prepare(t, s, key)
		watch := f.proxy.Inject(proxy.Fault{})
		o := f.tell(t.Context(), s, key)
		watch.Remove()
		require.True(t, s.asUsual(o), "%v", o.err)
		f.judge(t, s, o)
		seen = watch.Requests()
	}
	return seen
}

// The first call of a process opens a connection and prepares what it will need.
func TestAFaultAtAnyRequestOfAFirstCall(t *testing.T) {
	t.Parallel()
	eachNetwork(t, func(t *testing.T, n network) {
		for i, s := range n.stories() {
			if s.stored || s.fails != nil {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				f, ended := n.distant(t), map[string]int{}
				for _, round := range rounds(i, 1) {
					watch := f.proxy.Inject(proxy.Fault{On: f.cool()})
					o := f.tell(t.Context(), s, idem.Key(fmt.Sprint("nothing fails ", round)))
					watch.Remove()
					require.NoError(t, o.err)
					require.NotEmpty(t, watch.Requests())
					for k := range watch.Requests() {
						for _, fault := range few {
							fault.Skip, fault.On = k, f.cool()
							f.meet(t, s, fault, idem.Key(fmt.Sprintf("round %d, %s of %d", round, nameOf(fault), k)), ended)
						}
					}
				}
				t.Logf("%v", ended)
			})
		}
	})
}

// cool closes the worker's connections, and returns a condition for whatever is asked on later ones.
func (f *far) cool() func(proxy.Request) bool {
	if f.pool.cool != nil {
		f.pool.cool()
	} else {
		f.proxy.CutAll() // which a pool sees before it uses a connection
	}
	last := f.proxy.Opened()
	return func(r proxy.Request) bool {
		// Whether a driver looks if its connection is alive depends on how long that was idle.
		return proxy.Any(r) && r.Conn > last && r.Text != "-- ping"
	}
}

// A COMMIT has no answer, and then a second fault meets what finds out whether it took effect.
func TestAFaultAtAnyRequestAfterALostCommit(t *testing.T) {
	t.Parallel()
	s := story{name: "Tx, answered", guarantee: idem.Tx, state: backend.Done}
	eachNetwork(t, func(t *testing.T, n network) {
		if !n.transacts {
			return
		}
		for i, at := range []proxy.Stage{proxy.Asking, proxy.Asked, proxy.Answered} {
			t.Run("lost "+at.String(), func(t *testing.T) {
				t.Parallel()
				f, ended := n.distant(t), map[string]int{}
				f.statements(t, s, "nothing fails")
				lost := proxy.Fault{On: isCommit, At: at, Do: proxy.Reset}
				for _, round := range rounds(i, 1) {
					o, after := f.loseCommit(t, s, lost, proxy.Fault{Do: proxy.Watch}, idem.Key(fmt.Sprint("no other fault ", round)))
					require.NoError(t, o.err)
					f.judge(t, s, o)
					for k := range after {
						for _, fault := range few {
							fault.Skip = k
							key := idem.Key(fmt.Sprintf("round %d, %s of %d", round, nameOf(fault), k))
							o, met := f.loseCommit(t, s, lost, fault, key)
							code := f.judge(t, s, o)
							if at == proxy.Answered {
								require.NoError(t, o.err, "%s", key)
								require.Len(t, o.runs, 1, "it was run again although it had taken effect")
							} else if len(met) > 0 { // perhaps when it was run again
								require.Contains(t, append(s.allowed(met[0]), idem.CodeNone), code, "%s: %v", key, o.err)
							}
							for _, r := range met {
								ended[fmt.Sprintf("%s: %q", summary(r.Text), code)]++
							}
						}
					}
				}
				t.Logf("%v", ended)
			})
		}
	})
}

func isCommit(r proxy.Request) bool { return r.Is("COMMIT") }

// loseCommit tells the story with a lost COMMIT and another fault after it, and returns what that has met.
func (f *far) loseCommit(t *testing.T, s story, lost, fault proxy.Fault, key idem.Key) (o telling, met []proxy.Request) {
	t.Helper()
	commit := f.proxy.Inject(lost)
	fault.On = statementAfter(commit)
	second := f.proxy.Inject(fault)
	o = f.tell(t.Context(), s, key)
	commit.Remove()
	second.Remove()
	require.Len(t, commit.Requests(), 1)
	tally.network(lost)
	if met = second.Requests(); len(met) > 0 && fault.Do != proxy.Watch {
		tally.network(fault)
	}
	return o, met
}

// statementAfter returns a condition for whatever is asked once a fault has happened.
func statementAfter(i *proxy.Injection) func(proxy.Request) bool {
	return func(r proxy.Request) bool {
		select {
		case <-i.Hit():
			return r.Kind == proxy.Statement
		default:
			return false
		}
	}
}

func summary(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if at := strings.Index(text, "SET state = "); at >= 0 {
		return text[at : at+len("SET state = 2")]
	}
	return text[:min(30, len(text))]
}
