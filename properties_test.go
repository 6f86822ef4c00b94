package idem_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// The properties below hold a guard against a model that is simple enough to be believed: one caller at a time, many
// callers at once, and one key used for two requests. A failure prints the seed that replays it.

// record is what the model knows of one (key, user).
type record struct {
	state   backend.State
	request int
	answer  string // what replays: a value, or "error: …"
	until   time.Duration
	hold    bool
	attempt int
}

// sequential is the state machine of one caller.
type sequential struct {
	store     *memtest.Store
	guard     *idem.Guard
	guarantee idem.Guarantee
	now       time.Duration
	runs      int
	records   map[string]*record
}

const (
	leaseTime     = 30 * time.Second
	retentionTime = 24 * time.Hour
)

var outcomes = []string{"value", "plain", "final", "uncertain", "undone", "panic", "crash"}

func (m *sequential) at(name string) *record {
	r := m.records[name]
	if r == nil || r.state != backend.Absent && !r.hold && r.state != backend.Unknown && r.until <= m.now {
		r = &record{}
		m.records[name] = r
	}
	return r
}

// call makes one call and says what the model expects of it.
func (m *sequential) call(t *rapid.T) {
	key := rapid.SampledFrom([]idem.Key{"a", "b"}).Draw(t, "key")
	user := rapid.SampledFrom([]idem.User{"u", "v"}).Draw(t, "user")
	request := rapid.IntRange(1, 2).Draw(t, "request")
	outcome := rapid.SampledFrom(outcomes).Draw(t, "outcome")
	r := m.at(string(key) + "/" + string(user))

	want, runs := m.expect(r, request), false
	if want == "run" {
		runs = true
		want = m.apply(r, request, outcome)
	}
	before := m.runs
	got := m.do(key, user, request, outcome)
	require.Equal(t, want, got)
	require.Equal(t, runs, m.runs > before)
}

// expect is the contract's order of rules; "run" where fn must run.
func (m *sequential) expect(r *record, request int) string {
	switch {
	case r.state == backend.Absent:
		r.attempt = 1
		return "run"
	case r.request != request:
		return "error: " + idem.ErrMismatch.Error()
	case r.state == backend.Done:
		return r.answer
	case r.state == backend.Unknown:
		return "error: " + idem.ErrUnknownOutcome.Error()
	case m.now < r.leaseEnd():
		return "in flight"
	case r.hold:
		r.state = backend.Unknown
		return "error: " + idem.ErrUnknownOutcome.Error()
	}
	r.attempt++
	return "run"
}

func (r *record) leaseEnd() time.Duration { return r.until - retentionTime }

// apply is what the outcome of a run makes of the record; it returns what its caller is told.
func (m *sequential) apply(r *record, request int, outcome string) string {
	hold := m.guarantee == idem.Hold
	keep := func(s backend.State, answer string) string {
		*r = record{state: s, request: request, answer: answer, until: m.now + retentionTime, attempt: r.attempt}
		return answer
	}
	switch {
	case outcome == "value":
		return keep(backend.Done, fmt.Sprintf("value %d of attempt %d", request, r.attempt))
	case outcome == "final":
		return keep(backend.Done, "error: final")
	case outcome == "crash":
		*r = record{state: backend.Pending, request: request, until: m.now + leaseTime + retentionTime, hold: hold, attempt: r.attempt}
		return "crashed"
	case outcome == "uncertain", hold && (outcome == "plain" || outcome == "panic"):
		keep(backend.Unknown, "")
	default:
		*r = record{}
	}
	if outcome == "panic" {
		return "panicked"
	}
	return "error: " + outcome
}

// do makes the call and puts what came of it into words.
func (m *sequential) do(key idem.Key, user idem.User, request int, outcome string) (told string) {
	defer func() {
		if p := recover(); p != nil {
			told = p.(string)
		}
	}()
	guard := m.guard
	if outcome == "crash" {
		guard = idem.Must(idem.New("test", mute{m.store}, m.guarantee))
	}
	v, err := idem.Do(context.Background(), guard, key, user, request, func(ctx context.Context, request int) (string, error) {
		m.runs++
		attempt, _ := idem.AttemptFrom(ctx)
		value := fmt.Sprintf("value %d of attempt %d", request, attempt.Number)
		switch outcome {
		case "value":
			return value, nil
		case "panic":
			panic("panicked")
		case "crash":
			panic("crashed") // through a store that drops everything from here on: nothing is written any more
		case "final":
			return value, idem.Final(errors.New("final"))
		case "uncertain":
			return value, idem.Uncertain(errors.New("uncertain"))
		case "undone":
			return value, idem.Undone(errors.New("undone"))
		}
		return value, errors.New("plain")
	})
	switch {
	case errors.Is(err, idem.ErrInFlight):
		return "in flight"
	case err != nil:
		return "error: " + err.Error()
	}
	return v
}

