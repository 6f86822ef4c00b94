package sqlbackend

import (
	"fmt"
	"math"
	"time"

	"github.com/idem-go/idem/backend"
)

// never is the expires_at of a record that stays until somebody resolves it.
const never int64 = math.MaxInt64

// row is a record that has not expired, as the transitions see it.
type row struct {
	token       backend.Token
	fingerprint backend.Fingerprint
	state       backend.State
	hold        bool
	attempt     int
	age         time.Duration // since it entered its state
	left        time.Duration // of the lease; not above zero once it is over
	expires     time.Duration // in so long
	answer      []byte
}

// lookColumns are what scanRow reads.
const lookColumns = `token, fingerprint, state, hold, attempt, {now} - since, lease_until - {now}, expires_at - {now}, answer`

func scanRow(s scanner) (*row, error) {
	var r rawRow
	if err := s.Scan(&r.token, &r.fingerprint, &r.state, &r.hold, &r.attempt, &r.age, &r.left, &r.expiry, &r.answer); err != nil {
		return nil, err
	}
	return r.row()
}

// rawRow is what stands in the table, before it is believed.
type rawRow struct {
	token, fingerprint, answer              []byte
	state, hold, attempt, age, left, expiry int64
}

func (r *rawRow) row() (*row, error) {
	switch {
	case len(r.token) != len(backend.Token{}):
		return nil, corrupt("its token has a wrong length")
	case len(r.fingerprint) != len(backend.Fingerprint{}):
		return nil, corrupt("its fingerprint has a wrong length")
	case r.state < int64(backend.Pending) || r.state > int64(backend.Unknown):
		return nil, corrupt(fmt.Sprintf("its state is %d", r.state))
	case r.hold != 0 && r.hold != 1 || r.attempt < 1 || r.attempt > math.MaxInt32:
		return nil, corrupt("its hold or its attempt is out of range")
	}
	return &row{
		token:       backend.Token(r.token),
		fingerprint: backend.Fingerprint(r.fingerprint),
		state:       backend.State(r.state),
		hold:        r.hold == 1,
		attempt:     int(r.attempt),
		age:         max(0, duration(r.age)), // a clock that was set back
		left:        duration(r.left),
		expires:     duration(r.expiry),
		answer:      r.answer,
	}, nil
}

// under reports whether r is in the given state under token.
func (r *row) under(state backend.State, token backend.Token) bool {
	return r != nil && r.state == state && r.token == token
}

func (r *row) replay() backend.Grant {
	return backend.Grant{Verdict: backend.Replay, Answer: r.answer, Attempt: r.attempt, Age: r.age, RetentionLeft: r.expires}
}

// milliseconds rounds up: a lease is never shorter than what was asked for.
func milliseconds(d time.Duration) int64 {
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return int64(ms)
}

func duration(ms int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}
