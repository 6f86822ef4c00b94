package itest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// operation is one whose acknowledgement can get lost after it took effect.
type operation string

const (
	opBegin    operation = "Begin"
	opRenew    operation = "Renew"
	opComplete operation = "Complete"
	opRelease  operation = "Release"
	opHold     operation = "Hold"
	opCommit   operation = "COMMIT"
	opSettle   operation = "Settle"
	opPrune    operation = "Prune"
)

// ackLoser is a worker some of whose operations are not acknowledged.
type ackLoser interface {
	// lose has the acknowledgements of operations get lost, of each once and in this order.
	lose(ops ...operation) (lost func() int)
	// distance is the worker, and its witness, who hears everything.
	distance() *far
	// another has the same witness and a worker of its own.
	another(t *testing.T) ackLoser
}

// acksEach is how many acknowledgements of each operation get lost on each backend, in a run that nothing multiplies.
const acksEach = 200

// noted is a story whose fn leaves a note, twice where it is not told that the first was kept.
var noted = story{name: "Hold, noted", guarantee: idem.Hold, state: backend.Done, within: func(ctx context.Context) {
	if idem.Note(ctx, "note") != nil {
		_ = idem.Note(ctx, "note") // the judge looks what became of it
	}
}}

// ackLosses are the operations, and the stories in which they are.
var ackLosses = []struct {
	op      operation
	stories []string
}{
	{op: opBegin, stories: []string{"Rerun, answered", "Hold, answered", "Rerun, released"}},
	{op: opRenew, stories: []string{noted.name}},
	{op: opComplete, stories: []string{"Rerun, answered", "Hold, answered", "Rerun, final"}},
	{op: opRelease, stories: []string{"Rerun, released", "Hold, undone"}},
	{op: opHold, stories: []string{"Hold, held"}},
	{op: opCommit, stories: []string{"Tx, answered"}},
	{op: opSettle, stories: []string{"Tx, answered"}},
}

func storyNamed(name string) story {
	for _, s := range append(stories[:len(stories):len(stories)], noted) {
		if s.name == name {
			return s
		}
	}
	panic("there is no story " + name)
}

// Each took effect, and nobody was told: the call ends as if he had been.
func TestALostAcknowledgementChangesNothing(t *testing.T) {
	t.Parallel()
	eachAckLoser(t, func(t *testing.T, name string, transacts bool, open func(*testing.T) ackLoser) {
		for i, row := range ackLosses {
			if s := storyNamed(row.stories[0]); s.guarantee == idem.Tx && !transacts {
				continue
			}
			t.Run(string(row.op), func(t *testing.T) {
				t.Parallel()
				workers := []ackLoser{open(t)}
				for len(workers) < losersEach {
					workers = append(workers, workers[0].another(t))
				}
				for _, l := range workers {
					for _, name := range row.stories { // once, so that the worker has all that it keeps between calls
						f, s := l.distance(), storyNamed(name)
						f.judge(t, s, f.tell(t.Context(), s, idem.Key(fmt.Sprintf("%s, nothing fails, %p", name, f))))
					}
				}
				for group := range slices.Chunk(rounds(i, acksEach), len(workers)) {
					all := make([]loss, len(group))
					for i, round := range group {
						s := storyNamed(row.stories[round%len(row.stories)])
						all[i] = loss{ackLoser: workers[i], op: row.op, story: s, key: idem.Key(fmt.Sprintf("%s, round %d", s.name, round))}
					}
					loseAll(t, all)
					for range all {
						tally.on(name).lost(row.op)
					}
				}
			})
		}
	})
}

// losersEach is how many workers lose acknowledgements side by side: a call waits before it is sent again.
const losersEach = 10

// loss is a story without the acknowledgement of one operation in it.
type loss struct {
	ackLoser
	op    operation
	story story
	key   idem.Key
}

// loseAll tells the stories side by side, and judges how they ended.
func loseAll(t *testing.T, all []loss) {
	t.Helper()
	told, lost := make([]telling, len(all)), make([]func() int, len(all))
	var calls sync.WaitGroup
	for i, l := range all {
		if l.op == opSettle { // there is nothing to settle otherwise
			lost[i] = l.lose(opCommit, opSettle)
		} else {
			lost[i] = l.lose(l.op)
		}
		calls.Go(func() { told[i] = l.distance().tell(t.Context(), l.story, l.key) })
	}
	calls.Wait()
	for i, l := range all {
		want := map[bool]int{true: 2, false: 1}[l.op == opSettle]
		require.Equal(t, want, lost[i](), "%s: not every operation came", l.key)
		told[i].over = time.Now() // there were others to judge
		l.judge(t, told[i])
	}
}

func (l loss) judge(t *testing.T, o telling) {
	t.Helper()
	f := l.distance()
	require.True(t, l.story.asUsual(o), "%s: %v", l.key, o.err)
	require.Len(t, o.runs, 1, "%s", l.key)
	if o.err == nil {
		require.Equal(t, 1, o.res.Attempt, "%s", l.key)
		require.False(t, o.res.Replayed, "%s", l.key)
	}
	f.judge(t, l.story, o)
	if l.op == opRenew {
		require.Equal(t, "note", f.noteOf(t, l.story, l.key))
	}
}

// noteOf is the note that stands in the record of a call.
func (f *far) noteOf(t *testing.T, s story, key idem.Key) string {
	t.Helper()
	rec, err := f.witness.guards[s.guarantee].Lookup(t.Context(), key, owner)
	require.NoError(t, err)
	return rec.Note
}

func eachAckLoser(t *testing.T, f func(t *testing.T, name string, transacts bool, open func(*testing.T) ackLoser)) {
	t.Helper()
	eachNetwork(t, func(t *testing.T, n network) {
		f(t, n.name, n.transacts, func(t *testing.T) ackLoser { return &networkLoser{far: n.distant(t)} })
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, "sqlite", true, openForgetful)
	})
}

// networkLoser loses acknowledgements in the network.
type networkLoser struct {
	*far
	round int
}

func (l *networkLoser) distance() *far { return l.far }

func (l *networkLoser) another(t *testing.T) ackLoser {
	t.Helper()
	return &networkLoser{far: l.far.another(t)}
}

// losses are the ways in which an answer gets lost that has come as far as the proxy.
var losses = []proxy.Fault{
	{At: proxy.Answered, Do: proxy.Cut},
	{At: proxy.Answered, Do: proxy.Cut, Bytes: 6},
	{At: proxy.Answered, Do: proxy.Reset},
	{At: proxy.Answered, Do: proxy.HalfClose},
}

func (l *networkLoser) lose(ops ...operation) (lost func() int) {
	l.round++
	var planned []*proxy.Injection
	for i, op := range ops {
		fault := losses[(l.round+i)%len(losses)]
		switch op {
		case opBegin: // the first statement of all
		case opCommit:
			fault.On = isCommit
		case opSettle:
			fault.On = statementAfter(planned[0])
		case opPrune:
			fault = l.n.sweep(fault)
		default:
			fault.Skip = 1 // the claim
		}
		planned = append(planned, l.proxy.Inject(fault))
	}
	return func() (n int) {
		for i, p := range planned {
			p.Remove()
			for range p.Requests() {
				tally.network(losses[(l.round+i)%len(losses)])
				n++
			}
		}
		return n
	}
}
