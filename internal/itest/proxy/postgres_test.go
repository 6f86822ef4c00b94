package proxy

import (
	"context"
	"database/sql"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// startPostgres starts a proxy in front of the server that IDEM_TEST_POSTGRES names, and returns a pool of one connection
// through it that belongs to a driver.
func startPostgres(t *testing.T, driver string) (*Proxy, *sql.DB) {
	t.Helper()
	server := os.Getenv("IDEM_TEST_POSTGRES")
	if server == "" {
		t.Skip("IDEM_TEST_POSTGRES names no server; ./test starts one")
	}
	at, err := url.Parse(server)
	require.NoError(t, err)
	p := Start(t, net.JoinHostPort(at.Hostname(), at.Port()), Postgres)
	at.Host = p.Addr()
	db, err := sql.Open(driver, at.String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	return p, db
}

func eachPostgres(t *testing.T, f func(t *testing.T, driver string)) {
	t.Helper()
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			f(t, driver)
		})
	}
}

// texts are those of requests of a kind.
func texts(seen []Request, kind Kind) (all []string) {
	for _, r := range seen {
		if r.Kind == kind {
			all = append(all, strings.ToLower(r.Text))
		}
	}
	return all
}

func TestPostgresRequests(t *testing.T) {
	t.Parallel()
	eachPostgres(t, func(t *testing.T, driver string) {
		p, db := startPostgres(t, driver)
		watch := p.Inject(Fault{On: Any})
		var n int
		stmt, err := db.PrepareContext(t.Context(), "SELECT $1::int + 1")
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, stmt.QueryRowContext(t.Context(), i).Scan(&n))
			require.Equal(t, i+1, n)
		}
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "CREATE TEMPORARY TABLE here (text TEXT)")
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO here SELECT repeat('x', 1000) FROM generate_series(1, $1::int)", 10_000)
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		var sum int
		rows, err := db.QueryContext(t.Context(), "SELECT text FROM here")
		require.NoError(t, err)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			sum += len(text)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, 10_000_000, sum, "of one answer that is long")
		_, err = db.ExecContext(t.Context(), "SELECT 1 / 0")
		require.ErrorContains(t, err, "division by zero")
		require.NoError(t, stmt.Close())

		begin := "begin"
		if driver == "postgres" {
			begin = "begin read write"
		}
		require.Equal(t, []string{
			"select $1::int + 1", "select $1::int + 1", "select $1::int + 1",
			begin, "create temporary table here (text text)",
			"insert into here select repeat('x', 1000) from generate_series(1, $1::int)", "commit",
			"select text from here", "select 1 / 0",
		}, texts(watch.Requests(), Statement))
		require.Contains(t, texts(watch.Requests(), Prepare), "select $1::int + 1")
		require.Len(t, watch.Requests()[0].Text, 0)
		require.Equal(t, Session, watch.Requests()[0].Kind, "the start")
	})
}

// What the server has done, and only that, is there after each fault.
func TestPostgresIsCutWhereItWasPlanned(t *testing.T) {
	t.Parallel()
	eachPostgres(t, func(t *testing.T, driver string) {
		p, db := startPostgres(t, driver)
		_, direct := startPostgres(t, driver)
		table := "cut_" + driver
		_, err := direct.ExecContext(t.Context(), "DROP TABLE IF EXISTS "+table)
		require.NoError(t, err)
		_, err = direct.ExecContext(t.Context(), "CREATE TABLE "+table+" (n int)")
		require.NoError(t, err)
		defer func() {
			_, err := direct.ExecContext(context.Background(), "DROP TABLE "+table)
			require.NoError(t, err)
		}()
		count := func() (n int) {
			require.NoError(t, direct.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
			return n
		}
		insert := func(n int) error {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			defer tx.Rollback() //nolint:errcheck // after the end it does nothing
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES ($1)", n); err != nil {
				return err
			}
			return tx.Commit()
		}
		require.NoError(t, insert(0))
		isCommit := func(r Request) bool { return r.Is("COMMIT") }
		for i, c := range []struct {
			fault Fault
			added int
		}{
			{Fault{On: Containing("INSERT"), At: Asking, Do: Cut}, 0},
			{Fault{On: Containing("INSERT"), At: Asking, Do: Cut, Bytes: 7}, 0},
			{Fault{On: Containing("INSERT"), At: Answered, Do: Cut}, 0},
			{Fault{On: isCommit, At: Asking, Do: Cut}, 0},
			{Fault{On: isCommit, At: Asking, Do: Reset}, 0},
			{Fault{On: isCommit, At: Answered, Do: Cut}, 1},
			{Fault{On: isCommit, At: Answered, Do: Reset}, 1},
			{Fault{On: isCommit, At: Answered, Do: HalfClose}, 1},
			{Fault{On: isCommit, At: Answered, Do: Cut, Bytes: 3}, 1},
		} {
			before := count()
			fault := p.Inject(c.fault)
			require.Error(t, insert(i), "%+v", c.fault)
			<-fault.Hit()
			require.Equal(t, before+c.added, count(), "%+v", c.fault)
		}
		require.NoError(t, insert(100))
	})
}
