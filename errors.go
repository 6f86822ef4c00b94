package idem

import (
	"errors"
	"fmt"
	"time"

	"github.com/idem-go/idem/backend"
)

// The errors of a call. All are matched with errors.Is; those that carry more are matched with errors.As too. CodeOf
// gives one stable word for each. None of them ever repeats a key, a user, a request, an answer or a token.
var (
	// ErrMissingKey, ErrInvalidKey, ErrMissingUser and ErrInvalidUser: the call was refused before the store was touched,
	// except where the store's foreign key does not know the user (ErrInvalidUser).
	ErrMissingKey  = errors.New("idem: the idempotency key is missing")
	ErrInvalidKey  = errors.New("idem: the idempotency key is invalid")
	ErrMissingUser = errors.New("idem: the user is missing")
	ErrInvalidUser = errors.New("idem: the user is invalid")

	// ErrInvalidRequest: the request cannot be fingerprinted, because a part of it would not be seen. The text names the
	// field and its type. Nothing was stored.
	ErrInvalidRequest = errors.New("idem: the request cannot be fingerprinted")

	// ErrMismatch: the key was used before for another request. Use a new key. See MismatchError.
	ErrMismatch = errors.New("idem: the key was used for another request")

	// ErrInFlight: another attempt holds a live claim. Retry with the same key later. See InFlightError.
	ErrInFlight = errors.New("idem: the first attempt is still running")

	// ErrUnknownOutcome: an attempt ended without an answer and its effect may have happened. It will not be run again;
	// an operator resolves it (Guard.Release, Op.Resolve). Do not retry with a new key before that.
	ErrUnknownOutcome = errors.New("idem: the outcome of an earlier attempt is unknown")

	// ErrLeaseLost: this attempt was taken over, so its own answer does not count. Retry with the same key. It is also
	// the cause on fn's context.
	ErrLeaseLost = errors.New("idem: the claim was lost to another attempt")

	// ErrMaxRun is the cause on fn's context when one attempt has run for longer than MaxRun.
	ErrMaxRun = errors.New("idem: the attempt ran for longer than MaxRun")

	// ErrNotStored: fn ran but its outcome could not be stored in time. Where fn succeeded the value is still returned
	// beside it. The record is then as after a crash: under Rerun a retry may run fn again, under Hold it becomes
	// unknown. See NotStoredError.
	ErrNotStored = errors.New("idem: the answer could not be stored")

	// ErrAnswerNotKept: it was done, but its answer was not kept (too large, or it could not be encoded). Do not send
	// it again.
	ErrAnswerNotKept = errors.New("idem: it was done, but the answer was not kept")

	// ErrReentrant: fn called Do on its own record. Use another guard, or ChildKey.
	ErrReentrant = errors.New("idem: fn called its own record; use another guard or ChildKey")

	// ErrCorrupt: a stored record cannot be read. It is never run again and never overwritten.
	ErrCorrupt = backend.ErrCorrupt

	// ErrVersion: a stored record is newer than this library, or its answer was written by another codec. It is never
	// decoded, run again or overwritten.
	ErrVersion = backend.ErrVersion

	// ErrUnavailable: the store did not answer, and fn was not run. Retry with the same key.
	ErrUnavailable = errors.New("idem: the store did not answer")

	// ErrCommitUnknown: COMMIT was sent and it is not known whether it took effect. Retry with the same key.
	ErrCommitUnknown = backend.ErrCommitUnknown

	// ErrConflict: the database gave other transactions precedence. In JoinTx: roll yours back and repeat it. From DoTx,
	// which has repeated it already: nothing happened; retry with the same key.
	ErrConflict = backend.ErrConflict

	// ErrWrongGuarantee: Do was called on a Tx guard, or DoTx or JoinTx on another.
	ErrWrongGuarantee = errors.New("idem: the call does not fit the guard's guarantee")

	// ErrNoTransactions: the guard's store offers no transactions, or not of the type that was asked for.
	ErrNoTransactions = errors.New("idem: the store does not offer this transaction")

	// ErrUnsupported: the guard's store cannot do what the operator asked for.
	ErrUnsupported = backend.ErrUnsupported

	// ErrNotFound: there is no such record, or not any more in the state that was shown.
	ErrNotFound = errors.New("idem: there is no such record")
)

// MismatchError says that the key was used before for another request. It tells nothing about that request.
type MismatchError struct{}

func (*MismatchError) Error() string { return ErrMismatch.Error() }

// Unwrap makes errors.Is(err, ErrMismatch) true.
func (*MismatchError) Unwrap() error { return ErrMismatch }

// InFlightError says that another attempt holds a live claim, and when to ask again.
type InFlightError struct {
	// RetryAfter is as long as the first attempt has run so far, at least a second and at most what is left of its
	// lease or 30 seconds, in whole seconds.
	RetryAfter time.Duration
}

