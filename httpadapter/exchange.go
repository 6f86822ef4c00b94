package httpadapter

import (
	"context"
	"errors"
	"net/http"

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
	body  []byte

	in  wholeBody
	rec recorder

	failed     *failure // what the function under Handle returned, where the guard decides what that means
	lost       bool     // it returned an answer that cannot be encoded
	unanswered bool     // the handler left the answer to what stands further out
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
func (x *exchange) exec(key idem.Key) {
	out, err := x.m.guard.Exec(x, idem.Call{
		Key:         x.m.recordKey(x.r, key),
		User:        x.user,
		Fingerprint: fingerprint(x.r, x.body),
		Codec:       codecName,
		Run:         x.run,
	}, x.m.call...)
	x.reply(out, err)
}

// run is what happens under the claim.
func (x *exchange) run(ctx context.Context) idem.Answer {
	r := x.request(ctx)
	x.rec.begin(x.w.Header())
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

// request is the request as the handler gets it. It has no GetBody: with one, a client that passes it on would re-send
// it by itself when a connection breaks.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := x.r.WithContext(ctx)
	r.TransferEncoding, r.GetBody = nil, nil
	r.ContentLength, r.Body = int64(len(x.body)), http.NoBody
	if len(x.body) > 0 {
		x.in.Reset(x.body)
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
	d := x.m.chosen(r, x.rec.status)
	if d == 0 {
		d = x.m.byStatus(x.rec.status)
	}
	if d != idem.Keep {
		return idem.Answer{Disposition: d}
	}
	payload, tombstone := x.rec.encode(x.m.replayed)
	return idem.Answer{Disposition: d, Payload: payload, Tombstone: tombstone, TombstoneOnly: x.unanswered}
}

// reply sends the client's answer, now that it is known what is stored.
func (x *exchange) reply(out idem.Outcome, err error) {
	switch {
	case err == nil && out.Replayed:
		x.replay(out.Payload)
	case err == nil && x.lost:
		x.m.refuseDone(x.w, out.Payload)
	case err == nil && x.unanswered:
		x.rec.deliverHeader(x.w)
	case err == nil, x.own(err):
		x.rec.deliver(x.w, x.r.Method)
	case x.unstored(err) && (x.lost || x.m.refuseNotStored):
		x.m.refuse(x.w, idem.ErrNotStored) // not err, which holds what the function said
	case x.unstored(err) && x.unanswered:
		x.rec.deliverHeader(x.w)
	case x.unstored(err):
		x.rec.deliver(x.w, x.r.Method)
	case out.Kind == idem.KindTombstone && errors.Is(err, idem.ErrAnswerNotKept):
		x.m.refuseDone(x.w, out.Payload)
	default:
		x.m.refuse(x.w, err)
	}
}

func (x *exchange) replay(payload []byte) {
	a, err := decode(payload)
	if err != nil {
		x.m.refuse(x.w, err)
		return
	}
	a.replay(x.w, x.r.Method, x.m.replayed)
}

// unstored reports whether err says that the outcome of this exchange could not be stored. The function under Handle may
// have returned an error that says so of another call.
func (x *exchange) unstored(err error) bool {
	var here, there *idem.NotStoredError
	if !errors.As(err, &here) {
		return false
	}
	return x.failed == nil || !errors.As(x.failed.error, &there) || here != there
}

// own reports whether err is what the function under Handle returned: its answer is recorded.
func (x *exchange) own(err error) bool {
	return x.failed != nil && errors.Is(err, x.failed) && !x.unstored(err)
}
