package itest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// story is a call, as it goes where nothing fails.
type story struct {
	name      string
	guarantee idem.Guarantee
	stored    bool                  // the answer has been stored before
	idle      bool                  // fn has no effect
	within    func(context.Context) // nil, or what fn does between its effect and its answer
	fails     func(error) error     // nil, or how fn marks the error that it ends in
	state     backend.State         // of the record afterwards
}

var errGateway = errors.New("the gateway says no")

func unmarked(err error) error { return err }

// stories use every operation of a store.
var stories = []story{
	{name: "Rerun, answered", guarantee: idem.Rerun, state: backend.Done},
	{name: "Rerun, released", guarantee: idem.Rerun, idle: true, fails: unmarked, state: backend.Absent},
	{name: "Rerun, final", guarantee: idem.Rerun, idle: true, fails: idem.Final, state: backend.Done},
	{name: "Rerun, replayed", guarantee: idem.Rerun, stored: true, state: backend.Done},
	{name: "Hold, answered", guarantee: idem.Hold, state: backend.Done},
	{name: "Hold, held", guarantee: idem.Hold, fails: idem.Uncertain, state: backend.Unknown},
	{name: "Hold, undone", guarantee: idem.Hold, idle: true, fails: idem.Undone, state: backend.Absent},
	{name: "Tx, answered", guarantee: idem.Tx, state: backend.Done},
	{name: "Tx, rolled back", guarantee: idem.Tx, fails: unmarked, state: backend.Absent},
	{name: "Tx, final", guarantee: idem.Tx, fails: idem.Final, state: backend.Done},
	{name: "Tx, held", guarantee: idem.Tx, fails: idem.Uncertain, state: backend.Unknown},
	{name: "Tx, replayed", guarantee: idem.Tx, stored: true, state: backend.Done},
}

// telling is what came of telling a story.
type telling struct {
	key  idem.Key
	runs []string // of fn
	res  idem.Result[answer]
	err  error
	over time.Time

	silent bool // the network was: that the record was freed may have come late or never, and others have asked before
}

// tell makes the call that the story is about.
func (f *far) tell(ctx context.Context, s story, key idem.Key) telling {
	var mu sync.Mutex
	o := telling{key: key}
	fn := func(ctx context.Context, on effects) (answer, error) {
		run := fmt.Sprint(key, " in the story")
		mu.Lock()
		o.runs = append(o.runs, run)
		mu.Unlock()
		if !s.idle {
			if err := on.add(ctx, string(key), run); err != nil {
				return answer{}, err
			}
		}
		if s.within != nil {
			s.within(ctx)
		}
		if s.fails != nil {
			return answer{}, s.fails(errGateway)
		}
		return answer{Run: run}, nil
	}
	g := f.guards[s.guarantee]
	if s.guarantee == idem.Tx {
		o.res, o.err = f.site.doTx(ctx, g, key, payment{}, fn)
	} else {
		o.res, o.err = idem.DoResult(ctx, g, key, owner, payment{}, func(ctx context.Context, _ payment) (answer, error) {
			return fn(ctx, f.site.effects)
		})
	}
	o.over = time.Now()
	return o
}

// prepare makes what the story finds there.
func (f *far) prepare(t *testing.T, s story, key idem.Key) {
	t.Helper()
	if s.stored {
		_, err := f.witness.do(t.Context(), call{guarantee: s.guarantee, key: key})
		require.NoError(t, err)
	}
}

// asUsual is how the story ends where nothing fails.
func (s story) asUsual(o telling) bool {
	if s.fails == nil {
		return o.err == nil
	}
	return o.err != nil && idem.CodeOf(o.err) == idem.CodeOther && o.err.Error() == errGateway.Error()
}

// judge has a client ask for the story's end whom no fault meets, and holds what he is told, and the effects, against
// what was told before. It returns how the story ended for its caller.
func (f *far) judge(t *testing.T, s story, o telling) idem.Code {
	t.Helper()
	c := call{guarantee: s.guarantee, key: o.key}
	later, err := f.witness.finishIn(t.Context(), c, o.over, f.grace)
	had := f.witness.effectsOf(t, c)
	code := idem.CodeOf(o.err)
	switch {
	case s.asUsual(o):
		f.judgeUsual(t, s, o, later, err, had)
	case code == idem.CodeNotStored:
		f.judgeNotStored(t, s, o, later, err, had)
	default: // nothing has come of it
		require.NotEqual(t, idem.CodeNone, code)
		if errors.Is(err, idem.ErrUnknownOutcome) {
			require.Equal(t, idem.Hold, s.guarantee)
			require.Empty(t, o.runs, "fn has run, and its caller was told that it was not")
			break
		}
		require.NoError(t, err)
		require.Equal(t, []string{later.Value.Run}, had, "what was rolled back, or never run, has an effect")
	}
	f.idle(t)
	return code
}

