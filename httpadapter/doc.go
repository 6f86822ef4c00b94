// Package httpadapter makes the handlers of net/http safe to retry, and so those of every router that is built on it.
//
//	m, err := httpadapter.New(guard, userOf)
//	mux.Handle("POST /orders", m.Wrap(orders))
//
// A client sends a key of its own choice in the header Idempotency-Key and sends the same key at every retry. The first
// request runs the handler and its answer is stored; later ones get that answer, with the header Idempotent-Replayed,
// from any process. The same key with another request is 422, with one that is still being processed 409.
//
// The header is that of draft-ietf-httpapi-idempotency-key-header-07, which expired in April 2026: it is not an RFC. Its
// key is a string in double quotes; the bare value, which many clients send, names the same key (see [Strict]).
//
// # Where it stands
//
// After authentication, since [UserFunc] says whose key it is; before everything that reads the body, since the body is
// a part of what is compared. A body that was read before is refused with 500 where that can be seen ([ErrBodyRead]); for
// a chunked one it cannot. What sets headers for every answer, such as a CORS handler, stands outside: it then does so
// on replays too.
//
// The user must be an id that is never given to somebody else, not an e-mail address. Where users belong to tenants the
// user is idem.Scope(tenant, user): a Host header is no part of a record.
//
// # What is the same request
//
// Method, path and query as they were sent, media type, content coding and body. Names in the query may change places.
// A JSON body compares by its meaning, with every number as it was written; every other body compares byte for byte, so
// the retry of a multipart form must have the same boundary. The record itself belongs to guard, user and key: a key that
// is used again on another route is 422, unless that route has a guard of its own or [PerRoute].
//
// # What is stored
//
// A handler writes into a buffer. When it returns, its answer is stored, and only then does the client get it, with all
// its headers. A replay has the same status, the same body and the headers that [ReplayHeaders] names; it never has a
// cookie. [Disposition] says which answers are kept: by default not 5xx, nor those 4xx that speak of the moment; a handler
// may [Decide] about its own. An answer larger than idem.MaxResult goes to the first client alone; later ones are told,
// with 409 and its status, that it was done. Until its client gets it, it waits in a file ([SpoolDir], [MaxAnswer]).
//
// So a guarded handler cannot stream: http.NewResponseController(w).Flush is http.ErrNotSupported, as is Hijack;
// informational answers (1xx) and trailers are dropped. What streams, or upgrades the connection, is not for guarded
// routes.
//
// # When things go wrong
//
// The handler's context is detached from the client: it keeps its values and goes on when the client hangs up or
// http.TimeoutHandler gives up, so that the answer is there for the retry. It ends when the claim is lost to another
// attempt or idem.MaxRun is over. A panic passes through, and the next request runs again. Where the store does not
// answer the handler does not run, and the client gets 503.
//
// Refusals are problems (RFC 9457) with a stable code, and with a detail that says what to do next; [StatusOf] lists which
// status each one has, [ProblemWriter] gives them another form. Handlers that call idem.Do or idem.DoTx themselves, as
// those under the guarantee Tx must, use [KeyOf] and [WriteError].
//
// # What clients must be told
//
// The draft wants a server to publish that a key is needed, what makes it unique and when it expires. The method OpenAPI
// of a [Middleware] makes a document of that, and of all refusals, from the options that are in force.
//
// # Shutdown
//
// Since handlers outlive their clients, http.Server.Shutdown comes first: it waits for them, except for those that an
// http.TimeoutHandler gave up on, which a sync.WaitGroup has to count. Then end the context of Guard.RunPruner, and close
// the store last. A process that is killed before that leaves its claims to their leases.
package httpadapter
