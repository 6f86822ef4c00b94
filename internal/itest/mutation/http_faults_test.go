package mutation

// overHTTP is httpadapter.
var overHTTP = table{module: ".", pkg: "httpadapter", faults: []fault{
	{
		name:    "HTTP: the client is answered before the answer is stored",
		file:    "httpadapter/exchange.go",
		right:   "	x.rec.finish()\n",
		wrong:   "	x.rec.finish()\n	x.rec.deliver(x.w, x.r.Method, nil)\n",
		foundBy: []string{"TestTheAnswerIsStoredBeforeTheClientGetsIt"},
	},
	{
		name:    "HTTP: a large answer is sent before it is stored",
		file:    "httpadapter/exchange.go",
		right:   "	if x.rec.spooled() {\n",
		wrong:   "	if x.rec.spooled() {\n		x.rec.deliver(x.w, x.r.Method, nil)\n",
		foundBy: []string{"TestALargeAnswerIsCommittedBeforeItsClientGetsIt"},
	},
	{
		name:    "HTTP: all users share a key",
		file:    "httpadapter/exchange.go",
		right:   `User:        x.user,`,
		wrong:   `User:        "everybody",`,
		foundBy: []string{"TestAKeyBelongsToItsUser"},
	},
	{
		name:    "HTTP: the handler's context is its client's",
		file:    "httpadapter/exchange.go",
		right:   `r := x.request(ctx)`,
		wrong:   `r := x.request(x.r.Context())`,
		foundBy: []string{"TestTheHandlersContextIsDetachedAndKeepsItsValues"},
	},
	{
		name:    "HTTP: a handler that fails keeps its key",
		file:    "httpadapter/disposition.go",
		right:   `case status < http.StatusInternalServerError:`,
		wrong:   `case true:`,
		foundBy: []string{"TestTheStatusSaysWhatIsKept"},
	},
	{
		name:    "HTTP: a 5xx under Hold runs again",
		file:    "httpadapter/disposition.go",
		right:   `case m.guard.Guarantee() == idem.Hold:`,
		wrong:   `case false:`,
		foundBy: []string{"TestUnderHoldServerErrorsAreHeldAndRefusalsReleased"},
	},
	{
		name:    "HTTP: a refusal that speaks of the moment is kept",
		file:    "httpadapter/disposition.go",
		right:   "		http.StatusTooManyRequests:\n		return idem.Release",
		wrong:   "		http.StatusTooManyRequests:\n		return idem.Keep",
		foundBy: []string{"TestTheStatusSaysWhatIsKept"},
	},
	{
		name:    "HTTP: the method does not count",
		file:    "httpadapter/fingerprint.go",
		right:   `[]byte("http"), []byte(r.Method),`,
		wrong:   `[]byte("http"),`,
		foundBy: another("another method"),
	},
	{
		name:    "HTTP: the path does not count",
		file:    "httpadapter/fingerprint.go",
		right:   `[]byte(path), []byte(sortQuery(query)),`,
		wrong:   `[]byte(path[:0]), []byte(sortQuery(query)),`,
		foundBy: another("another path", "a path written in another way"),
	},
	{
		name:    "HTTP: the query does not count",
		file:    "httpadapter/fingerprint.go",
		right:   `[]byte(sortQuery(query)),`,
		wrong:   `[]byte(sortQuery(query)[:0]),`,
		foundBy: another("another query"),
	},
	{
		name:    "HTTP: the body does not count",
		file:    "httpadapter/fingerprint.go",
		right:   `[]byte(form), body)`,
		wrong:   `[]byte(form), body[:0])`,
		foundBy: another("another amount"),
	},
	{
		name:    "HTTP: parts are joined without their lengths",
		file:    "backend/id.go",
		right:   `buf = binary.BigEndian.AppendUint64(buf, uint64(len(p)))`,
		wrong:   ``,
		foundBy: another("a query and a media type that move"),
	},
	{
		name:    "HTTP: numbers are compared in their first 15 digits, as floating point does",
		file:    "internal/canon/literal.go",
		right:   `r.out = append(r.out, src[r.pos:i]...)`,
		wrong:   `r.out = append(r.out, src[r.pos:min(i, r.pos+15)]...)`,
		foundBy: another("integers that a float64 cannot hold"),
	},
	{
		name:    "HTTP: a body that was read before counts as empty",
		file:    "httpadapter/body.go",
		right:   `case int64(len(body)) < r.ContentLength:`,
		wrong:   `case false:`,
		foundBy: []string{"TestABodyThatWasReadBeforeIsRefused"},
	},
	{
		name:    "HTTP: cookies are replayed",
		file:    "httpadapter/answer.go",
		right:   `if replayed.has(name) {`,
		wrong:   `if true {`,
		foundBy: []string{"TestAHeaderThatIsNoLongerAllowedIsNotReplayed"},
	},
	{
		name:    "HTTP: a stored answer that is cut short is read",
		file:    "httpadapter/answer.go",
		right:   `return a, !b.bad && b.rest == "" && (hasBody(a.status) || len(a.body) == 0)`,
		wrong:   `return a, true`,
		foundBy: []string{"TestBytesThatAreNoAnswerAreRefused"},
	},
	{
		name:    "HTTP: an attempt that was taken over gives its own answer",
		file:    "httpadapter/exchange.go",
		right:   `case err == nil && out.Replayed:`,
		wrong:   `case err == nil && out.Replayed && x.recording == nil:`,
		foundBy: []string{"TestAnAttemptThatWasTakenOverGivesTheStoredAnswer"},
	},
	{
		name:    "HTTP: what was done and is not kept is sent as done",
		file:    "httpadapter/exchange.go",
		right:   `return x.buried(a)`,
		wrong:   `a.Disposition = idem.Release; return a`,
		foundBy: []string{"TestAnAnswerThatCannotBeHeldWasDone"},
	},
	{
		name:    "HTTP: a panic of the handler is swallowed",
		file:    "httpadapter/exchange.go",
		right:   `defer x.discard()`,
		wrong:   `defer func() { _ = recover(); x.discard() }()`,
		foundBy: []string{"TestPanicsPassAndTheNextRequestRuns"},
	},
	{
		name: "HTTP: a handler's write reaches the client after it returned",
		file: "httpadapter/recorder.go",
		right: `	if rec.closed {
		return ErrHandlerReturned
	}`,
		wrong:   ``,
		foundBy: []string{"TestAWriteAfterTheHandlerReturnedChangesNothing"},
	},
	{
		name:    "HTTP: a nested middleware claims again",
		file:    "httpadapter/middleware.go",
		right:   `if x.m.guard == m.guard && x.is(r) {`,
		wrong:   `if false {`,
		foundBy: []string{"TestMiddlewareInsideMiddlewareOfTheSameGuardPasses"},
	},
}}

// another are requests that are not the same.
func another(cases ...string) []string { return under("TestAnotherRequestIsAMismatch", cases) }
