package idem

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/canon"
)

// Fingerprint tells whether two requests are the same request. See backend.NewFingerprint for making one by hand.
type Fingerprint = backend.Fingerprint

// Fingerprinter is a request that says itself what counts when it is compared: what IdemFingerprint returns is
// fingerprinted instead of the request.
type Fingerprinter interface{ IdemFingerprint() any }

// FingerprintBy says what of a request counts when it is compared: what project returns is fingerprinted instead of the
// request. Req must be the request type of the call; another one is an *OptionError that names both.
func FingerprintBy[Req any](project func(Req) any) CallOption {
	return callOption(func(s *settings) error {
		if project == nil {
			return optionError("FingerprintBy", "the function is nil")
		}
		s.project = &projection{
			from: reflect.TypeFor[Req](),
			apply: func(req any) any {
				typed, _ := req.(Req) // a nil interface value is the zero Req
				return project(typed)
			},
		}
		return nil
	})
}

type projection struct {
	from  reflect.Type
	apply func(req any) any
}

// fits says whether the projection was made for requests of type req.
func (p *projection) fits(req reflect.Type) error {
	if p.from != req {
		return optionError("FingerprintBy", "it was made for requests of type %v, the call's are %v", p.from, req)
	}
	return nil
}

// fingerprint returns the fingerprint of a typed request: its operation and the JSON of what counts in it.
func fingerprint[Req any](s *settings, req Req) (Fingerprint, error) {
	var what any = req
	if s.project != nil {
		if err := s.project.fits(reflect.TypeFor[Req]()); err != nil {
			return Fingerprint{}, err
		}
		what = s.project.apply(req)
	} else if f, ok := what.(Fingerprinter); ok {
		what = f.IdemFingerprint()
	}
	bytes, err := canon.Typed(what)
	if err != nil {
		return Fingerprint{}, invalidRequest(err)
	}
	return backend.NewFingerprint([]byte("go"), []byte(s.operation), bytes), nil
}

// checkRequest says at start-up what a call would say later about its request type.
func checkRequest[Req any](s *settings) error {
	t := reflect.TypeFor[Req]()
	if s.project != nil {
		return s.project.fits(t)
	}
	if t.Implements(reflect.TypeFor[Fingerprinter]()) {
		return nil
	}
	if err := canon.Check(t); err != nil {
		return invalidRequest(err)
	}
	return nil
}

func invalidRequest(err error) error {
	return fmt.Errorf("%w: %w; tag what does not count with `idem:\"-\"`, or use FingerprintBy", ErrInvalidRequest, err)
}

var errNoAttempt = errors.New("idem: ctx does not come from a running attempt; pass on the context that fn was given")
