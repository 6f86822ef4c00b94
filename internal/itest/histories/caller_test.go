package histories

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/idem-go/idem/backend"
)

// store is what the stores of this project offer.
type store interface {
	backend.Store
	backend.Pruner
	backend.Inspector
}

// unit is the time that histories count in. Leases and retentions end half a unit after a whole one, so that whatever a
// history takes in real time, if only it is less than that half, makes no difference.
const unit = 10 * time.Minute

func units(n int) time.Duration { return time.Duration(n) * unit }

func lasting(n int) time.Duration { return units(n) + unit/2 }

// caller asks a store, in the numbers of a plan.
type caller struct {
	plan  *plan
	store store
	cut   bool  // a Prune ended early
	err   error // of the last call
}

// call asks, and says what was told: nothing, where the store failed.
func (c *caller) call(ctx context.Context, in input) output {
	out, err := c.ask(ctx, in)
	c.err = err
	if in.kind == prune {
		c.cut = err != nil
	}
	if err != nil {
		return output{unknown: true}
	}
	return out
}

func (c *caller) ask(ctx context.Context, in input) (output, error) {
	switch in.kind {
	case lookup:
		found, err := c.store.Lookup(ctx, c.plan.id(in.key))
		return output{shown: c.shown(found)}, err
	case prune:
		stats, err := c.store.Prune(ctx)
		return output{count: stats.Held}, err
	case forget:
		there, err := c.store.Forget(ctx, c.plan.id(in.key))
		return output{count: map[bool]int{true: 1}[there]}, err
	default:
		g, err := c.grant(ctx, in)
		return output{verdict: g.Verdict, attempt: g.Attempt, answer: number(answerWord, g.Answer)}, err
	}
}

func (c *caller) grant(ctx context.Context, in input) (backend.Grant, error) {
	id, token := c.plan.id(in.key), c.plan.tokens[in.token]
	switch in.kind {
	case begin:
		return c.store.Begin(ctx, backend.Claim{
			ID: id, Token: token, Fingerprint: requestOf(in.request), Lease: lasting(in.lease), Retention: units(in.keep), Hold: in.holds,
			Guard: "histories", User: c.plan.user(), Key: fmt.Sprint("key ", in.key),
		})
	case renew:
		return c.store.Renew(ctx, id, token, backend.Renewal{Lease: lasting(in.lease), Retention: units(in.keep), Note: noteOf(in.note)})
	case complete:
		return c.store.Complete(ctx, id, token, completionOf(in))
	case release:
		return c.store.Release(ctx, id, token)
	case hold:
		return c.store.Hold(ctx, id, token, noteOf(in.note))
	case resolve:
		return c.store.Resolve(ctx, backend.NewRef(id, token), completionOf(in))
	case free:
		return c.store.Free(ctx, backend.NewRef(id, token))
	}
	panic("histories: no such call")
}

func completionOf(in input) backend.Completion {
	return backend.Completion{Fingerprint: requestOf(in.request), Answer: fmt.Append(nil, answerWord, in.answer), Retention: lasting(in.keep)}
}

func (c *caller) shown(r backend.Record) shown {
	if r.State == backend.Absent {
		return shown{}
	}
	s := shown{
		state: r.State, token: slices.IndexFunc(c.plan.tokens, r.Ref.Matches),
		request: slices.Index([]backend.Fingerprint{requestOf(0), requestOf(1)}, r.Fingerprint),
		attempt: r.Attempt, note: number(noteWord, []byte(r.Note)),
	}
	if r.State == backend.Pending {
		s.holds, s.lapsed = r.Hold, r.LeaseLeft <= 0
	}
	return s
}

func requestOf(request int) backend.Fingerprint {
	return backend.NewFingerprint([]byte{byte(request)})
}

const answerWord, noteWord = "answer ", "note "

func noteOf(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(noteWord, n)
}

// number is the one behind a word: 0 of nothing, and below 0 of anything that no plan has.
func number(word string, text []byte) int {
	digits, ours := bytes.CutPrefix(text, []byte(word))
	n, err := strconv.Atoi(string(digits))
	switch {
	case len(text) == 0:
		return 0
	case !ours || err != nil:
		return -1
	}
	return n
}
