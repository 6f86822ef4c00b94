package itest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/idem-go/idem/internal/itest/redisserver"
	"github.com/idem-go/idem/internal/itest/sqlserver"
	"github.com/idem-go/idem/internal/itest/wallclock"
)

// server is one that a test may kill.
type server interface {
	URL() string
	Kill()
	Restart()
}

// private is a backend on a server of a test's own, with settings under which what it acknowledges is on disk.
type private struct {
	system
	clock func(*wallclock.Clock) []string // what makes it go by a clock
	start func(t *testing.T, env ...string) server
	on    func(t *testing.T, server string) (url string)
}

var privates = []private{
	{postgresSystem, (*wallclock.Clock).Env, func(t *testing.T, env ...string) server { return sqlserver.Postgres(t, env...) }, freshOnPostgres},
	{mariadbSystem, (*wallclock.Clock).Env, func(t *testing.T, env ...string) server { return sqlserver.MariaDB(t, env...) }, freshOnMariaDB},
	{redisSystem, (*wallclock.Clock).BareEnv, func(t *testing.T, env ...string) server {
		return redisserver.StartIn(t, env, "appendonly yes", "appendfsync always")
	}, freshOnRedis},
}

// begin starts a server and makes a storage on it.
func (p private) begin(t *testing.T, env ...string) (server, storage) {
	t.Helper()
	on := p.start(t, env...)
	p.fresh = func(t *testing.T) string { return p.on(t, on.URL()) }
	return on, newStorage(t, p.system)
}

// outages is how often each server is killed, in a run that nothing multiplies.
const outages = 5

// The server dies while callers are at work, and comes back: what anybody was told is stored, and nobody is told
// anything else.
func TestAServerThatIsKilledLosesNoAcknowledgedAnswer(t *testing.T) {
	t.Parallel()
	for i, p := range privates {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			on, st := p.begin(t)
			l := st.startLoad(t)
			for range rounds(i, outages) {
				l.await(t, 50)
				<-time.After(rand.N(20 * time.Millisecond)) // nothing to wait for: any moment will do
				on.Kill()
				on.Restart()
				tally.on(p.name).outages.Add(1)
			}
			l.await(t, 50)
			tally.on(p.name).checked.Add(l.audit(t))
		})
	}
}
