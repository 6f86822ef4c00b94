package backendtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"reflect"
	"time"

	"github.com/idem-go/idem/backend"
)

// What the claims and answers of a rule have unless it says otherwise.
const (
	lease     = 10 * time.Minute
	retention = time.Hour
	minute    = time.Minute // what rules step over a limit by
)

// rig is the workplace of one rule: a harness, and two handles on its storage.
type rig struct {
	TB
	harness Harness
	handles [2]backend.Store
	guard   string // a name of its own, should the storage hold other records
	records int
	started time.Time
}

func newRig(tb TB, h Harness) *rig {
	tb.Helper()
	token := backend.NewToken()
	r := &rig{TB: tb, harness: h.withDefaults(), guard: "suite-" + hex.EncodeToString(token[:4]), started: time.Now()}
	for i := range r.handles {
		r.handles[i] = h.Open(tb)
	}
	return r
}

// rule makes a row whose check works on a rig.
func rule(name, text string, check func(*rig)) Rule {
	return Rule{Name: name, Text: text, Check: func(tb TB, h Harness) {
		tb.Helper()
		check(newRig(tb, h))
	}}
}

// offered makes a row that is skipped where the store does not offer the optional interface I.
func offered[I any](name, text string, check func(*rig, I)) Rule {
	return rule(name, text, func(r *rig) {
		r.Helper()
		store, ok := r.handles[0].(I)
		if !ok {
			r.Logf("skipped: the store does not offer %v", reflect.TypeFor[I]())
			return
		}
		check(r, store)
	})
}

func (r *rig) advance(d time.Duration) {
	r.Helper()
	r.harness.Advance(r.TB, d)
}

// about checks a duration on the store's clock, give or take what the test took and a store's precision.
func (r *rig) about(what string, got, want time.Duration) {
	r.Helper()
	slack := time.Since(r.started) + 2*time.Second
	if got < want-slack || got > want+slack {
		r.Fatalf("%s is %v, want about %v", what, got, want)
	}
}

// ok checks that a step which is not the rule's own went well.
func (r *rig) ok(what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s failed: %v", what, err)
	}
}

// expect checks an answer's verdict.
func (r *rig) expect(call string, g backend.Grant, err error, want backend.Verdict) backend.Grant {
	r.Helper()
	if err != nil {
		r.Fatalf("%s failed, want %s: %v", call, want, err)
	}
	if g.Verdict != want {
		r.Fatalf("%s answered %s, want %s", call, g.Verdict, want)
	}
	return g
}

// answers checks the bytes of an answer without showing large ones.
func (r *rig) answers(call string, g backend.Grant, want []byte) {
	r.Helper()
	if !bytes.Equal(g.Answer, want) {
		r.Fatalf("%s has an answer of %d bytes (%.20q), want %d bytes (%.20q)", call, len(g.Answer), g.Answer, len(want), want)
	}
}

// attempt is a claim and the handle that its calls go through.
type attempt struct {
	rig    *rig
	handle int
	claim  backend.Claim
}

// attempt makes one on a record that no other one of the rule has; nothing is sent yet.
func (r *rig) attempt() *attempt {
	r.records++
	return r.attemptOn(r.guard, "user", fmt.Sprintf("key %d", r.records))
}

func (r *rig) attemptOn(guard, user, key string) *attempt {
	return &attempt{rig: r, claim: backend.Claim{
		ID:          backend.NewID(guard, user, key),
		Token:       backend.NewToken(),
		Fingerprint: backend.NewFingerprint([]byte("the request")),
		Lease:       lease,
		Retention:   retention,
		Guard:       guard, User: user, Key: key,
	}}
}

// claimed is an attempt whose Begin was Claimed.
func (r *rig) claimed() *attempt {
	r.Helper()
	a := r.attempt()
	a.begins(backend.Claimed)
	return a
}

// claimedHolding is claimed under Hold.
func (r *rig) claimedHolding() *attempt {
	r.Helper()
	a := r.attempt().holding()
	a.begins(backend.Claimed)
	return a
}

