// Package ginadapter makes the handlers of gin safe to retry.
//
//	m, err := ginadapter.New(guard, userOf)
//	r.POST("/orders", m.Handler(), placeOrder)
//
// It is glue between gin.Context and httpadapter.Middleware: package httpadapter says what is the same request, what is
// stored, replayed and refused, and its options are this package's. This page says what is gin's own.
//
// # Where it stands
//
// After authentication, since [UserFunc] says whose request it is; before everything that reads the body. A binder that ran
// earlier (ShouldBindJSON, ShouldBindBodyWith, GetRawData, PostForm) is refused with 500 where it can be seen, which is
// everywhere but for a chunked body. Behind the middleware all binders work, since the handler's request has the whole
// body. What sets headers for every answer, such as CORS, stands outside. So does gin.Recovery: a panic passes through, and
// the next request runs again. A Recovery inside turns the panic into an answer, which is treated like any other 500.
//
// # Errors
//
// What turns Context.Errors into an answer should stand inside, between the middleware and the handler, so that its answer
// is the one that is stored. Where it stands outside, a handler that calls Context.Error and neither writes nor sets a
// status has said nothing that could be stored: the key is released (held under idem.Hold), the status is set to 500, and
// what stands outside may write the rest. A status alone, as in Context.Status(204), is an answer.
//
// # The context
//
// While the handler runs, Context.Request is the attempt's: its context is detached from the client and carries
// idem.AttemptFrom and [UserOf]. Context.Writer records. Flush does nothing, since an answer must be stored before any of
// it is sent; http.ResponseController says http.ErrNotSupported, Hijack is an error and Pusher is nil, and a channel of
// CloseNotify never fires. Afterwards both are what they were. When the answer came from the store, or is a refusal, no
// handler behind the middleware has run, and the context is aborted: middleware further out finds nothing of what a
// handler leaves in Context.Keys and Context.Errors.
//
// gin gives a context to another request as soon as its handlers have returned. So middleware that answers a slow request
// and leaves its handler running, on a goroutine of its own, is not for guarded routes, whose handlers do not end with
// their client: bound them with idem.MaxRun, or put http.TimeoutHandler around the engine, which waits for no handler and
// shares no context.
//
// gin.Engine.HandleContext gives the request back gin's own writer, around the recording, so under the middleware it
// panics. What streams (Context.Stream, Context.SSEvent) is sent in one piece when it is complete; long streams are not
// for guarded routes.
//
// # Versions
//
// Works with gin 1.7.7 and later; the tests run with 1.7.7 and with 1.12.0.
package ginadapter
