package redisbackend

import (
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
	raw, ok := r.text(1)
	long, ok2 := r.integer(2)
	left, ok3 := r.integer(3)
	now, ok4 := r.integer(4)
	switch {
	case r.list == nil && r.number == 0:
		return shown{}, nil
	case word != "record" || !ok || !ok2 || !ok3 || !ok4:
		return shown{}, errReply
	}
	stored, err := parse(raw, int(long))
	switch {
	case err != nil:
		return shown{}, err
	case stored.state == pending && !stored.hold && left < 0:
		return shown{}, corrupt("its expiry is gone")
	}
	s := stored.show(id, left, now)
	s.AnswerSize = int(long) - stored.size()
	return s, nil
}

// show is what a record looks like that expires in so many milliseconds, by that clock.
func (r *record) show(id backend.ID, left, now int64) shown {
	s := shown{token: r.token, Record: backend.Record{
		Ref: backend.NewRef(id, r.token), Guard: r.guard, User: r.user, Key: r.key, Note: r.note,
		Fingerprint: r.fingerprint, Attempt: int(r.attempt), Hold: r.hold, ExpiresIn: max(0, milli(left)),
	}}
	switch {
	case r.state == done:
		s.State, s.Age = backend.Done, age(r.retention, left)
	case r.state == unknown:
		s.State, s.Age = backend.Unknown, max(0, milli(now-r.since))
	case r.hold:
		s.State, s.Age, s.LeaseLeft = backend.Pending, max(0, milli(now-r.since)), milli(r.since+r.lease-now)
	default:
		rest := left - r.retention
		s.State, s.Age, s.LeaseLeft = backend.Pending, max(0, milli(r.since+r.lease-rest)), milli(rest)
	}
	return s
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
