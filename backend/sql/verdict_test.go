package sqlbackend

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/idem-go/idem/backend"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	mine, theirs := backend.NewToken(), backend.NewToken()
	same, other := backend.NewFingerprint([]byte("a")), backend.NewFingerprint([]byte("b"))
	hour := time.Hour
	for name, test := range map[string]struct {
		row  *row
		hold bool
		move move
		want backend.Grant
	}{
		"T1 no record": {
			nil, false, claim, backend.Grant{Verdict: backend.Claimed, Attempt: 1},
		},
		"T10 another request, whatever else": {
			&row{fingerprint: other, state: backend.Pending, token: mine, left: -hour}, false, stay, backend.Grant{Verdict: backend.Mismatch},
		},
		"T9 an answer": {
			&row{fingerprint: same, state: backend.Done, token: theirs, attempt: 2, age: hour, expires: 2 * hour, answer: []byte("x")}, false,
			stay,
			backend.Grant{Verdict: backend.Replay, Answer: []byte("x"), Attempt: 2, Age: hour, RetentionLeft: 2 * hour},
		},
		"given up": {
			&row{fingerprint: same, state: backend.Unknown, token: mine, age: hour}, false, stay, backend.Grant{Verdict: backend.Held, Age: hour},
		},
		"T1' sent again": {
			&row{fingerprint: same, state: backend.Pending, token: mine, attempt: 3, left: hour}, false,
			stay,
			backend.Grant{Verdict: backend.Claimed, Attempt: 3},
		},
		"T1' sent again after the lease": {
			&row{fingerprint: same, state: backend.Pending, token: mine, attempt: 3, left: -hour, hold: true}, true,
			stay,
			backend.Grant{Verdict: backend.Claimed, Attempt: 3},
		},
		"T11 in flight": {
			&row{fingerprint: same, state: backend.Pending, token: theirs, attempt: 1, age: hour, left: 1}, true,
			stay,
			backend.Grant{Verdict: backend.InFlight, Age: hour, LeaseLeft: 1},
		},
		"T2 a lease that is just over": {
			&row{fingerprint: same, state: backend.Pending, token: theirs, attempt: 1}, false,
			takeOver,
			backend.Grant{Verdict: backend.Claimed, Attempt: 2},
		},
		"T3 the record holds": {
			&row{fingerprint: same, state: backend.Pending, token: theirs, hold: true}, false, abandon, backend.Grant{Verdict: backend.Held},
		},
		"T3 the claim holds": {
			&row{fingerprint: same, state: backend.Pending, token: theirs}, true, abandon, backend.Grant{Verdict: backend.Held},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, g := decide(test.row, &backend.Claim{Token: mine, Fingerprint: same, Hold: test.hold})
			if m != test.move || !reflect.DeepEqual(g, test.want) {
				t.Errorf("decide = %v, %+v; want %v, %+v", m, g, test.move, test.want)
			}
		})
	}
}

func TestARowIsCheckedBeforeItIsBelieved(t *testing.T) {
	t.Parallel()
	good := rawRow{token: make([]byte, 16), fingerprint: make([]byte, 33), state: 1, attempt: 1}
	if _, err := good.row(); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(*rawRow){
		"a short token":                func(r *rawRow) { r.token = r.token[1:] },
		"a long fingerprint":           func(r *rawRow) { r.fingerprint = make([]byte, 34) },
		"no state":                     func(r *rawRow) { r.state = 0 },
		"a state of a later version":   func(r *rawRow) { r.state = 4 },
		"no attempt":                   func(r *rawRow) { r.attempt = 0 },
		"an attempt beyond all bounds": func(r *rawRow) { r.attempt = math.MaxInt32 + 1 },
		"a hold that is no boolean":    func(r *rawRow) { r.hold = -1 },
	} {
		bad := good
		damage(&bad)
		if _, err := bad.row(); !errors.Is(err, backend.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	back := good
	back.age = -5
	if r, err := back.row(); err != nil || r.age != 0 {
		t.Errorf("after the clock was set back a row has the age %v, %v", r.age, err)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, -time.Millisecond: -1, math.MaxInt64: 9223372036855,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%d) = %d, want %d", d, got, want)
		}
	}
	for ms, want := range map[int64]time.Duration{1: time.Millisecond, -1: -time.Millisecond, math.MaxInt64: 9223372036854 * time.Millisecond} {
		if got := duration(ms); got != want {
			t.Errorf("duration(%d) = %d, want %d", ms, got, want)
		}
	}
}
