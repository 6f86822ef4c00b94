package httpadapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"

	"github.com/idem-go/idem"
)

// Handle returns a handler for a function from one JSON body to another. It runs under m: the user and the key are m's
// affair, and a request is the same as an earlier one if method, path, query and body are, as for any handler.
//
// The body is decoded before anything is claimed; one that is not JSON for Req is answered with 400. Where Req is a
// struct without fields there may be no body. Members that Req does not have are ignored.
//
// What fn returns is encoded as JSON and sent with 200. A Resp may have the methods HTTPStatus() int, 200 to 999, and
// HTTPHeader() http.Header, to choose its own. An answer that cannot be encoded is treated like one that is too large to
// be kept: it was done, and all clients get 409 with the code answer_not_kept.
//
// An error of fn that is or wraps a *Problem is sent as that, and its status says what is kept, as for any handler. Any
// other error is 500 without its text; the guard releases or holds. The marks of package idem (Final, Uncertain, Undone)
// count for more than a status, and OnError for more than the guard's guarantee.
//
// Where m lets a request pass fn runs unguarded. Handle panics if m or fn is nil.
func Handle[Req, Resp any](m *Middleware, fn func(context.Context, idem.User, Req) (Resp, error)) http.Handler {
	if m == nil || fn == nil {
		panic("httpadapter: Handle with a nil middleware or function")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ServeFunc(m, w, Exchange{Request: r}, fn) })
}

// ServeFunc is Serve for a function as Handle takes it: what an adapter for another framework calls for such a function.
// x.Next and x.Unanswered count for nothing.
func ServeFunc[Req, Resp any](m *Middleware, w http.ResponseWriter, x Exchange, fn func(context.Context, idem.User, Req) (Resp, error)) {
	op := &operation[Req, Resp]{fn: fn}
	x.Next = func(w http.ResponseWriter, _ *http.Request) { m.pass(w, x, op) }
	m.serve(w, x, op)
}

// typed is a call of a function under Handle, without its types.
type typed interface {
	// decode reads the request. It is called once, before call.
	decode(body []byte) error
	// call runs the function and writes its answer to rec. It returns what the function returned; or errNotEncodable,
	// and then the answer has no body.
	call(ctx context.Context, user idem.User, rec *recorder) error
}

var errNotEncodable = errors.New("httpadapter: the answer cannot be encoded")

type operation[Req, Resp any] struct {
	fn  func(context.Context, idem.User, Req) (Resp, error)
	req Req
}

func (op *operation[Req, Resp]) decode(body []byte) error {
	if t := reflect.TypeFor[Req](); len(body) == 0 && t.Kind() == reflect.Struct && t.NumField() == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&op.req); err != nil {
		return errMalformed // the decoder's own error repeats the body
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

func (op *operation[Req, Resp]) call(ctx context.Context, user idem.User, rec *recorder) error {
	resp, err := op.fn(ctx, user, op.req)
	if err != nil {
		return err
	}
	h := rec.Header()
	h.Set("Content-Type", "application/json")
	if own, ok := method[interface{ HTTPHeader() http.Header }](&resp); ok {
		for name, values := range own.HTTPHeader() {
			h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
	status, body, err := op.encode(&resp)
	rec.WriteHeader(status)
	if err == nil && hasBody(status) {
		_, err = rec.Write(body)
	}
	if err != nil {
		return errNotEncodable // also where it is too large: the function has returned, so it must not run again
	}
	return nil
}

func (op *operation[Req, Resp]) encode(resp *Resp) (status int, body []byte, err error) {
	status = http.StatusOK
	if own, ok := method[interface{ HTTPStatus() int }](resp); ok {
		status = own.HTTPStatus()
	}
	if status < 200 || status > 999 {
		return http.StatusOK, nil, errNotEncodable
	}
	if body, err = json.Marshal(resp); err != nil {
		return status, nil, errNotEncodable
	}
	return status, body, nil
}

// method finds the methods of a value and those of a pointer to it.
func method[I, Resp any](resp *Resp) (I, bool) {
	if own, ok := any(*resp).(I); ok {
		return own, true
	}
	own, ok := any(resp).(I)
	return own, ok
}

// pass runs the function for a request that the middleware lets pass.
func (m *Middleware) pass(w http.ResponseWriter, x Exchange, op typed) {
	r := x.Request
	user, err := m.userOf(x)
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	body, err := readAll(w, r, m.maxBody, nil)
	if err == nil {
		err = op.decode(body)
	}
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	rec := new(recorder)
	defer rec.discard()
	rec.begin(w.Header(), m.inMemory, m.spool, nil)
	switch err := op.call(r.Context(), user, rec); {
	case errors.Is(err, errNotEncodable):
		m.refuse(w, r, err)
		return
	case err != nil:
		m.writeFailure(rec, r, err)
	}
	rec.finish()
	if rec.fault != nil {
		m.refuse(w, r, rec.fault)
		return
	}
	rec.deliver(w, r.Method, nil)
}
