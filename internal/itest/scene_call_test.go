package itest

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

// refusals are calls that never reach a store.
var refusals = []scene{
	{"no key", idem.CodeMissingKey, with("", markUser)},
	{"a key with a control character", idem.CodeInvalidKey, with(markKey+"\n", markUser)},
	{"a key that is no UTF-8", idem.CodeInvalidKey, with(markKey+"\xff", markUser)},
	{"a key that is too long", idem.CodeInvalidKey, with(idem.Key(strings.Repeat(markKey, 50)), markUser)},
	{"a key that a policy refuses", idem.CodeInvalidKey, with(markKey, markUser, idem.KeyPolicy(idem.UUIDKeys))},
	{"a key that is too short", idem.CodeInvalidKey, with(markKey, markUser, idem.KeyPolicy(idem.MinLength(100)))},
	{"no user", idem.CodeMissingUser, with(markKey, "")},
	{"a user with a control character", idem.CodeInvalidUser, with(markKey, markUser+"\x00")},
	{"a user that is too long", idem.CodeInvalidUser, with(markKey, idem.User(strings.Repeat(markUser, 50)))},
	{"a guard of another guarantee", idem.CodeWrongGuarantee, with(markKey, markUser, idem.Tx)},
	{"a caller who has left", idem.CodeContextCanceled, func(a *actor) error {
		_, g := a.memory()
		ctx, leave := context.WithCancel(a.Context())
		leave()
		_, err := idem.Do(ctx, g, markKey, markUser, marked, succeeds)
		return err
	}},
	{"a request with a channel", idem.CodeInvalidRequest, func(a *actor) error {
		return request(a, struct {
			Account string
			Done    chan int
		}{markBody, nil})
	}},
	{"a request with a number that is none", idem.CodeInvalidRequest, func(a *actor) error {
		return request(a, struct{ Amount json.Number }{markBody})
	}},
	{"a request with a number that JSON has not", idem.CodeInvalidRequest, func(a *actor) error {
		return request(a, map[string]any{markBody: math.Inf(1)})
	}},
	{"a request with raw text that is no JSON", idem.CodeInvalidRequest, func(a *actor) error {
		return request(a, struct{ Raw json.RawMessage }{json.RawMessage(markBody)})
	}},
	{"a request with a date that JSON has not", idem.CodeInvalidRequest, func(a *actor) error {
		return request(a, map[string]any{markBody: time.Unix(markCents*1000, 0)})
	}},
	{"an option of another request type", idem.CodeInvalidOption, func(a *actor) error {
		_, g := a.memory()
		return a.do(g, succeeds, idem.FingerprintBy(func(s string) any { return s }))
	}},
	{"a store without transactions of that type", idem.CodeNoTransactions, func(a *actor) error {
		_, g := a.memory(idem.Tx)
		_, err := idem.DoTx(a.Context(), g, markKey, markUser, marked, func(context.Context, string, charge) (receipt, error) {
			return answered, nil
		})
		return err
	}},
}

// with makes a call with another key and user.
func with(key idem.Key, user idem.User, opts ...idem.GuardOption) func(*actor) error {
	return func(a *actor) error {
		_, g := a.memory(opts...)
		_, err := idem.Do(a.Context(), g, key, user, marked, succeeds)
		return err
	}
}

func request[Req any](a *actor, req Req) error {
	_, g := a.memory()
	_, err := idem.Do(a.Context(), g, markKey, markUser, req, func(context.Context, Req) (receipt, error) { return answered, nil })
	return err
}

