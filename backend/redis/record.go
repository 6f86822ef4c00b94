package redisbackend

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
)

// record is one as it stands in Redis, one string: a head whose parts have fixed places and lengths, then guard, user, key
// and note, and last the answer. All but the answer is text, numbers are decimal and filled up with zeros, so that GET shows
// it to a person, scripts cut it with string.sub, and what does not change its length is written with SETRANGE.
type record struct {
	state        byte // pending, done or unknown
	token        backend.Token
	fingerprint  backend.Fingerprint
	hold, waited bool
	attempt      int64
	lease        int64 // ms: of a claim that holds after since, of another one since its last renewal
	retention    int64 // ms: of a done record that of its answer, else that of the claim
	// since is, of a claim that holds and of an unknown record, its beginning in ms since 1970 on the server's clock; of any
	// other claim how many ms old it was at its last renewal. Of an answer it says nothing.
	since                          int64
	guard, user, key, note, answer string
}

// format begins a record. Its last character is the version: a record of another one is refused, not misread.
const format = "idem1"

// The states of a record.
const (
	pending = 'p'
	done    = 'd'
	unknown = 'u'
)

// part is where something stands in the head.
type part struct{ at, end int }

// The parts of the head, in their order. The scripts know them by their names, see words.
var (
	partFormat      = part{0, 5}
	partState       = part{5, 6}
	partToken       = part{6, 28}
	partFingerprint = part{28, 72}
	partHold        = part{72, 73}
	partWaited      = part{73, 74}
	partAttempt     = part{74, 84}
	partLease       = part{84, 98}
	partRetention   = part{98, 112}
	partSince       = part{112, 126}
	partGuard       = part{126, 135} // this one and the next three: lengths
	partUser        = part{135, 144}
	partKey         = part{144, 153}
	partSize        = part{153, head} // of all but the answer
)

// head is how long the head is.
const head = 162

// longest text: what a length has digits for.
const longestText = 999_999_999

// names are the parts as scripts call them: NAME stands for the two numbers that string.sub takes, NAME_AT for the first
// and NAME_END for the second.
var names = map[string]part{
	"FORMAT": partFormat, "STATE": partState, "TOKEN": partToken, "FINGERPRINT": partFingerprint, "HOLD": partHold,
	"WAITED": partWaited, "ATTEMPT": partAttempt, "LEASE": partLease, "RETENTION": partRetention, "SINCE": partSince,
	"GUARD": partGuard, "USER": partUser, "KEY": partKey, "SIZE": partSize,
	"CLAIM": {0, partToken.end}, // format, state and token in one: whose it is
	"HEAD":  {0, head},
}

// words are what scripts call by a name: the parts, the format, and with what a record of a state begins.
var words = regexp.MustCompile(`\b[A-Z]+(_AT|_END)?\b`)

// spelled puts the numbers of the layout into a script, so that they stand here alone.
func spelled(script string) string {
	return words.ReplaceAllStringFunc(script, func(word string) string {
		switch word {
		case "IDEM":
			return "'" + format + "'"
		case "PENDING", "DONE", "UNKNOWN":
			return "'" + format + strings.ToLower(word[:1]) + "'"
		}
		name, is := strings.CutSuffix(word, "_AT")
		if p, ok := names[name]; ok && is {
			return strconv.Itoa(p.at + 1)
		}
		name, is = strings.CutSuffix(word, "_END")
		p, ok := names[name]
		switch {
		case !ok:
			return word
		case is:
			return strconv.Itoa(p.end)
		}
		return fmt.Sprintf("%d, %d", p.at+1, p.end)
	})
}

// text is how tokens and fingerprints stand in a record.
var text = base64.RawURLEncoding.Strict()

// claimOf is with what the record of a claim begins, in a state.
func claimOf(state byte, token backend.Token) string {
	var room [28]byte
	return string(text.AppendEncode(append(append(room[:0], format...), state), token[:]))
}