func (e *InFlightError) Error() string {
	return fmt.Sprintf("%v; retry with the same key after %v", ErrInFlight, e.RetryAfter)
}

// Unwrap makes errors.Is(err, ErrInFlight) true.
func (*InFlightError) Unwrap() error { return ErrInFlight }

// NotStoredError says that fn ran and that its outcome could not be stored.
type NotStoredError struct {
	// Err is the store's last error.
	Err error
	// FnErr is what fn returned, where it returned an error that was to be kept or held.
	FnErr error
}

func (e *NotStoredError) Error() string {
	if e.FnErr != nil {
		return fmt.Sprintf("%v: %v (fn: %v)", ErrNotStored, e.Err, e.FnErr)
	}
	return fmt.Sprintf("%v: %v", ErrNotStored, e.Err)
}

// Unwrap makes errors.Is true for ErrNotStored, the store's error and fn's.
func (e *NotStoredError) Unwrap() []error {
	errs := []error{ErrNotStored, e.Err}
	if e.FnErr != nil {
		errs = append(errs, e.FnErr)
	}
	return errs
}

// FinalError is a stored error as it replays, where no ErrorCodec makes a typed one of it. The first caller gets it
// too, so that he cannot match what later callers could not.
type FinalError struct{ Message string }

func (e *FinalError) Error() string { return e.Message }

// OptionError says which option is wrong, and why.
type OptionError struct{ Option, Reason string }

func (e *OptionError) Error() string { return "idem: option " + e.Option + ": " + e.Reason }

func optionError(option, format string, args ...any) error {
	return &OptionError{Option: option, Reason: fmt.Sprintf(format, args...)}
}

// Code is one stable word for an error of this package. Adapters map it to their protocol; none maps errors itself.
type Code string

// The codes. CodeNone stands for no error, CodeOther for an error that is not this package's: fn's own.
const (
	CodeNone            Code = ""
	CodeOther           Code = "other"
	CodeMissingKey      Code = "missing_key"
	CodeInvalidKey      Code = "invalid_key"
	CodeMissingUser     Code = "missing_user"
	CodeInvalidUser     Code = "invalid_user"
	CodeInvalidRequest  Code = "invalid_request"
	CodeMismatch        Code = "mismatch"
	CodeInFlight        Code = "in_flight"
	CodeUnknownOutcome  Code = "unknown_outcome"
	CodeLeaseLost       Code = "lease_lost"
	CodeMaxRun          Code = "max_run"
	CodeNotStored       Code = "not_stored"
	CodeAnswerNotKept   Code = "answer_not_kept"
	CodeReentrant       Code = "reentrant"
	CodeCorrupt         Code = "corrupt"
	CodeVersion         Code = "version"
	CodeUnavailable     Code = "unavailable"
	CodeCommitUnknown   Code = "commit_unknown"
	CodeConflict        Code = "conflict"
	CodeWrongGuarantee  Code = "wrong_guarantee"
	CodeNoTransactions  Code = "no_transactions"
	CodeUnsupported     Code = "unsupported"
	CodeNotFound        Code = "not_found"
	CodeInvalidOption   Code = "invalid_option"
	CodeContextCanceled Code = "canceled"
)

// codes is in order: the first match counts, so what carries another error in itself comes first.
var codes = []struct {
	err  error
	code Code
}{
	{ErrNotStored, CodeNotStored},
	{ErrCommitUnknown, CodeCommitUnknown},
	{ErrConflict, CodeConflict},
	{ErrLeaseLost, CodeLeaseLost},
	{ErrMaxRun, CodeMaxRun},
	{ErrMissingKey, CodeMissingKey},
	{ErrInvalidKey, CodeInvalidKey},
	{ErrMissingUser, CodeMissingUser},
	{ErrInvalidUser, CodeInvalidUser},
	{ErrInvalidRequest, CodeInvalidRequest},
	{ErrMismatch, CodeMismatch},
	{ErrInFlight, CodeInFlight},
	{ErrUnknownOutcome, CodeUnknownOutcome},
	{ErrAnswerNotKept, CodeAnswerNotKept},
	{ErrReentrant, CodeReentrant},
	{ErrCorrupt, CodeCorrupt},
	{ErrVersion, CodeVersion},
	{ErrUnavailable, CodeUnavailable},
	{ErrWrongGuarantee, CodeWrongGuarantee},
	{ErrNoTransactions, CodeNoTransactions},
	{ErrUnsupported, CodeUnsupported},
	{ErrNotFound, CodeNotFound},
}

// CodeOf returns the code of err: CodeNone for nil, CodeOther for an error that does not come from this package.
// It is a pure function and safe for concurrent use.
func CodeOf(err error) Code {
	if err == nil {
		return CodeNone
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	var option *OptionError
	if errors.As(err, &option) {
		return CodeInvalidOption
	}
	if isContextError(err) {
		return CodeContextCanceled
	}
	return CodeOther
}
