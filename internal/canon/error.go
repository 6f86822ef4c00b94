package canon

import (
	"errors"
	"reflect"
)

// ErrRequest is wrapped by every error of Typed and Check.
var ErrRequest = errors.New("canon: no bytes can stand for this request")

// Error says which part of a request cannot be fingerprinted, and why. Its text names types and fields, never a value.
type Error struct {
	Path   string // Go names from the request's type down: Order.Lines[].price
	Type   string // the type of what stands there
	Reason string
}

// Error returns path, type and reason in one line.
func (e *Error) Error() string { return e.Path + " (" + e.Type + "): " + e.Reason }

// Unwrap returns ErrRequest. What encoding/json or a method of the request said is left out: it may hold values.
func (*Error) Unwrap() error { return ErrRequest }

// longPath is where a path stops to grow at its upper end: a value that contains itself would make a long one.
const longPath = 200

func refuse(t reflect.Type, reason string) *Error {
	return &Error{Type: t.String(), Reason: reason}
}

// under returns e as it looks from one step further up. It copies, since the errors of a type are cached.
func (e *Error) under(step string) *Error {
	if e == nil || step == "" {
		return e
	}
	up := *e
	switch {
	case len(e.Path) < longPath:
		up.Path = step + e.Path
	case e.Path[0] != '~':
		up.Path = "~" + e.Path
	}
	return &up
}

// from returns e with the name of the request's type in front.
func (e *Error) from(t reflect.Type) error {
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	up := *e
	up.Path = t.Name() + e.Path
	if t.Name() == "" {
		up.Path = t.String() + e.Path
	}
	return &up
}
