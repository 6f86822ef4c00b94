package itest

import (
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	mysqldriver "github.com/idem-go/idem/drivers/mysql"
	pgxdriver "github.com/idem-go/idem/drivers/pgx"
	pqdriver "github.com/idem-go/idem/drivers/pq"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// network is a server that is reached with one driver, and whose network can fail.
type network struct {
	name     string
	protocol proxy.Protocol
	fresh    func(t *testing.T) (at string)                                // a storage of the test's own
	prepare  func(t *testing.T, at string)                                 // makes in it what a call needs
	reach    func(t *testing.T, at, through string, conns int) *connection // goes there through an address

	// transacts says that the storage has transactions.
	transacts bool

	// deaf says that a driver waits for the server even when its context has ended: a call that the network has
	// swallowed returns when the operating system gives the connection up, and not before.
	deaf bool
}

// connection is a way to a server: a pool, and what stands on it.
type connection struct {
	store   backend.Store
	effects effects
	doTx    txCall
	inUse   func() int
	cool    func() // nil, or closes what is idle
}

// networks are what every test of faults of the network runs on.
var networks = append(sqlNetworks(), network{name: "redis", protocol: proxy.Redis, fresh: freshRedis, prepare: func(*testing.T, string) {}, reach: reachRedis})

// sqlNetworks are the servers and drivers whose stores have such options.
func sqlNetworks(opts ...sqlbackend.Option) []network {
	return []network{
		sqlNetwork("postgres by pgx", proxy.Postgres, freshPostgres, pgxdriver.Dialect(), sqlx.DOLLAR, func(at string) (*sqlx.DB, error) {
			return sqlx.Open("pgx", at)
		}, opts...),
		deafNetwork(sqlNetwork("postgres by lib/pq", proxy.Postgres, freshPostgres, pqdriver.Dialect(), sqlx.DOLLAR, func(at string) (*sqlx.DB, error) {
			return sqlx.Open("postgres", at)
		}, opts...)),
		sqlNetwork("mariadb", proxy.MySQL, freshMariaDB, mysqldriver.Dialect(), sqlx.QUESTION, besideMariaDB, opts...),
	}
}

func deafNetwork(n network) network {
	n.deaf = true
	return n
}

func sqlNetwork(name string, protocol proxy.Protocol, fresh func(*testing.T) string, dialect sqlbackend.Dialect, bind int,
	dial func(string) (*sqlx.DB, error), opts ...sqlbackend.Option,
) network {
	open := func(t *testing.T, at string, conns int) *sqlx.DB {
		t.Helper()
		db, err := dial(at)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return db
	}
	return network{
		name: name, protocol: protocol, fresh: fresh, transacts: true,
		prepare: func(t *testing.T, at string) {
			db := open(t, at, 1)
			require.NoError(t, sqlEffects{on: db, bind: bind}.create(t.Context()))
			require.NoError(t, sqlbackend.Migrate(t.Context(), db, dialect))
		},
		reach: func(t *testing.T, at, through string, conns int) *connection {
			db := open(t, elsewhere(t, at, through), conns)
			store, err := sqlbackend.New(t.Context(), db, dialect, opts...)
			require.NoError(t, err)
			return &connection{
				store: store, effects: sqlEffects{on: db, bind: bind}, doTx: sqlDoTx(bind),
				inUse: func() int { return db.Stats().InUse },
				cool: func() {
					db.SetMaxIdleConns(0)
					db.SetMaxIdleConns(conns)
				},
			}
		},
	}
}

func reachRedis(t *testing.T, at, through string, conns int) *connection {
	t.Helper()
	beside, prefix, err := besideRedis(elsewhere(t, at, through))
	require.NoError(t, err)
	o := *beside.Options()
	require.NoError(t, beside.Close())
	o.ContextTimeoutEnabled, o.PoolSize, o.MaxRetries = true, conns, -1 // the engine sends again what may be sent again
	o.DialerRetries = 1
	client := redis.NewClient(&o)
	store, err := redisbackend.New(t.Context(), client, redisbackend.Prefix(prefix+":"))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, store.Close())
		require.NoError(t, client.Close())
	})
	return &connection{
		store: store, effects: redisEffects{on: client, list: prefix + ".effects"},
		inUse: func() int { s := client.PoolStats(); return int(s.TotalConns) - int(s.IdleConns) },
	}
}

// elsewhere is a URL with another host.
func elsewhere(t *testing.T, at, host string) string {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	u.Host = host
	return u.String()
}

func eachNetwork(t *testing.T, f func(t *testing.T, n network)) {
	t.Helper()
	eachOf(t, networks, f)
}

func eachOf(t *testing.T, networks []network, f func(t *testing.T, n network)) {
	t.Helper()
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			f(t, n)
		})
	}
}

// stories are those that can be told on the network.
func (n network) stories() (all []story) {
	for _, s := range stories {
		if n.transacts || s.guarantee != idem.Tx {
			all = append(all, s)
		}
	}
	return all
}

// far is a worker behind a proxy, with a small pool, and beside it a witness whom no fault meets.
type far struct {
	*worker
	n       network
	at      string
	proxy   *proxy.Proxy
	pool    *connection // the worker's way to the server
	beside  *connection // past the proxy
	witness *worker
	grace   time.Duration // in which a client whom no fault meets must come to an end
}

// connsEach is how many connections a worker may have.
const connsEach = 2

// distant opens a storage of its own for a worker behind a proxy and for a witness. Guards have a lease that no busy
// machine outlasts, unless an option says otherwise.
func (n network) distant(t *testing.T, opts ...idem.GuardOption) *far {
	t.Helper()
	f := &far{n: n, at: n.fresh(t), grace: time.Second}
	n.prepare(t, f.at)
	f.beside = n.reach(t, f.at, f.server(t), 10)
	f.witness = f.work(t, f.beside)
	return f.another(t, opts...)
}

func (f *far) server(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(f.at)
	require.NoError(t, err)
	return net.JoinHostPort(u.Hostname(), u.Port())
}

// another is a worker on the same storage with a proxy and a pool of its own.
func (f *far) another(t *testing.T, opts ...idem.GuardOption) *far {
	t.Helper()
	other := *f
	other.proxy = proxy.Start(t, f.server(t), f.n.protocol)
	other.pool = f.n.reach(t, f.at, other.proxy.Addr(), connsEach)
	other.worker = f.work(t, other.pool, opts...)
	return &other
}

// work makes a worker whose effects outside transactions take the way past the proxy.
func (f *far) work(t *testing.T, on *connection, opts ...idem.GuardOption) *worker {
	t.Helper()
	s := &site{store: on.store, staged: on.store, effects: f.beside.effects, doTx: on.doTx, close: func() error { return nil }}
	w, err := newWorker(s, on.store, time.Minute, opts...)
	require.NoError(t, err)
	return w
}

// idle waits until the worker has given all connections back.
func (f *far) idle(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return f.pool.inUse() == 0 }, patience, time.Millisecond, "a connection is not given back")
}
