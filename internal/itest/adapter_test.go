package itest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
	"github.com/idem-go/idem/httpadapter/adaptertest"
	"github.com/idem-go/idem/internal/itest/redisserver"
)

// adapters are the routers that the HTTP middleware is proved on, as adaptertest.Harness.Build.
var adapters = map[string]func(adaptertest.TB, adaptertest.Service) http.Handler{
	"ServeMux": func(_ adaptertest.TB, s adaptertest.Service) http.Handler {
		router := http.NewServeMux()
		router.Handle("/", idem.Must(httpadapter.New(s.Guard, s.User, s.Options...)).Wrap(s.Next))
		return router
	},
	"chi": func(_ adaptertest.TB, s adaptertest.Service) http.Handler {
		router := chi.NewRouter()
		router.With(idem.Must(httpadapter.New(s.Guard, s.User, s.Options...)).Wrap).HandleFunc("/*", s.Next)
		return router
	},
	"gin": func(_ adaptertest.TB, s adaptertest.Service) http.Handler {
		user := func(c *gin.Context) (idem.User, error) { return s.User(c.Request) }
		router := gin.New()
		router.Any("/*path", idem.Must(ginadapter.New(s.Guard, user, s.Options...)).Handler(), func(c *gin.Context) {
			s.Next(c.Writer, c.Request)
		})
		return router
	},
}

func init() { gin.SetMode(gin.ReleaseMode) } // which prints nothing

// clocks say, for every system, how its time is moved: what a clock going forward does to a record is done by moving every
// time in the storage back.
var clocks = map[string]func(t *testing.T, url string) (forward func(ctx context.Context, d time.Duration) error){
	"sqlite": func(t *testing.T, url string) func(context.Context, time.Duration) error {
		db, err := openBeside(url)
		return sqlClock(t, db, err, `UPDATE idem_records SET since = since - ?1, lease_until = lease_until - ?1, expires_at = expires_at - ?1`)
	},
	"postgres": func(t *testing.T, url string) func(context.Context, time.Duration) error {
		db, err := sqlx.Open("pgx", url)
		return sqlClock(t, db, err, `UPDATE idem_records SET since = since - $1, lease_until = lease_until - $1,
expires_at = CASE WHEN expires_at = 9223372036854775807 THEN expires_at ELSE expires_at - $1 END`)
	},
	"mariadb": func(t *testing.T, url string) func(context.Context, time.Duration) error {
		db, err := besideMariaDB(url)
		return sqlClock(t, db, err, `UPDATE idem_records SET since = since - ?, lease_until = lease_until - ?, expires_at = expires_at - ?`)
	},
	"redis": func(t *testing.T, url string) func(context.Context, time.Duration) error {
		client, prefix, err := besideRedis(url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		return func(ctx context.Context, d time.Duration) error {
			var failed error
			for _, key := range redisKeys(t, client, prefix) {
				failed = errors.Join(failed, redisserver.Shift(ctx, client, key, d))
			}
			return failed
		}
	},
}

// sqlClock moves the times of a table by a statement with one parameter, as often as it stands there.
func sqlClock(t *testing.T, db *sqlx.DB, err error, statement string) func(context.Context, time.Duration) error {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return func(ctx context.Context, d time.Duration) error {
		args := []any{d.Milliseconds()}
		for strings.Count(statement, "?")-strings.Count(statement, "?1") > len(args) {
			args = append(args, d.Milliseconds())
		}
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	}
}

// TestTheHTTPContractHoldsOnEveryStore runs the kit of the adapters, router by router and store by store. On memory
// ServeMux and gin run it in their own modules.
func TestTheHTTPContractHoldsOnEveryStore(t *testing.T) {
	t.Parallel()
	for name, build := range adapters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSystem(t, func(t *testing.T, sys system) { provesTheContract(t, sys, build) })
		})
	}
}

func TestTheHTTPContractHoldsForChiInMemory(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Parallel()
		h := adaptertest.Memory()
		h.Build = adapters["chi"]
		return h
	})
}

// provesTheContract runs the kit on one storage, rule after rule, since a rule that moves the clock moves it for all.
func provesTheContract(t *testing.T, sys system, build func(adaptertest.TB, adaptertest.Service) http.Handler) {
	url := sys.fresh(t)
	processes := [2]*site{}
	for i := range processes {
		s, err := sys.open(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.close()) })
		processes[i] = s
	}
	require.Contains(t, clocks, sys.name, "a system needs a way to move its time")
	forward, opened := clocks[sys.name](t, url), 0
	adaptertest.Run(t, func(*testing.T) adaptertest.Harness {
		return adaptertest.Harness{
			Build: build,
			Open: func(adaptertest.TB) backend.Store {
				opened++
				return processes[opened%2].store
			},
			Advance: func(tb adaptertest.TB, d time.Duration) {
				if err := forward(tb.Context(), d); err != nil {
					tb.Fatalf("the clock: %v", err)
				}
			},
		}
	})
}
