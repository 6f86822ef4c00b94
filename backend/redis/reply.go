package redisbackend

import (
	"errors"
	"time"

	"github.com/idem-go/idem/backend"
)

// reply is what a script answers: a word, and what belongs to it.
type reply []any

var errReply = errors.New("the server answered something that no script of this library does")

func (r reply) text(i int) (string, bool) {
	if i >= len(r) {
		return "", false
	}
	s, ok := r[i].(string)
	return s, ok
}

func (r reply) number(i int) (int64, bool) {
	if i >= len(r) {
		return 0, false
	}
	n, ok := r[i].(int64)
	return n, ok
}

// span is a number of milliseconds. An age below zero, from a clock that was set back, is none.
func (r reply) span(i int) (time.Duration, bool) {
	ms, ok := r.number(i)
	return max(0, time.Duration(ms)*time.Millisecond), ok
}

// grant reads what a transition answered.
func (s *Store) grant(r reply, err error) (backend.Grant, error) {
	if err != nil {
		return backend.Grant{}, err
	}
	word, _ := r.text(0)
	read, known := readers[word]
	if !known {
		return backend.Grant{}, errReply
	}
	g, ok, err := read(r)
	if err == nil && !ok {
		err = errReply
	}
	return g, err
}

// readers read what follows each word.
var readers = map[string]func(reply) (g backend.Grant, ok bool, err error){
	"claimed": func(r reply) (backend.Grant, bool, error) {
		attempt, ok := r.number(1)
		return backend.Grant{Verdict: backend.Claimed, Attempt: int(attempt)}, ok, nil
	},
	"replay": func(r reply) (backend.Grant, bool, error) {
		attempt, ok := r.number(1)
		age, ok2 := r.span(2)
		answer, ok3 := r.text(3)
		return backend.Grant{Verdict: backend.Replay, Attempt: int(attempt), Age: age, Answer: []byte(answer)}, ok && ok2 && ok3, nil
	},
	"mismatch": func(reply) (backend.Grant, bool, error) {
		return backend.Grant{Verdict: backend.Mismatch}, true, nil
	},
	"in flight": func(r reply) (backend.Grant, bool, error) {
		age, ok := r.span(1)
		left, ok2 := r.span(2)
		return backend.Grant{Verdict: backend.InFlight, Age: age, LeaseLeft: left}, ok && ok2, nil
	},
	"held": func(r reply) (backend.Grant, bool, error) {
		age, ok := r.span(1)
		return backend.Grant{Verdict: backend.Held, Age: age}, ok, nil
	},
	"kept": func(r reply) (backend.Grant, bool, error) {
		g := backend.Grant{Verdict: backend.Kept}
		if answer, stored := r.text(1); stored {
			g.Answer = []byte(answer)
		}
		return g, true, nil
	},
	"lost": func(reply) (backend.Grant, bool, error) {
		return backend.Grant{Verdict: backend.Lost}, true, nil
	},
	"corrupt": func(r reply) (backend.Grant, bool, error) {
		what, ok := r.text(1)
		return backend.Grant{}, ok, corrupt(what)
	},
}
