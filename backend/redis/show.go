package redisbackend

import (
	"encoding/base64"
	"math"
	"time"

	"github.com/idem-go/idem/backend"
)

// shown is a record as the script show tells it, and its token, which is shown to nobody.
type shown struct {
	backend.Record
	token backend.Token
}

// record reads the answer of the script show.
func (r reply) record(id backend.ID) (shown, error) {
	word, _ := r.text(0)
	switch {
	case r.list == nil && r.number == 0:
		return shown{}, nil
	case word == "corrupt":
		what, _ := r.text(1)
		return shown{}, corrupt(what)
	case len(r.list) != 14:
		return shown{}, errReply
	}
	p := parser{reply: r}
	s := shown{token: backend.Token(p.raw(2, len(backend.Token{})))}
	s.Ref = backend.NewRef(id, s.token)
	s.State = p.state(0)
	s.Fingerprint = backend.Fingerprint(p.raw(1, len(backend.Fingerprint{})))
	s.Attempt = int(p.between(3, 1, math.MaxInt32))
	s.Hold = p.text(4) == "1"
	since, lease, retention, left := p.integer(5), p.integer(6), p.integer(7), p.integer(8)
	s.Age = max(0, milli(since))
	switch s.State {
	case backend.Pending:
		s.LeaseLeft = milli(lease - since)
	case backend.Done:
		s.Age = age(retention, left)
	}
	s.ExpiresIn = max(0, milli(left))
	s.AnswerSize = int(p.between(9, 0, math.MaxInt32))
	s.Note, s.Guard, s.User, s.Key = p.text(10), p.text(11), p.text(12), p.text(13)
	return s, p.err
}

// parser reads the parts of a reply and keeps the first thing that is wrong.
type parser struct {
	reply
	err error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = corrupt(what)
	}
}

func (p *parser) text(i int) string {
	s, ok := p.reply.text(i)
	if !ok {
		p.fail("a text in it is none")
	}
	return s
}

// raw reads what text wrote; a slice of that length comes back in any case.
func (p *parser) raw(i, length int) []byte {
	b, err := base64.RawURLEncoding.DecodeString(p.text(i))
	if err != nil || len(b) != length {
		p.fail("its token or its fingerprint cannot be read")
		return make([]byte, length)
	}
	return b
}

func (p *parser) between(i int, low, high int64) int64 {
	n, ok := p.reply.integer(i)
	if !ok || n < low || n > high {
		p.fail("a number in it is none, or out of range")
		return low
	}
	return n
}

func (p *parser) integer(i int) int64 { return p.between(i, -longest, longest) }

func (p *parser) state(i int) backend.State {
	switch p.text(i) {
	case "pending":
		return backend.Pending
	case "done":
		return backend.Done
	case "unknown":
		return backend.Unknown
	}
	p.fail("its state is none of pending, done and unknown")
	return backend.Absent
}

// longest is how many milliseconds half of a time.Duration holds, so that a difference of two fits.
const longest = math.MaxInt64 / int64(time.Millisecond) / 2

func milli(ms int64) time.Duration {
	return time.Duration(min(max(ms, -2*longest), 2*longest)) * time.Millisecond
}

// matches reports whether a record is one of those that f selects.
func matches(r backend.Record, f backend.Filter) bool {
	return (f.Guard == "" || f.Guard == r.Guard) &&
		(f.User == "" || f.User == r.User) &&
		(f.State == backend.Absent || f.State == r.State) &&
		(f.OlderThan == 0 || r.Age > f.OlderThan)
}