// runs are calls on a store that works.
var runs = []scene{
	{"an answer and its replay", idem.CodeNone, func(a *actor) error {
		_, g := a.memory()
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds)
	}},
	{"a mismatch", idem.CodeMismatch, func(a *actor) error {
		_, g := a.memory()
		require.NoError(a, a.do(g, succeeds, idem.Operation("other")))
		return a.do(g, succeeds)
	}},
	{"a duplicate in flight", idem.CodeInFlight, func(a *actor) error { return a.duplicate(0) }},
	{"a duplicate that waits in vain", idem.CodeInFlight, func(a *actor) error { return a.duplicate(time.Millisecond) }},
	{"an error", idem.CodeOther, func(a *actor) error {
		_, g := a.memory()
		return a.do(g, fails)
	}},
	{"a final error and its replay", idem.CodeOther, func(a *actor) error {
		_, g := a.memory()
		require.Error(a, a.do(g, returning(idem.Final(errFn))))
		return a.do(g, succeeds)
	}},
	{"an unknown outcome", idem.CodeUnknownOutcome, func(a *actor) error {
		_, g := a.memory(idem.Hold)
		require.ErrorIs(a, a.do(g, fails), errFn)
		return a.do(g, succeeds)
	}},
	{"an error that says that nothing happened", idem.CodeOther, func(a *actor) error {
		_, g := a.memory(idem.Hold)
		return a.do(g, returning(idem.Undone(errFn)))
	}},
	{"a panic", idem.CodeNone, func(a *actor) error {
		_, g := a.memory()
		require.PanicsWithValue(a, markFailure, func() {
			_ = a.do(g, func(context.Context, charge) (receipt, error) { panic(markFailure) })
		})
		return a.do(g, succeeds)
	}},
	{"an exit", idem.CodeUnknownOutcome, func(a *actor) error {
		_, g := a.memory(idem.Hold)
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = a.do(g, func(context.Context, charge) (receipt, error) { runtime.Goexit(); return answered, nil })
		})
		wg.Wait()
		return a.do(g, succeeds)
	}},
	{"a call of itself", idem.CodeReentrant, func(a *actor) error {
		_, g := a.memory()
		return a.do(g, func(ctx context.Context, req charge) (receipt, error) {
			return idem.Do(ctx, g, markKey, markUser, req, succeeds)
		})
	}},
	{"an attempt without an end", idem.CodeMaxRun, func(a *actor) error {
		_, g := a.memory(idem.Lease(lease), idem.MaxRun(lease))
		return a.do(g, func(ctx context.Context, _ charge) (receipt, error) {
			<-ctx.Done()
			return answered, ctx.Err()
		})
	}},
	{"an answer that is too large", idem.CodeAnswerNotKept, func(a *actor) error {
		_, g := a.memory(idem.MaxResult(1))
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds)
	}},
	{"an answer with a number that is none", idem.CodeNone, func(a *actor) error {
		return resultOf(a, json.Number(markAnswer))
	}},
	{"an answer that JSON cannot write", idem.CodeNone, func(a *actor) error {
		return resultOf(a, map[string]any{markAnswer: make(chan int)})
	}},
	{"an answer that JSON does not read back", idem.CodeNone, func(a *actor) error { return resultOf(a, wide(1)) }},
	{"an answer read as another type", idem.CodeCorrupt, func(a *actor) error { return reread[int8](a, int64(markReceipt)) }},
	{"an answer read as a time", idem.CodeCorrupt, func(a *actor) error { return reread[time.Time](a, markAnswer) }},
	{"an answer read as another struct", idem.CodeCorrupt, func(a *actor) error {
		return reread[struct{ ID int }](a, answered)
	}},
	{"an answer of another codec", idem.CodeVersion, func(a *actor) error {
		_, g := a.memory()
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds, idem.WithCodec(otherCodec{idem.JSON}))
	}},
	{"a note that is too long", idem.CodeOther, func(a *actor) error {
		_, g := a.memory()
		return a.do(g, func(ctx context.Context, _ charge) (receipt, error) {
			return answered, idem.Note(ctx, strings.Repeat(markBody, 50))
		})
	}},
	{"a child key outside of fn", idem.CodeOther, func(a *actor) error {
		_, err := idem.ChildKey(a.Context(), markBody)
		return err
	}},
}

// duplicate calls while the first call runs.
func (a *actor) duplicate(wait time.Duration) (err error) {
	_, g := a.memory()
	require.NoError(a, a.do(g, func(context.Context, charge) (receipt, error) {
		err = a.do(g, succeeds, idem.Wait(wait))
		return answered, nil
	}))
	return err
}

// resultOf has fn answer v.
func resultOf[Resp any](a *actor, v Resp) error {
	_, g := a.memory()
	_, err := idem.Do(a.Context(), g, markKey, markUser, marked, func(context.Context, charge) (Resp, error) { return v, nil })
	return err
}

// reread stores v and reads it as a Resp.
func reread[Resp, First any](a *actor, v First) error {
	_, g := a.memory()
	_, err := idem.Do(a.Context(), g, markKey, markUser, marked, func(context.Context, charge) (First, error) { return v, nil })
	require.NoError(a, err)
	_, err = idem.Do(a.Context(), g, markKey, markUser, marked, func(context.Context, charge) (none Resp, err error) { return none, nil })
	return err
}

// wide writes a number that it cannot read.
type wide int8

func (wide) MarshalJSON() ([]byte, error) { return json.Marshal(int64(markReceipt)) }

type otherCodec struct{ idem.Codec }

func (otherCodec) Name() string { return "other" }