func (f *far) judgeUsual(t *testing.T, s story, o telling, later idem.Result[answer], err error, had []string) {
	t.Helper()
	switch s.state {
	case backend.Absent:
		require.NoError(t, err)
		require.Equal(t, []string{later.Value.Run}, had)
		if !o.silent {
			require.False(t, later.Replayed)
			require.Equal(t, 1, later.Attempt, "the record was not freed")
		}
	case backend.Unknown:
		require.ErrorIs(t, err, idem.ErrUnknownOutcome)
		require.Len(t, had, map[bool]int{true: 0, false: 1}[s.guarantee == idem.Tx])
	default:
		require.Equal(t, fmt.Sprint(o.err), fmt.Sprint(err), "there are two answers")
		require.Equal(t, o.res.Value, later.Value, "there are two answers")
		if s.fails == nil {
			require.True(t, later.Replayed)
			require.Equal(t, []string{o.res.Value.Run}, had)
		} else {
			require.Empty(t, had)
		}
	}
	require.Equal(t, s.state == backend.Done && s.stored, o.res.Replayed)
}

// judgeNotStored: the caller knows that his answer may not be there.
func (f *far) judgeNotStored(t *testing.T, s story, o telling, later idem.Result[answer], err error, had []string) {
	t.Helper()
	require.NotEmpty(t, o.runs)
	switch {
	case s.guarantee == idem.Hold:
		if !errors.Is(err, idem.ErrUnknownOutcome) {
			require.NoError(t, err)
			require.True(t, later.Replayed)
			require.Equal(t, o.res.Value, later.Value)
		}
		require.Len(t, had, 1)
	case err == nil:
		require.Contains(t, had, later.Value.Run)
		require.Subset(t, []string{later.Value.Run, o.res.Value.Run}, had)
	default:
		require.EqualError(t, err, errGateway.Error())
	}
}

// quick are faults that a client notices at once.
var quick = []proxy.Fault{
	{At: proxy.Asking, Do: proxy.Cut},
	{At: proxy.Asking, Do: proxy.Cut, Bytes: 6},
	{At: proxy.Asking, Do: proxy.Reset},
	{At: proxy.Asking, Do: proxy.HalfClose},
	{At: proxy.Asked, Do: proxy.Cut},
	{At: proxy.Asked, Do: proxy.Reset},
	{At: proxy.Answered, Do: proxy.Cut},
	{At: proxy.Answered, Do: proxy.Cut, Bytes: 6},
	{At: proxy.Answered, Do: proxy.Reset},
	{At: proxy.Answered, Do: proxy.HalfClose},
}

// few of them stand for all where it would take too long.
var few = []proxy.Fault{
	{At: proxy.Asking, Do: proxy.Reset},
	{At: proxy.Asked, Do: proxy.Cut},
	{At: proxy.Answered, Do: proxy.Cut},
	{At: proxy.Answered, Do: proxy.HalfClose},
}

func nameOf(f proxy.Fault) string {
	name := fmt.Sprintf("%v %v", f.Do, f.At)
	if f.Bytes > 0 {
		name += fmt.Sprintf(" in byte %d", f.Bytes)
	}
	return name
}

// allowed are the codes in which a story may end that a quick fault has met at a request.
func (s story) allowed(at proxy.Request) []idem.Code {
	usual := idem.CodeNone
	if s.fails != nil {
		usual = idem.CodeOther
	}
	switch {
	case s.guarantee != idem.Tx, at.Is("COMMIT"):
		return []idem.Code{usual} // it was sent again, or settled
	case strings.Contains(at.Text, "INTO effects"):
		return []idem.Code{idem.CodeOther} // fn's own error
	}
	return []idem.Code{usual, idem.CodeUnavailable}
}
