package memtest

import (
	"math"
	"time"
)

// instant is a time on the store's clock: nanoseconds since start. It is a third of a time.Time, without a pointer, and
// is read in half the time.
type instant int64

// start is read by the monotonic clock alone. Inside of a testing/synctest bubble all instants are shifted alike.
var start = time.Now()

// never is the end of what does not end.
const never instant = math.MaxInt64

// add returns the instant d later, and one before never where that is too far.
func (t instant) add(d time.Duration) instant {
	if d > 0 && t > never-1-instant(d) {
		return never - 1
	}
	return t + instant(d)
}

func (t instant) since(earlier instant) time.Duration { return time.Duration(t - earlier) }
