package resources

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/backend/redis"
	_ "github.com/idem-go/idem/drivers/mysql"
	_ "github.com/idem-go/idem/drivers/pgx"
	_ "github.com/idem-go/idem/drivers/sqlite"
)

// pool is how many connections a store may have for its calls.
const pool = 8

// place is where a store may be. Its connections are counted by the other side, past idem.
type place struct {
	name string

	// fresh names an empty place that goes when the test ends, and returns what counts its connections.
	fresh func(t *testing.T) (url string, conns func() int)

	// beside is how many there may be beside the pool's: that on which the end of records is heard, and go-redis's for
	// pipelines, which loads the scripts.
	beside int
}

var places = []place{
	{name: "sqlite", fresh: freshSQLite, beside: 2 * pool}, // a connection of SQLite has a file and a log open, and all share an index
	{name: "postgres", fresh: freshPostgres, beside: 1},
	{name: "mariadb", fresh: freshMariaDB},
	{name: "redis", fresh: freshRedis, beside: 2},
}

// eachPlace runs f on a store in every place, one after the other, and then looks at what is left when it is closed.
func eachPlace(t *testing.T, f func(t *testing.T, store backend.Store)) {
	t.Helper()
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			url, conns := p.fresh(t)
			before := goroutines()
			h, err := backend.Open(t.Context(), url)
			require.NoError(t, err)
			f(t, h.Store)
			used := conns()
			require.NotZero(t, used, "connections that are not seen while they are there prove nothing afterwards")
			require.LessOrEqual(t, used, pool+p.beside)
			require.NoError(t, h.Close())
			eventually(t, "connections", conns, 0)
			eventually(t, "goroutines", goroutines, before)
			runtime.KeepAlive(h) // what is garbage would be closed by the collector
		})
	}
}

func named(t *testing.T, variable string) *url.URL {
	t.Helper()
	server := os.Getenv(variable)
	if server == "" {
		t.Skip(variable + " names no server; ./test starts one")
	}
	at, err := url.Parse(server)
	require.NoError(t, err)
	return at
}

func freshName() string { return "idem_" + strings.ToLower(rand.Text()) }

// with returns at with parameters more.
func with(at *url.URL, parameters ...string) string {
	query := at.Query()
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	at.RawQuery = query.Encode()
	return at.String()
}

// freshSQLite counts the files that this process has open below a folder.
func freshSQLite(t *testing.T) (string, func() int) {
	t.Helper()
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("this system does not tell which files are open")
	}
	folder := t.TempDir()
	return "sqlite:" + filepath.Join(folder, "records.db") + "?synchronous=normal&conns=8", func() (n int) {
		open, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		for _, fd := range open {
			file, _ := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())) // it may be closed by now
			if strings.HasPrefix(file, folder) {
				n++
			}
		}
		return n
	}
}

func freshPostgres(t *testing.T) (string, func() int) {
	t.Helper()
	at := named(t, "IDEM_TEST_POSTGRES")
	admin, name := administer(t, "pgx", at.String()), freshName()
	require.NoError(t, exec(admin, `CREATE DATABASE `+name))
	t.Cleanup(func() { require.NoError(t, exec(admin, `DROP DATABASE `+name)) }) // fails if there are connections
	at.Path = "/" + name
	return with(at, "conns", "8"), counter(t, admin, `SELECT count(*) FROM pg_stat_activity WHERE datname = $1`, name)
}

func freshMariaDB(t *testing.T) (string, func() int) {
	t.Helper()
	at := named(t, "IDEM_TEST_MYSQL")
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User = "tcp", at.Host, at.User.Username()
	c.Passwd, _ = at.User.Password()
	admin, name := administer(t, "mysql", c.FormatDSN()), freshName()
	require.NoError(t, exec(admin, `CREATE DATABASE `+name))
	t.Cleanup(func() { require.NoError(t, exec(admin, `DROP DATABASE `+name)) })
	at.Path = "/" + name
	return with(at, "conns", "8"), counter(t, admin, `SELECT count(*) FROM information_schema.processlist WHERE db = ?`, name)
}

// administer opens a pool that the test keeps from its start, with one connection, so that it does not move the counts.
func administer(t *testing.T, driver, dsn string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.ConnectContext(t.Context(), driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func exec(db *sqlx.DB, statement string) error {
	_, err := db.ExecContext(context.Background(), statement)
	return err
}

func counter(t *testing.T, db *sqlx.DB, statement, name string) func() int {
	return func() (n int) {
		require.NoError(t, db.GetContext(t.Context(), &n, statement, name))
		return n
	}
}

// freshRedis tells its connections from those of others by their name.
func freshRedis(t *testing.T) (string, func() int) {
	t.Helper()
	at := named(t, "IDEM_TEST_REDIS")
	o, err := redis.ParseURL(at.String())
	require.NoError(t, err)
	o.PoolSize = 1
	admin, name := redis.NewClient(o), freshName()
	require.NoError(t, admin.Ping(t.Context()).Err())
	t.Cleanup(func() {
		var left error
		for all := admin.Scan(context.Background(), 0, name+":*", 1000).Iterator(); all.Next(context.Background()); {
			left = cmp.Or(left, admin.Del(context.Background(), all.Val()).Err())
		}
		require.NoError(t, errors.Join(left, admin.Close()))
	})
	return with(at, "prefix", name+":", "client_name", name, "pool_size", "8"), func() int {
		all, err := admin.ClientList(t.Context()).Result()
		require.NoError(t, err)
		return strings.Count(all, " name="+name+" ")
	}
}