// mute drops what follows a claim, as a process does that is gone.
type mute struct{ backend.Store }

func (mute) Release(context.Context, backend.ID, backend.Token) (backend.Grant, error) {
	return backend.Grant{Verdict: backend.Kept}, nil
}

func (mute) Hold(context.Context, backend.ID, backend.Token, string) (backend.Grant, error) {
	return backend.Grant{Verdict: backend.Kept}, nil
}

// pass lets time go by: some of a lease, a lease, some of a retention, a retention.
func (m *sequential) pass(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		time.Second, leaseTime - time.Second, leaseTime, leaseTime + time.Second, retentionTime - leaseTime, retentionTime,
	}).Draw(t, "time")
	m.store.Advance(d)
	m.now += d
}

// prune must never change what anybody is told; it turns lapsed claims that hold into unknown ones.
func (m *sequential) prune(t *rapid.T) {
	_, err := m.guard.Prune(context.Background())
	require.NoError(t, err)
	for name := range m.records {
		if r := m.at(name); r.state == backend.Pending && r.hold && r.leaseEnd() <= m.now {
			r.state = backend.Unknown
		}
	}
}

// resolve frees an unknown record, as an operator does who found out that nothing happened.
func (m *sequential) resolve(t *rapid.T) {
	r := m.at("a/u")
	rec, err := m.guard.Lookup(context.Background(), "a", "u")
	if r.state == backend.Absent {
		require.ErrorIs(t, err, idem.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.Equal(t, r.state, rec.State)
	require.Equal(t, r.attempt, rec.Attempt)
	err = m.guard.Release(context.Background(), rec.Ref)
	if r.state != backend.Unknown {
		require.ErrorIs(t, err, idem.ErrNotFound)
		return
	}
	require.NoError(t, err)
	*r = record{}
}

func TestPropertySequential(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []idem.Guarantee{idem.Rerun, idem.Hold} {
		t.Run(guarantee.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				store := new(memtest.Store)
				m := &sequential{
					store: store, guard: idem.Must(idem.New("test", store, guarantee)), guarantee: guarantee,
					records: map[string]*record{},
				}
				t.Repeat(map[string]func(*rapid.T){
					"call": m.call, "call again": m.call, "time": m.pass, "prune": m.prune, "resolve": m.resolve,
				})
			})
		})
	}
}

// plannedCall is one call of a concurrent history.
type plannedCall struct {
	Process int           // which guard: only the store connects two of them
	At      time.Duration // when it starts
	Takes   time.Duration // how long fn takes
	Fails   bool          // fn returns a plain error
	Wait    time.Duration
	Request int
}

var plannedCalls = rapid.Custom(func(t *rapid.T) plannedCall {
	seconds := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most*10).Draw(t, name)) * 100 * time.Millisecond
	}
	return plannedCall{
		Process: rapid.IntRange(0, 2).Draw(t, "process"),
		At:      seconds("at", 20), Takes: seconds("takes", 100),
		Fails: rapid.IntRange(0, 3).Draw(t, "fails") == 0,
		Wait:  seconds("wait", 30),
	}
})

// told is what came of a call.
type told struct {
	call       plannedCall
	began, end time.Duration
	value      int // the number of the run that gave the answer
	err        error
}

// ran is one run of fn.
type ran struct {
	request    int
	began, end time.Duration
	failed     bool
}

// simulate plays a plan in a bubble and returns what was seen.
func simulate(t *testing.T, plan []plannedCall, faults func(*memtest.Store)) (answers []told, runs []ran) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memtest.Store)
		faults(store)
		var processes [3]*idem.Guard
		for i := range processes {
			processes[i] = idem.Must(idem.New("test", store))
		}
		start := time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, call := range plan {
			wg.Go(func() {
				time.Sleep(call.At)
				seen := told{call: call, began: time.Since(start)}
				seen.value, seen.err = idem.Do(context.Background(), processes[call.Process], "k", "u", call.Request,
					func(context.Context, int) (int, error) {
						mu.Lock()
						number := len(runs)
						runs = append(runs, ran{request: call.Request, began: time.Since(start), failed: call.Fails})
						mu.Unlock()
						time.Sleep(call.Takes)
						mu.Lock()
						runs[number].end = time.Since(start)
						mu.Unlock()
						if call.Fails {
							return 0, errDeclined
						}
						return number, nil
					}, idem.Wait(call.Wait))
				seen.end = time.Since(start)
				mu.Lock()
				answers = append(answers, seen)
				mu.Unlock()
			})
		}
		wg.Wait()
	})
	return answers, runs
}

