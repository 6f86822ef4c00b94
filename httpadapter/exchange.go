package httpadapter

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/idem-go/idem"
)

// exchange is one guarded request. It is also the context of the call, so that what is further in finds it.
type exchange struct {
	context.Context // the request's, as it came in

	m     *Middleware
	w     http.ResponseWriter
	r     *http.Request
	next  func(http.ResponseWriter, *http.Request)
	typed typed       // nil but under Handle
	left  func() bool // whether next left the answer to what stands further out; may be nil
	user  idem.User
	room  *room // the body is in it

	slot       idem.Slot
	lineRoom   [6]string // for the values of the answer's header
	*recording           // nil until the handler runs

	failed  *failure      // what the function under Handle returned, where the guard decides what that means
	decided atomic.Uint32 // what the handler said of its answer, an idem.Disposition

	lost       bool // the answer is there for nobody: it cannot be encoded, or its body is not whole
	unanswered bool // the handler left the answer to what stands further out
}

type exchangeKey struct{}

// Value returns the exchange itself for its own key.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func exchangeFrom(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// is reports whether r is the request of this exchange, perhaps on its way through handlers further in.
func (x *exchange) is(r *http.Request) bool {
	mine, theirs := x.r.Header[x.m.header], r.Header[x.m.header]
	if r.Method != x.r.Method || len(mine) != len(theirs) || len(mine) > 0 && mine[0] != theirs[0] {
		return false
	}
	if r.RequestURI != "" || x.r.RequestURI != "" {
		return r.RequestURI == x.r.RequestURI
	}
	return *r.URL == *x.r.URL
}

// exec has the guard run the handler, or answer for it, and sends what comes of that. The guard claims and waits under
// the client's context; the handler's is detached from it.
//
// The room is for the next exchange where all went well, or no handler ran: a store that failed to keep an answer may
// still be sending what is there.
func (x *exchange) exec(key idem.Key) {
	defer x.discard()
	out, err := x.m.exec.ExecIn(x, &x.slot, idem.Call{
		Key:         x.m.recordKey(x.r, key),
		User:        x.user,
		Fingerprint: fingerprint(x.r, x.room),
		Codec:       codecName,
		Run:         runExchange,
	})
	x.reply(out, err)
	x.discard()
	if err == nil || x.recording == nil {
		x.leave()
	}
}

// discard ends what the handler was given, whatever became of it.
func (x *exchange) discard() {
	if x.recording != nil {
		x.rec.discard()
	}
}

// leave gives the room to the next exchange. Nobody may have a part of it any more.
func (x *exchange) leave() {
	if x.recording != nil {
		if !x.in.spent() {
			x.room.in = nil // it stays the handler's, whatever it left behind
		}
		x.room.out, x.room.lines = x.rec.body, x.rec.fields
		x.rec.body, x.rec.fields = nil, nil
		x.recording = nil
	}
	x.room.leave()
	x.room = nil
}

// runExchange finds the exchange in its context, which spares a closure.
func runExchange(ctx context.Context) idem.Answer { return exchangeFrom(ctx).run(ctx) }

// run is what happens under the claim.
func (x *exchange) run(ctx context.Context) idem.Answer {
	x.recording = new(recording)
	r := x.request(ctx)
	x.rec.begin(x.w.Header(), x.m.inMemory, x.m.spool, x.room)
	if x.typed != nil {
		return x.runTyped(ctx, r)
	}
	x.next(&x.rec, r)
	if x.unanswered = x.left != nil && x.left(); x.unanswered {
		x.rec.WriteHeader(http.StatusInternalServerError)
	}
	x.rec.finish()
	removeFiles(r)
	return x.answer(r)
}

// recording is what an exchange needs whose handler runs.
type recording struct {
	in  wholeBody
	rec recorder
}

// request is the request as the handler gets it. It has no GetBody: with one, a client that passes it on would re-send
// it by itself when a connection breaks. A function under Handle has been given what was in the body.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := x.r.WithContext(ctx)
	r.TransferEncoding, r.GetBody = nil, nil
	r.ContentLength, r.Body = int64(len(x.room.in)), http.NoBody
	if len(x.room.in) > 0 && x.typed == nil {
		x.in.rest = x.room.in
		r.Body = &x.in
	}
	return r
}

// removeFiles does for the handler's copy of a request what the server does for its own: it removes the files into which
// a form was parsed.
func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}

// answer is what becomes of a recorded answer whose status says what it means.
func (x *exchange) answer(r *http.Request) idem.Answer {
	d := x.chosen(r)
	if d == 0 {
		d = x.m.byStatus(x.rec.status)
	}
	if d != idem.Keep {
		return idem.Answer{Disposition: d}
	}
	return x.recorded(idem.Answer{Disposition: d, TombstoneOnly: x.unanswered})
}

// recorded adds to a what is stored of the recorded answer. One that was spooled is too large for that.
func (x *exchange) recorded(a idem.Answer) idem.Answer {
	if x.rec.spooled() {
		x.lost = x.rec.fault != nil && a.Disposition == idem.Keep
		return x.buried(a)
	}
	a.Payload, a.Tombstone = x.rec.encode(x.m.replayed)
	a.Room = true
	return a
}

// buried is for an answer whose body is not stored: it was done, so it must not run again.
func (x *exchange) buried(a idem.Answer) idem.Answer {
	a.Tombstone = x.rec.tombstone(x.m.replayed)
	a.Payload, a.TombstoneOnly = a.Tombstone, true
	return a
}

// reply sends the client's answer, now that it is known what is stored.
func (x *exchange) reply(out idem.Outcome, err error) {
	switch {
	case err == nil && out.Replayed:
		x.replay(out.Payload)
	case err == nil && x.lost:
		x.m.refuseDone(x.w, x.r, out.Payload)
	case err == nil && x.unanswered:
		x.rec.deliverHeader(x.w, x.lineRoom[:0])
	case err == nil, x.own(err):
		x.deliver()
	case x.unstored(err) && (x.lost || x.m.refuseNotStored):
		x.m.refuse(x.w, x.r, idem.ErrNotStored) // not err, which holds what the function said
	case x.unstored(err) && x.unanswered:
		x.rec.deliverHeader(x.w, x.lineRoom[:0])
	case x.unstored(err):
		x.deliver()
	case out.Kind == idem.KindTombstone && errors.Is(err, idem.ErrAnswerNotKept):
		x.m.refuseDone(x.w, x.r, out.Payload)
	default:
		x.m.refuse(x.w, x.r, err)
	}
}

// deliver sends the recorded answer. One that was not kept may not be whole.
func (x *exchange) deliver() {
	if x.rec.fault != nil {
		x.m.refuse(x.w, x.r, x.rec.fault)
		return
	}
	x.rec.deliver(x.w, x.r.Method, x.lineRoom[:0])
}

func (x *exchange) replay(payload []byte) {
	a, err := decode(payload)
	if err != nil {
		x.m.refuse(x.w, x.r, err)
		return
	}
	a.replay(x.w, x.r.Method, x.m.replayed, x.lineRoom[:0])
}

// unstored reports whether err says that the outcome of this exchange could not be stored. The function under Handle may
// have returned an error that says so of another call.
func (x *exchange) unstored(err error) bool {
	var here, there *idem.NotStoredError
	if x.recording == nil || !errors.As(err, &here) {
		return false
	}
	return x.failed == nil || !errors.As(x.failed.error, &there) || here != there
}

// own reports whether err is what the function under Handle returned: its answer is recorded.
func (x *exchange) own(err error) bool {
	return x.failed != nil && errors.Is(err, x.failed) && !x.unstored(err)
}
