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
	case word == "lost":
		return shown{}, nil
	case word == "corrupt":
		what, _ := r.text(1)
		return shown{}, corrupt(what)
	case word != "kept" || len(r) != 14:
		return shown{}, errReply
	}
	p := parser{reply: r}
	s := shown{token: backend.Token(p.raw(3, len(backend.Token{})))}
	s.Ref = backend.NewRef(id, s.token)
	s.State = p.state(1)
	s.Fingerprint = backend.Fingerprint(p.raw(2, len(backend.Fingerprint{})))
	s.Attempt = int(p.between(4, 1, math.MaxInt32))
	s.Age = max(0, p.span(5))
	left, hold, expires := p.span(6), p.text(7) == "1", p.span(8)
	s.Hold = hold
	if s.State == backend.Pending {
		s.LeaseLeft = left
	}
	if expires > 0 {
		s.ExpiresIn = expires
	}
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
	if !ok && p.err == nil {
		p.err = errReply
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
	n, ok := p.number(i)
	if !ok || n < low || n > high {
		p.fail("a number in it is out of range")
		return low
	}
	return n
}

func (p *parser) span(i int) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(p.between(i, -most, most)) * time.Millisecond
}

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

// matches reports whether a record is one of those that f selects.
func matches(r backend.Record, f backend.Filter) bool {
	return (f.Guard == "" || f.Guard == r.Guard) &&
		(f.User == "" || f.User == r.User) &&
		(f.State == backend.Absent || f.State == r.State) &&
		(f.OlderThan == 0 || r.Age > f.OlderThan)
}
