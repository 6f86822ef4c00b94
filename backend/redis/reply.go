package redisbackend

import (
	"errors"
	"strconv"
	"time"

	"github.com/idem-go/idem/backend"
)

// reply is what a script answers: a number where that says all, else a list of which the first is a word.
type reply struct {
	number int64
	list   []any // nil with a number
}

var errReply = errors.New("the server answered something that no script of this library does")

// newReply takes the answer to a command apart.
func newReply(answer any, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	switch answer := answer.(type) {
	case int64:
		return reply{number: answer}, nil
	case []any:
		if len(answer) > 0 {
			return reply{list: answer}, nil
		}
	}
	return reply{}, errReply
}

func (r reply) text(i int) (string, bool) {
	if i >= len(r.list) {
		return "", false
	}
	s, ok := r.list[i].(string)
	return s, ok
}

// integer reads a number, or a field that holds one.
func (r reply) integer(i int) (int64, bool) {
	if i >= len(r.list) {
		return 0, false
	}
	switch n := r.list[i].(type) {
	case int64:
		return n, true
	case string:
		parsed, err := strconv.ParseInt(n, 10, 64)
		return parsed, err == nil
	}
	return 0, false
}

// span reads milliseconds. Less than none, from a clock that was set back, is none.
func (r reply) span(i int) (time.Duration, bool) {
	ms, ok := r.integer(i)
	return max(0, milli(ms)), ok
}

// begun is what Begin's script says.
func begun(r reply, err error) (backend.Grant, error) {
	if err == nil && r.list == nil && r.number > 0 {
		return backend.Grant{Verdict: backend.Claimed, Attempt: int(r.number)}, nil
	}
	return told(r, err)
}

// ended is what every other transition's script says.
func ended(r reply, err error) (backend.Grant, error) {
	switch {
	case err != nil || r.list != nil:
		return told(r, err)
	case r.number == 1:
		return backend.Grant{Verdict: backend.Kept}, nil
	case r.number == 0:
		return backend.Grant{Verdict: backend.Lost}, nil
	}
	return backend.Grant{}, errReply
}

// told reads a list.
func told(r reply, err error) (backend.Grant, error) {
	if err != nil {
		return backend.Grant{}, err
	}
	word, _ := r.text(0)
	switch word {
	case "done":
		return r.replay()
	case "mismatch":
		return backend.Grant{Verdict: backend.Mismatch}, nil
	case "kept":
		answer, ok := r.text(1)
		return whole(ok, backend.Grant{Verdict: backend.Kept, Answer: []byte(answer)})
	case "held":
		age, ok := r.span(1)
		return whole(ok, backend.Grant{Verdict: backend.Held, Age: age})
	case "in flight":
		age, ok := r.span(1)
		left, ok2 := r.span(2)
		return whole(ok && ok2, backend.Grant{Verdict: backend.InFlight, Age: age, LeaseLeft: left})
	case "corrupt":
		what, _ := r.text(1)
		return backend.Grant{}, corrupt(what)
	}
	return backend.Grant{}, errReply
}

// replay reads a stored answer: state, attempt, retention, answer, and what is left of the retention. Its age is what is
// not left.
func (r reply) replay() (backend.Grant, error) {
	attempt, ok := r.integer(1)
	retention, ok2 := r.integer(2)
	answer, ok3 := r.text(3)
	left, ok4 := r.integer(4)
	if !(ok && ok2 && ok3 && ok4) {
		return backend.Grant{}, corrupt("a field of its answer is missing or cannot be read")
	}
	return backend.Grant{Verdict: backend.Replay, Attempt: int(attempt), Age: age(retention, left), Answer: []byte(answer)}, nil
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