// appendTo puts the record together.
func (r *record) appendTo(to []byte) []byte {
	to = append(append(to, format...), r.state)
	to = text.AppendEncode(to, r.token[:])
	to = text.AppendEncode(to, r.fingerprint[:])
	to = append(to, flag(r.hold), flag(r.waited))
	to = appendNumber(to, partAttempt, r.attempt)
	to = appendNumber(to, partLease, r.lease)
	to = appendNumber(to, partRetention, r.retention)
	to = appendNumber(to, partSince, r.since)
	to = appendNumber(to, partGuard, int64(len(r.guard)))
	to = appendNumber(to, partUser, int64(len(r.user)))
	to = appendNumber(to, partKey, int64(len(r.key)))
	to = appendNumber(to, partSize, int64(r.size()))
	to = append(append(append(to, r.guard...), r.user...), r.key...)
	return append(append(to, r.note...), r.answer...)
}

// size is how long all but the answer is.
func (r *record) size() int { return head + len(r.guard) + len(r.user) + len(r.key) + len(r.note) }

func flag(b bool) byte {
	if b {
		return '1'
	}
	return '0'
}

// appendNumber fills a part. Less than none is none.
func appendNumber(to []byte, p part, n int64) []byte {
	at, n := len(to), max(0, n)
	to = append(to, "00000000000000"[:p.end-p.at]...)
	for i := len(to) - 1; i >= at; i-- {
		to[i] = byte('0' + n%10)
		n /= 10
	}
	return to
}

// parse takes a record apart that is so long in all. Of raw, the answer may be missing.
func parse(raw string, long int) (record, error) {
	if err := ours(raw); err != nil {
		return record{}, err
	}
	if len(raw) < head {
		return record{}, corrupt("it is too short")
	}
	c := cutter{raw: raw}
	r := record{state: raw[partState.at]}
	c.decode(partToken, r.token[:])
	c.decode(partFingerprint, r.fingerprint[:])
	r.hold, r.waited = c.flag(partHold), c.flag(partWaited)
	r.attempt, r.lease, r.retention, r.since = c.number(partAttempt), c.number(partLease), c.number(partRetention), c.number(partSince)
	guard, user, key, size := c.number(partGuard), c.number(partUser), c.number(partKey), c.number(partSize)
	note := size - head - guard - user - key
	switch {
	case c.failed != "":
		return record{}, corrupt(c.failed)
	case r.state != pending && r.state != done && r.state != unknown:
		return record{}, corrupt("its state is none of pending, done and unknown")
	case r.attempt < 1 || r.attempt > math.MaxInt32:
		return record{}, corrupt("its attempt is out of range")
	case note < 0 || size > int64(len(raw)) || size > int64(long) || r.state != done && size != int64(long):
		return record{}, corrupt("its length is not what it says")
	}
	rest := raw[head:]
	for _, t := range []struct {
		is     *string
		length int64
	}{{&r.guard, guard}, {&r.user, user}, {&r.key, key}, {&r.note, note}} {
		*t.is, rest = rest[:t.length], rest[t.length:]
	}
	r.answer = rest
	return r, nil
}

// ours reports why a string is no record of this version.
func ours(raw string) error {
	switch {
	case strings.HasPrefix(raw, format):
		return nil
	case len(raw) >= len(format) && raw[:len(format)-1] == format[:len(format)-1]:
		return fmt.Errorf("%w: its format is not that of this version", backend.ErrVersion)
	}
	return corrupt("its key holds something else")
}

// cutter reads parts of a head and keeps the first thing that is wrong.
type cutter struct{ raw, failed string }

func (c *cutter) fail(what string) {
	if c.failed == "" {
		c.failed = what
	}
}

func (c *cutter) decode(p part, to []byte) {
	var room [64]byte
	n, err := text.Decode(room[:], append(room[:0], c.raw[p.at:p.end]...))
	if err != nil || copy(to, room[:n]) != len(to) {
		c.fail("its token or its fingerprint cannot be read")
	}
}

func (c *cutter) flag(p part) bool {
	is := c.raw[p.at]
	if is != '0' && is != '1' {
		c.fail("a mark in it is neither 0 nor 1")
	}
	return is == '1'
}

func (c *cutter) number(p part) (n int64) {
	for _, digit := range []byte(c.raw[p.at:p.end]) {
		if digit < '0' || digit > '9' {
			c.fail("a number in it is none")
		}
		n = 10*n + int64(digit-'0')
	}
	return n
}
