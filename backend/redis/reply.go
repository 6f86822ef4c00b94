package redisbackend

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/idem-go/idem/backend"
)

// reply is what a script answers: a number where that says all, a text for a stored answer, else a list of which the first
// is a word.
type reply struct {
	number int64
	stored string
	list   []any
}

var errReply = errors.New("the server answered something that no script of this library does")

// newReply takes the answer to a command apart. What a script says of a record that it cannot read is an error.
func newReply(answer any, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	switch answer := answer.(type) {
	case int64:
		return reply{number: answer}, nil
	case string:
		if strings.HasPrefix(answer, format) {
			return reply{stored: answer}, nil
		}
	case []any:
		if len(answer) > 0 {
			r := reply{list: answer}
			return r, r.unread()
		}
	}
	return reply{}, errReply
}

// unread is the error of a record that a script could not read.
func (r reply) unread() error {
	word, _ := r.text(0)
	what, _ := r.text(1)
	switch word {
	case "corrupt":
		return corrupt(what)
	case "unread":
		if err := ours(what); err != nil {
			return err
		}
		return errReply
	}
	return nil
}

func (r reply) text(i int) (string, bool) {
	if i >= len(r.list) {
		return "", false
	}
	s, ok := r.list[i].(string)
	return s, ok
}

func (r reply) integer(i int) (int64, bool) {
	if i >= len(r.list) {
		return 0, false
	}
	n, ok := r.list[i].(int64)
	return n, ok
}

// span reads milliseconds. Less than none, from a clock that was set back, is none.
func (r reply) span(i int) (time.Duration, bool) {
	ms, ok := r.integer(i)
	return max(0, milli(ms)), ok
}

// begun is what Begin's script says.
func begun(r reply, err error) (backend.Grant, error) {
	if err == nil && r.number > 0 {
		return backend.Grant{Verdict: backend.Claimed, Attempt: int(r.number)}, nil
	}
	return told(r, err)
}

// ended is what every other transition's script says.
func ended(r reply, err error) (backend.Grant, error) {
	switch {
	case err != nil || r.list != nil || r.stored != "":
		return told(r, err)
	case r.number == 1:
		return backend.Grant{Verdict: backend.Kept}, nil
	case r.number == 0:
		return backend.Grant{Verdict: backend.Lost}, nil
	}
	return backend.Grant{}, errReply
}

// told reads a list, or a stored answer.
func told(r reply, err error) (backend.Grant, error) {
	switch {
	case err != nil:
		return backend.Grant{}, err
	case r.stored != "":
		return replayed(r.stored)
	}
	word, _ := r.text(0)
	switch word {
	case "mismatch":
		return backend.Grant{Verdict: backend.Mismatch}, nil
	case "kept":
		return r.kept()
	case "held":
		age, ok := r.span(1)
		return whole(ok, backend.Grant{Verdict: backend.Held, Age: age})
	case "in flight":
		age, ok := r.span(1)
		left, ok2 := r.span(2)
		return whole(ok && ok2, backend.Grant{Verdict: backend.InFlight, Age: age, LeaseLeft: left})
	}
	return backend.Grant{}, errReply
}

// kept reads a record with the answer that was stored before.
func (r reply) kept() (backend.Grant, error) {
	raw, ok := r.text(1)
	if !ok {
		return backend.Grant{}, errReply
	}
	stored, err := parse(raw, len(raw))
	if err != nil {
		return backend.Grant{}, err
	}
	return backend.Grant{Verdict: backend.Kept, Answer: []byte(stored.answer)}, nil
}

// replayed reads a record with its answer, and what is left of the retention. The age of the answer is what is not left.
func replayed(text string) (backend.Grant, error) {
	const digits = 14
	if len(text) < head+digits {
		return backend.Grant{}, corrupt("it is too short")
	}
	raw := text[:len(text)-digits]
	left, err := strconv.ParseInt(text[len(raw):], 10, 64)
	if err != nil {
		return backend.Grant{}, errReply
	}
	stored, err := parse(raw, len(raw))
	if err != nil {
		return backend.Grant{}, err
	}
	return backend.Grant{
		Verdict: backend.Replay, Attempt: int(stored.attempt), Age: age(stored.retention, left), RetentionLeft: max(0, milli(left)),
		Answer: []byte(stored.answer),
	}, nil
}

// age is how long ago an answer was stored. One whose expiry somebody took away has none.
func age(retention, left int64) time.Duration {
	if left < 0 {
		return 0
	}
	return max(0, milli(retention-left))
}

// whole is a grant all of whose parts could be read.
func whole(ok bool, g backend.Grant) (backend.Grant, error) {
	if !ok {
		return backend.Grant{}, errReply
	}
	return g, nil
}
