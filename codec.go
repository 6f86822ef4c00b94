package idem

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/idem-go/idem/backend"
)

// Codec turns answers into bytes and back. Its methods may be called concurrently. Its name is stored beside every
// answer; an answer that was written by a codec of another name is ErrVersion and never decoded, so a changed format
// needs a new name, and the old codec must serve for one more retention.
type Codec interface {
	// Name is 1 to 64 bytes and never changes.
	Name() string
	// Encode returns v as bytes. An error makes the record a tombstone.
	Encode(v any) ([]byte, error)
	// Decode reads data into the value that into points at. It must not keep data.
	Decode(data []byte, into any) error
}

// Tombstoner is a Codec that can say in a few bytes what is worth keeping of an answer that cannot be stored whole. They
// come back beside ErrAnswerNotKept, in Outcome.Payload. More than 4 KiB are not kept.
type Tombstoner interface{ Tombstone(v any) []byte }

// maxTombstone is the most bytes of a tombstone's payload.
const maxTombstone = 4 << 10

// codecFault says why a codec failed, in words that hold nothing of the answer. What the codec itself said may repeat it,
// as encoding/json does, and is left out.
func codecFault(doing string, c Codec, v any, err error) error {
	var (
		badType   *json.UnmarshalTypeError
		badSyntax *json.SyntaxError
		noType    *json.UnsupportedTypeError
	)
	where := ""
	switch {
	case errors.As(err, &badType):
		where = fmt.Sprintf(": field %q does not fit %v", badType.Field, badType.Type)
	case errors.As(err, &badSyntax):
		where = fmt.Sprintf(": syntax at byte %d", badSyntax.Offset)
	case errors.As(err, &noType):
		where = fmt.Sprintf(": %v", noType.Type)
	}
	return fmt.Errorf("idem: the codec %q failed %s %T%s (%T)", c.Name(), doing, v, where, err)
}

// WithCodec replaces the JSON codec.
func WithCodec(c Codec) Option {
	return option(func(s *settings) error {
		if c == nil {
			return optionError("WithCodec", "the codec is nil")
		}
		if err := checkCodecName("WithCodec", c.Name()); err != nil {
			return err
		}
		s.codec = c
		return nil
	})
}

// ErrorCodec turns errors that are kept into bytes and back into typed errors, so that errors.Is and errors.As work on a
// replay as on the first answer. Its methods may be called concurrently.
type ErrorCodec interface {
	// Name is 1 to 64 bytes and never changes.
	Name() string
	// Encode returns err as bytes. ok is false for an error that it does not know: its text is kept, as without a codec.
	Encode(err error) (data []byte, ok bool)
	// Decode returns the error that data stands for, never nil.
	Decode(data []byte) (decoded error, err error)
}

// WithErrorCodec sets how errors that are kept are stored.
func WithErrorCodec(c ErrorCodec) Option {
	return option(func(s *settings) error {
		if c == nil {
			return optionError("WithErrorCodec", "the codec is nil")
		}
		if err := checkCodecName("WithErrorCodec", c.Name()); err != nil {
			return err
		}
		s.errorCodec = c
		return nil
	})
}

func checkCodecName(option, name string) error {
	if name == "" || len(name) > maxCodecName {
		return optionError(option, "the codec's name has %d bytes, it must have 1 to %d", len(name), maxCodecName)
	}
	return nil
}

// encodeError returns the payload of an error that is kept: the name of the codec that made it, empty for plain text,
// after its length; then the codec's bytes.
func (s *settings) encodeError(err error) []byte {
	name, data := "", []byte(err.Error())
	if s.errorCodec != nil {
		if encoded, ok := s.errorCodec.Encode(err); ok {
			name, data = s.errorCodec.Name(), encoded
		}
	}
	payload := make([]byte, 0, 1+len(name)+len(data))
	payload = append(payload, byte(len(name)))
	payload = append(payload, name...)
	return append(payload, data...)
}

// decodeError returns the error that a payload of encodeError stands for, or why it cannot be read.
func (s *settings) decodeError(payload []byte) error {
	if len(payload) == 0 || len(payload) < 1+int(payload[0]) {
		return fmt.Errorf("%w: a stored error is cut short", ErrCorrupt)
	}
	name, data := string(payload[1:1+payload[0]]), payload[1+payload[0]:]
	if name == "" {
		return &FinalError{Message: string(data)}
	}
	if s.errorCodec == nil || s.errorCodec.Name() != name {
		return fmt.Errorf("%w: a stored error needs the error codec %q", backend.ErrVersion, name)
	}
	decoded, err := s.errorCodec.Decode(data)
	if err != nil {
		return fmt.Errorf("%w: the error codec %q failed (%T)", ErrCorrupt, name, err)
	}
	if decoded == nil {
		return fmt.Errorf("%w: the error codec %q decoded a nil error", ErrCorrupt, name)
	}
	return decoded
}