// done is an attempt that stored an answer.
func (r *rig) done(answer string) *attempt {
	r.Helper()
	a := r.claimed()
	a.completes(answer, backend.Kept)
	return a
}

// held is an attempt that gave its record up.
func (r *rig) held() *attempt {
	r.Helper()
	a := r.claimed()
	a.holds("", backend.Kept)
	return a
}

// rival is another attempt at the same request, through the other handle.
func (a *attempt) rival() *attempt {
	b := *a
	b.handle = 1 - a.handle
	b.claim.Token = backend.NewToken()
	return &b
}

// stranger is an attempt at another request under the same key, through the other handle.
func (a *attempt) stranger() *attempt {
	b := a.rival()
	b.claim.Fingerprint = backend.NewFingerprint([]byte("another request"))
	return b
}

// again is the same attempt through the other handle, as a caller that sends a call again may reach it.
func (a *attempt) again() *attempt {
	b := *a
	b.handle = 1 - a.handle
	return &b
}

// holding makes the claim one that is never run again by itself.
func (a *attempt) holding() *attempt {
	a.claim.Hold = true
	return a
}

func (a *attempt) store() backend.Store { return a.rig.handles[a.handle] }

func (a *attempt) ctx() context.Context { return a.rig.Context() }

func (a *attempt) begins(want backend.Verdict) backend.Grant {
	a.rig.Helper()
	g, err := a.store().Begin(a.ctx(), a.claim)
	return a.rig.expect("Begin", g, err, want)
}

// claims begins, and checks the attempt's number.
func (a *attempt) claims(number int) {
	a.rig.Helper()
	if g := a.begins(backend.Claimed); g.Attempt != number {
		a.rig.Fatalf("Begin was Claimed as attempt %d, want %d", g.Attempt, number)
	}
}

// replays begins, and checks the answer.
func (a *attempt) replays(answer string) backend.Grant {
	a.rig.Helper()
	g := a.begins(backend.Replay)
	a.rig.answers("Begin", g, []byte(answer))
	return g
}

func (a *attempt) renews(want backend.Verdict) {
	a.rig.Helper()
	a.renewsWith(backend.Renewal{Lease: lease, Retention: retention}, want)
}

func (a *attempt) renewsWith(n backend.Renewal, want backend.Verdict) {
	a.rig.Helper()
	g, err := a.store().Renew(a.ctx(), a.claim.ID, a.claim.Token, n)
	a.rig.expect("Renew", g, err, want)
}

func (a *attempt) completes(answer string, want backend.Verdict) backend.Grant {
	a.rig.Helper()
	return a.completesFor(retention, []byte(answer), want)
}

func (a *attempt) completesFor(retention time.Duration, answer []byte, want backend.Verdict) backend.Grant {
	a.rig.Helper()
	g, err := a.store().Complete(a.ctx(), a.claim.ID, a.claim.Token, a.completion(answer, retention))
	return a.rig.expect("Complete", g, err, want)
}

func (a *attempt) completion(answer []byte, retention time.Duration) backend.Completion {
	return backend.Completion{Fingerprint: a.claim.Fingerprint, Answer: answer, Retention: retention}
}

func (a *attempt) releases(want backend.Verdict) {
	a.rig.Helper()
	g, err := a.store().Release(a.ctx(), a.claim.ID, a.claim.Token)
	a.rig.expect("Release", g, err, want)
}

func (a *attempt) holds(note string, want backend.Verdict) {
	a.rig.Helper()
	g, err := a.store().Hold(a.ctx(), a.claim.ID, a.claim.Token, note)
	a.rig.expect("Hold", g, err, want)
}

// lost checks that nothing is left that the attempt could write to.
func (a *attempt) lost() {
	a.rig.Helper()
	a.renews(backend.Lost)
	a.completes("of a lost claim", backend.Lost)
	a.holds("", backend.Lost)
	a.releases(backend.Lost)
}
