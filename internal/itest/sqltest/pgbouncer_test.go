package sqltest

import (
	"maps"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// pgbouncerVariable names a PgBouncer in transaction mode in front of the server of postgresVariable.
const pgbouncerVariable = "IDEM_TEST_PGBOUNCER"

// pooled is the same place through PgBouncer. Its table is made directly, and has its schema's name, since PgBouncer
// refuses connections that ask for a search_path.
func pooled(tb testing.TB, p *place) *place {
	tb.Helper()
	bouncer := os.Getenv(pgbouncerVariable)
	if bouncer == "" {
		tb.Skipf("NOT TESTED: %s names no PgBouncer in front of %s", pgbouncerVariable, postgresVariable)
	}
	p.open(tb)
	other := *p
	other.direct, other.own = p, []sqlbackend.Option{sqlbackend.WithoutPrepare()}
	other.at, other.table = bouncer, p.params["search_path"]+"."+p.table
	other.params = maps.Clone(p.params)
	delete(other.params, "search_path")
	return &other
}

// around is the place without its pooler.
func (p *place) around() *place {
	if p.direct != nil {
		return p.direct
	}
	return p
}

// mode is a setting of a driver that a pooler needs.
type mode struct {
	via         *via
	name, value string
}

var modes = []mode{
	{viaPGX, "default_query_exec_mode", "exec"},
	{viaPQ, "binary_parameters", "yes"},
	{viaPGX, "default_query_exec_mode", "simple_protocol"},
	{viaPGX, "default_query_exec_mode", "cache_describe"},
}

// oneOfEach has a mode of each driver.
var oneOfEach = modes[:2]

// inModes runs f as a parallel subtest through PgBouncer in every mode.
func inModes(t *testing.T, modes []mode, f func(t *testing.T, p *place)) {
	t.Helper()
	t.Parallel()
	for _, m := range modes {
		t.Run(m.via.name+", "+m.value, func(t *testing.T) {
			t.Parallel()
			f(t, pooled(t, m.via.fresh(t, m.via).with(m.name, m.value)))
		})
	}
}

// A pooler must not cost a round trip.
func TestRoundTripsThroughPgBouncer(t *testing.T) {
	inModes(t, modes, func(t *testing.T, p *place) {
		b := p.bench(t)
		b.walk("prepares", false, trips{})
		b.walk("counts", true, trips{over: 2, told: 1, tx: 5, replay: 3, again: 2})
	})
}

// A listener on the pool's own data source takes LISTEN and hears nothing: a call that waits must not rely on it.
func TestThroughPgBouncerAListenerIsNotBelieved(t *testing.T) {
	inModes(t, oneOfEach, func(t *testing.T, p *place) {
		_, store := p.open(t)
		require.Contains(t, listenerFound(t, store), "hears nothing")
		c := claimOf("key")
		begins(t, store, c, backend.Claimed)
		_, _, err := store.Watch(t.Context(), c.ID)
		require.ErrorContains(t, err, "hears nothing")
	})
}

func TestThroughPgBouncerAWaiterIsTold(t *testing.T) {
	inModes(t, oneOfEach, func(t *testing.T, p *place) {
		here := p.direct.shop(t, idem.Rerun)
		there := p.shop(t, idem.Rerun, p.via.on(postgresURL(p.direct)))
		there.listens()
		o := here.order("order")
		told := there.waits(o.key)
		there.marked(1)
		o.finish()
		require.NoError(t, <-o.ended)
		<-told
	})
}
