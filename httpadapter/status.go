package httpadapter

import (
	"errors"
	"net/http"

	"github.com/idem-go/idem"
)

// The codes of refusals that only HTTP has.
const (
	CodeBodyTooLarge   idem.Code = "body_too_large"
	CodeBodyUnreadable idem.Code = "body_unreadable"
	CodeBodyMalformed  idem.Code = "body_malformed"
	CodeBodyRead       idem.Code = "body_already_read"
	CodeUserUnknown    idem.Code = "user_unavailable"
)

var (
	errMalformed = errors.New("httpadapter: the body is not the JSON that the operation takes")
	errNoUser    = errors.New("httpadapter: it could not be found out whose request it is")
)

// codeOf is idem.CodeOf with what only HTTP has.
func codeOf(err error) idem.Code {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return CodeBodyTooLarge
	case errors.Is(err, errUnreadable): // after the limit, whose error is one of reading too
		return CodeBodyUnreadable
	case errors.Is(err, errMalformed):
		return CodeBodyMalformed
	case errors.Is(err, ErrBodyRead):
		return CodeBodyRead
	case errors.Is(err, errNoUser):
		return CodeUserUnknown
	}
	return idem.CodeOf(err)
}

// StatusOf returns the HTTP status that stands for a code: one of this package, or of idem.CodeOf.
func StatusOf(code idem.Code) int { return refusalOf(code).status }

// refusal is how a code is answered.
type refusal struct {
	status int
	soon   bool // worth another try in a second
	title  string
	detail string // what to do next
}

func refusalOf(code idem.Code) refusal {
	if known, ok := refusals[code]; ok {
		return known
	}
	return internal
}

const (
	notProcessed = "The request was not processed. "
	sameKey      = "Retry with the same key."
	notAgain     = "Do not retry with a new key: reconcile first."
)

// internal is for what no client can do anything about.
var internal = refusal{500, false, "Internal Server Error", "The request failed. " + sameKey}

// refusals is the one place that gives codes their status; a code that is not here is internal. The titles of missing_key,
// mismatch and in_flight are those of draft-ietf-httpapi-idempotency-key-header-07, section 2.7. Where a client should
// come back by itself, when is added to the detail.
var refusals = map[idem.Code]refusal{
	idem.CodeMissingKey: {
		400, false, "Idempotency-Key is missing",
		"This operation needs the header %s: send the request again with a new key, and with that key at every retry.",
	},
	idem.CodeInvalidKey: {
		400, false, "Idempotency-Key is invalid",
		"The header %s does not hold a key%s. A key is 1 to 255 printable ASCII characters in double quotes. " +
			"Send the request again with one.",
	},
	idem.CodeMismatch: {
		422, false, "Idempotency-Key is already used",
		"The key was sent before with another request. Use a new key for a new request; a retry must equal the first request.",
	},
	idem.CodeInFlight: {
		409, false, "A request is outstanding for this Idempotency-Key",
		"The first request with this key is still being processed. ",
	},
	idem.CodeMissingUser: {401, false, "Authentication is needed", notProcessed + "Send it again with valid credentials."},
	idem.CodeInvalidUser: {401, false, "Authentication is needed", notProcessed + "Send it again with valid credentials."},
	CodeUserUnknown:      {503, true, "Authentication is not available", notProcessed},

	CodeBodyTooLarge: {
		413, false, "The body is too large",
		notProcessed + "Its body is larger than this operation takes: send a smaller one.",
	},
	CodeBodyUnreadable: {400, false, "The body could not be read", notProcessed + sameKey},
	CodeBodyMalformed: {
		400, false, "The body is malformed",
		notProcessed + "Its body is not the JSON that this operation takes: correct it and send it again.",
	},
	CodeBodyRead: {
		500, false, "The server is not set up correctly",
		notProcessed + "Its body was read before idem; place idem before what reads the body.",
	},
	idem.CodeUnknownOutcome: {
		409, false, "The outcome of an earlier request is unknown",
		"An earlier request with this key ended without an answer and may have taken effect. " + notAgain,
	},
	idem.CodeAnswerNotKept: {
		409, false, "The answer was not kept",
		"It was done: do not send it again. Its answer could not be kept.",
	},
	idem.CodeNotStored: {
		500, false, "The answer could not be stored",
		"The request was processed, but its answer could not be stored. Do not retry before it is known whether it took effect: " +
			"reconcile first.",
	},
	idem.CodeLeaseLost: {409, true, "Another attempt took over", "Another request with this key is being processed. "},
	idem.CodeMaxRun:    {503, true, "The request took too long", "The request was not finished in time. "},
	idem.CodeCommitUnknown: {
		503, true, "It is not known whether the request took effect",
		"The request took effect as a whole or not at all. ",
	},
	idem.CodeConflict:        {503, true, "Another request took precedence", notProcessed},
	idem.CodeUnavailable:     {503, true, "The service is not available", notProcessed},
	idem.CodeContextCanceled: {503, true, "The request was cancelled", "There was no answer in time. "},
	idem.CodeNotFound: {
		404, false, "There is no such record",
		"There is none under this key, or it has changed since it was shown: look it up again.",
	},
	idem.CodeCorrupt: {
		500, false, "The stored answer cannot be read",
		"An earlier request with this key was processed, but its answer cannot be read. " + notAgain,
	},
	idem.CodeVersion: {
		500, false, "The stored answer cannot be read",
		"An earlier request with this key was processed by another version of the service. " + sameKey,
	},
}