func TestPropertyConcurrent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(plannedCalls, 2, 30).Draw(rt, "plan")
		lost := rapid.SliceOfN(rapid.IntRange(1, 20), 0, 4).Draw(rt, "lost acknowledgements")
		answers, runs := simulate(t, plan, func(store *memtest.Store) {
			for i, nth := range lost {
				op := []memtest.Op{memtest.OpBegin, memtest.OpComplete, memtest.OpRelease, memtest.OpRenew}[i]
				store.Inject(memtest.Fault{Op: op, Nth: nth, Mode: memtest.LoseAck})
			}
		})
		requireOneAnswer(rt, answers, runs)
	})
}

// requireOneAnswer: runs never overlap, at most one succeeds, everybody who is told a value is told that one, and nobody
// who begins after it is told anything else.
func requireOneAnswer(t *rapid.T, answers []told, runs []ran) {
	slices.SortFunc(runs, func(a, b ran) int { return int(a.began - b.began) })
	for i := 1; i < len(runs); i++ {
		require.GreaterOrEqual(t, runs[i].began, runs[i-1].end, "two runs overlap")
		require.True(t, runs[i-1].failed, "a run follows one that succeeded")
	}
	success := slices.IndexFunc(runs, func(r ran) bool { return !r.failed })
	for _, a := range answers {
		switch {
		case a.err == nil:
			require.Equal(t, success, a.value)
		case errors.Is(a.err, errDeclined):
			require.True(t, a.call.Fails)
		default:
			require.ErrorIs(t, a.err, idem.ErrInFlight)
			require.GreaterOrEqual(t, a.end, a.began+a.call.Wait, "it gave up before its time")
		}
		if success >= 0 && a.began > runs[success].end+time.Second {
			require.NoError(t, a.err)
		}
	}
}

func TestPropertyMismatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(plannedCalls, 2, 20).Draw(rt, "plan")
		for i := range plan {
			plan[i].Request = rapid.IntRange(1, 3).Draw(rt, "request")
			plan[i].Fails = false
		}
		answers, runs := simulate(t, plan, func(*memtest.Store) {})
		require.Len(rt, runs, 1, "one request wins, and the others never run")
		for _, a := range answers {
			switch {
			case a.call.Request != runs[0].request:
				require.ErrorIs(rt, a.err, idem.ErrMismatch)
				require.Equal(rt, a.began, a.end, "a mismatch never waits")
			case a.err != nil:
				require.ErrorIs(rt, a.err, idem.ErrInFlight)
			}
		}
	})
}

// anything is an answer with a bit of everything that encoding/json can carry.
type anything struct {
	Text    string
	Number  int64
	Unsent  uint64
	Ratio   float64
	Flag    bool
	Bytes   []byte
	List    []string
	Nested  []struct{ A, B int32 }
	Table   map[string]int
	Pointer *int
	Deep    **string
	Empty   struct{}
	Array   [3]int8
	Omitted string `json:",omitempty"`
	Renamed string `json:"renamed"`
}

func TestPropertyTheFirstAnswerEqualsTheReplay(t *testing.T) {
	t.Parallel()
	t.Run("structs", func(t *testing.T) { t.Parallel(); firstEqualsReplay[anything](t) })
	t.Run("pointers", func(t *testing.T) { t.Parallel(); firstEqualsReplay[*anything](t) })
	t.Run("slices", func(t *testing.T) { t.Parallel(); firstEqualsReplay[[]string](t) })
	t.Run("maps", func(t *testing.T) { t.Parallel(); firstEqualsReplay[map[int16][]bool](t) })
	t.Run("strings", func(t *testing.T) { t.Parallel(); firstEqualsReplay[string](t) })
	t.Run("bytes", func(t *testing.T) { t.Parallel(); firstEqualsReplay[[]byte](t) })
	t.Run("floats", func(t *testing.T) { t.Parallel(); firstEqualsReplay[float64](t) })
	t.Run("unsigned", func(t *testing.T) { t.Parallel(); firstEqualsReplay[uint64](t) })
}

func firstEqualsReplay[Resp any](t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answer := rapid.Make[Resp]().Draw(t, "answer")
		g := idem.Must(idem.New("test", new(memtest.Store), idem.MaxResult(1<<24)))
		fn := func(context.Context, int) (Resp, error) { return answer, nil }
		first, err := idem.DoResult(context.Background(), g, "k", "u", 1, fn)
		require.NoError(t, err)
		again, err := idem.DoResult(context.Background(), g, "k", "u", 1, fn)
		if !first.Kept { // such as an infinite float: it is said at once, not at the first retry in production
			require.ErrorIs(t, err, idem.ErrAnswerNotKept)
			return
		}
		require.NoError(t, err)
		require.Equal(t, first.Value, again.Value)
		require.True(t, again.Replayed)
	})
}
