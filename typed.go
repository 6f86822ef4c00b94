package idem

import (
	"context"
	"errors"
	"fmt"
)

// typedCall is the generic skin over Exec: it turns one request and one answer into bytes and back.
type typedCall[Resp any] struct {
	s           *settings
	fingerprint Fingerprint

	slot Slot // so that a call has one allocation fewer

	value   Resp // what fn returned
	decoded Resp // its copy through the codec: what the first caller gets, as later ones do
	copied  bool
}

func newTypedCall[Req, Resp any](s *settings, req Req, hasFn bool) (*typedCall[Resp], error) {
	if !hasFn {
		return nil, optionError("fn", "the function is nil")
	}
	fp, err := fingerprint(s, req)
	if err != nil {
		return nil, err
	}
	return &typedCall[Resp]{s: s, fingerprint: fp}, nil
}

func (t *typedCall[Resp]) call(key Key, user User, run func(context.Context) Answer) *Call {
	return &Call{Key: key, User: user, Fingerprint: t.fingerprint, Codec: t.s.codec.Name(), Run: run}
}

// answer encodes what fn returned.
func (t *typedCall[Resp]) answer(value Resp, err error) Answer {
	if err != nil {
		d := t.s.disposition(err)
		if d != Keep {
			return Answer{Err: err, Disposition: d}
		}
		return Answer{Err: err, Disposition: Keep, Payload: t.s.encodeError(err)}
	}
	t.value = value
	answer := Answer{Disposition: Keep}
	if small, ok := t.s.codec.(Tombstoner); ok {
		answer.Tombstone = small.Tombstone(value)
	}
	if answer.Payload, answer.notEncodable = t.encode(value); answer.notEncodable != nil {
		answer.Payload, answer.TombstoneOnly = nil, true
	}
	return answer
}

// encode returns value as bytes, having seen that they can be read back.
func (t *typedCall[Resp]) encode(value Resp) ([]byte, error) {
	payload, err := t.s.codec.Encode(value)
	if err != nil {
		return nil, codecFault("to encode", t.s.codec, value, err)
	}
	if err := t.s.codec.Decode(payload, &t.decoded); err != nil {
		return nil, codecFault("to decode", t.s.codec, value, err)
	}
	t.copied = true
	return payload, nil
}

// result decodes what Exec returned.
func (t *typedCall[Resp]) result(out Outcome, err error) (Result[Resp], error) {
	res := Result[Resp]{Replayed: out.Replayed, Attempt: out.Attempt, Age: out.Age, Kept: out.Kept}
	switch {
	case err != nil && !errors.Is(err, ErrNotStored):
		return res, err
	case out.Kind == KindError:
		if err != nil {
			return res, err
		}
		return res, t.s.decodeError(out.Payload)
	case !out.Replayed:
		res.Value = t.own()
		return res, err
	}
	var none Resp
	t.decoded = none // a stale owner's own answer may have been there
	if err := t.s.codec.Decode(out.Payload, &t.decoded); err != nil {
		return res, fmt.Errorf("%w: %w", ErrCorrupt, codecFault("to decode", t.s.codec, none, err))
	}
	res.Value = t.decoded
	return res, nil
}

// own is the value that this call's fn returned.
func (t *typedCall[Resp]) own() Resp {
	if t.copied {
		return t.decoded
	}
	return t.value
}
