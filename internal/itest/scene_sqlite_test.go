package itest

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"
)

// sqliteScenes are what a SQLite file and its driver have to say.
var sqliteScenes = []scene{
	{"a SQLite answer and its replay", idem.CodeNone, func(a *actor) error {
		g := a.sqlite().guard()
		require.NoError(a, a.do(g, succeeds))
		return a.do(g, succeeds)
	}},
	{"a SQLite mismatch", idem.CodeMismatch, func(a *actor) error {
		g := a.sqlite().guard()
		require.NoError(a, a.do(g, succeeds, idem.Operation("other")))
		return a.do(g, succeeds)
	}},
	{"a user who is not in the table of users", idem.CodeInvalidUser, func(a *actor) error {
		f := a.sqlite(sqlbackend.UsersKey("users", "id"))
		f.exec(`CREATE TABLE users (id TEXT PRIMARY KEY)`)
		return a.do(f.guard(), succeeds)
	}},
	{"a user who is not in the table of users, in a transaction", idem.CodeInvalidUser, func(a *actor) error {
		f := a.sqlite(sqlbackend.UsersKey("users", "id"))
		f.exec(`CREATE TABLE users (id TEXT PRIMARY KEY)`)
		return f.doTx(`SELECT 1`)
	}},
	{"a user who leaves while his call runs", idem.CodeLeaseLost, func(a *actor) error {
		f := a.sqlite(sqlbackend.UsersKey("users", "id"))
		f.exec(`CREATE TABLE users (id TEXT PRIMARY KEY)`)
		f.exec(`INSERT INTO users VALUES (?)`, markUser)
		return a.do(f.guard(), func(context.Context, charge) (receipt, error) {
			f.exec(`DELETE FROM users`)
			return answered, nil
		})
	}},
	{"a transaction that repeats itself", idem.CodeNone, func(a *actor) error {
		f := a.sqlite()
		require.NoError(a, f.doTx(`CREATE TABLE effects (body TEXT UNIQUE)`))
		return f.doTx(`SELECT 1`)
	}},
	{"a constraint that is checked at COMMIT", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite()
		f.exec(`CREATE TABLE parents (id TEXT PRIMARY KEY)`)
		f.exec(`CREATE TABLE children (parent TEXT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
		return f.doTx(`INSERT INTO children VALUES (?)`, markBody)
	}},
	{"a SQLite transaction that is over", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite()
		tx, err := f.db.BeginTxx(a.Context(), nil)
		require.NoError(a, err)
		require.NoError(a, tx.Rollback())
		_, err = idem.JoinTx(a.Context(), f.guard(idem.Tx), tx, markKey, markUser, marked, func(context.Context, *sqlx.Tx, charge) (receipt, error) {
			return answered, nil
		})
		return err
	}},
	{"a writer that does not let go", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite(sqlite.BusyTimeout(time.Millisecond))
		defer f.lock()()
		return a.do(f.guard(), succeeds)
	}},
	{"a writer that does not let go of a transaction", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite(sqlite.BusyTimeout(time.Millisecond))
		defer f.lock()()
		return f.doTx(`SELECT 1`)
	}},
	{"a call inside of a transaction of the same file", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite()
		outer, g := f.guard(idem.Tx), f.guard()
		_, err := idem.DoTx(a.Context(), outer, markKey+"-outer", markUser, marked, func(ctx context.Context, _ *sqlx.Tx, req charge) (receipt, error) {
			return idem.Do(ctx, g, markKey, markUser, req, succeeds)
		})
		return err
	}},
	{"a table that is gone", idem.CodeUnavailable, after(`DROP TABLE idem_records`)},
	{"a trigger that refuses", idem.CodeUnavailable, after(`CREATE TRIGGER no BEFORE INSERT ON idem_records BEGIN SELECT RAISE(ABORT, 'no'); END`)},
	{"a column too many", idem.CodeUnavailable, after(`ALTER TABLE idem_records RENAME COLUMN token TO tokens`)},
	{"a file that is full", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite(sqlbackend.Conns(1))
		f.exec(`PRAGMA max_page_count = 1`) // as many as there are now: a small record finds room in them
		_, err := idem.DoTx(a.Context(), f.guard(idem.Tx), markKey, markUser, marked, func(context.Context, *sqlx.Tx, charge) (receipt, error) {
			return receipt{ID: strings.Repeat(markAnswer, 50_000)}, nil
		})
		return err
	}},
	{"a file that may not be written", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite(sqlbackend.Conns(1))
		f.exec(`PRAGMA query_only = 1`)
		return a.do(f.guard(), succeeds)
	}},
	{"a file that is none", idem.CodeOther, func(a *actor) error {
		file := filepath.Join(a.TempDir(), "none.db")
		require.NoError(a, os.WriteFile(file, []byte(markPassword+" is not a database, whatever its name says"), 0o600))
		_, err := backend.Open(a.Context(), "sqlite:"+file)
		return err
	}},
	{"a short token", idem.CodeCorrupt, after(`UPDATE idem_records SET token = x'01'`)},
	{"a short fingerprint", idem.CodeCorrupt, after(`UPDATE idem_records SET fingerprint = substr(fingerprint, 2)`)},
	{"an unknown state", idem.CodeCorrupt, after(`UPDATE idem_records SET state = 7`)},
	{"an attempt before the first", idem.CodeCorrupt, after(`UPDATE idem_records SET attempt = 0`)},
	{"an answer that is not there", idem.CodeCorrupt, after(`UPDATE idem_records SET answer = NULL`)},
	{"an answer that is cut short", idem.CodeCorrupt, after(`UPDATE idem_records SET answer = substr(answer, 1, length(answer) - 1)`)},
	{"an answer that is longer", idem.CodeCorrupt, after(`UPDATE idem_records SET answer = CAST(answer || 'x' AS BLOB)`)},
	{"an answer of a later version", idem.CodeVersion, afterwards((*scenery).laterVersion)},
	{"a note that is no text", idem.CodeNone, after(`UPDATE idem_records SET note = CAST(x'ff' AS TEXT)`)},
	{"a database that is closed", idem.CodeUnavailable, func(a *actor) error {
		f := a.sqlite()
		g := f.guard()
		require.NoError(a, a.do(g, succeeds))
		require.NoError(a, f.db.Close())
		f.everything(g)
		_ = f.doTx(`SELECT 1`)
		return a.do(g, succeeds)
	}},
	{"a pruner on a database that is closed", idem.CodeContextCanceled, func(a *actor) error {
		f := a.sqlite()
		require.NoError(a, f.db.Close())
		ctx, stop := context.WithCancel(a.Context())
		over := make(chan error, 1)
		go func() { over <- f.guard().RunPruner(ctx, time.Minute) }()
		a.until(idem.EventPruneFailed)
		stop()
		return <-over
	}},
}

// after does something to the database that has the answer of the marked call, asks an operator's questions and calls again,
// with the answer stored and with a key of its own.
func (f *scenery) after(statement string) error {
	return f.afterwards(func(f *scenery) { f.exec(statement) })
}

// afterwards is after for what takes more than a statement.
func (f *scenery) afterwards(change func(*scenery)) error {
	g := f.guard()
	require.NoError(f, f.do(g, succeeds))
	change(f)
	f.everything(g)
	_, err := idem.Do(f.Context(), g, markKey+"-2", markUser, marked, succeeds)
	if err != nil {
		return err
	}
	return f.do(g, succeeds)
}

func after(statement string) func(*actor) error {
	return func(a *actor) error { return a.sqlite().after(statement) }
}

func afterwards(change func(*scenery)) func(*actor) error {
	return func(a *actor) error { return a.sqlite().afterwards(change) }
}

// laterVersion makes the stored answers those of a later version, whose checksum is as good.
func (f *scenery) laterVersion() {
	f.Helper()
	var answer []byte
	require.NoError(f, f.db.Get(&answer, `SELECT answer FROM idem_records`))
	f.exec(f.db.Rebind(`UPDATE idem_records SET answer = ?`), laterVersion(answer))
}

// laterVersion is an answer as a later version would have written it.
func laterVersion(answer []byte) []byte {
	answer = answer[:len(answer)-crc32.Size]
	answer[len(answer)-1] = 9
	return binary.BigEndian.AppendUint32(answer, crc32.Checksum(answer, crc32.MakeTable(crc32.Castagnoli)))
}

// scenery is an actor with a SQL database.
type scenery struct {
	*actor
	db    *sqlx.DB
	store *tappedSQL
	file  string // SQLite's
}

func (a *actor) sqlite(opts ...sqlbackend.OpenOption) *scenery {
	a.Helper()
	file := filepath.Join(a.TempDir(), "records.db")
	db, store, err := sqlite.Open(a.Context(), file, opts...)
	require.NoError(a, err)
	a.Cleanup(func() { _ = db.Close() })
	return &scenery{actor: a, db: db, store: &tappedSQL{store, a.canary}, file: file}
}

func (f *scenery) guard(opts ...idem.GuardOption) *idem.Guard { return f.actor.guard(f.store, opts...) }

func (f *scenery) exec(statement string, args ...any) {
	f.Helper()
	_, err := f.db.ExecContext(f.Context(), statement, args...)
	require.NoError(f, err)
}

// lock takes SQLite's one lock, through a pool of its own, until it is given back.
func (f *scenery) lock() (unlock func()) {
	f.Helper()
	other, err := openBeside("sqlite:" + f.file)
	require.NoError(f, err)
	tx, err := other.BeginTxx(f.Context(), nil)
	require.NoError(f, err)
	return func() {
		require.NoError(f, tx.Rollback())
		require.NoError(f, other.Close())
	}
}

// doTx makes the marked call, whose fn runs one statement.
func (f *scenery) doTx(statement string, args ...any) error {
	_, err := idem.DoTx(f.Context(), f.guard(idem.Tx), markKey, markUser, marked, func(ctx context.Context, tx *sqlx.Tx, _ charge) (receipt, error) {
		_, err := tx.ExecContext(ctx, statement, args...)
		return answered, err
	})
	return f.canary.hear(err)
}

type tappedSQL struct {
	*sqlbackend.Store
	canary *canary
}

func (s *tappedSQL) Begin(ctx context.Context, c backend.Claim) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.Store.Begin(ctx, c)
}

func (s *tappedSQL) InTx(ctx context.Context, c backend.Claim, run func(context.Context, *sqlx.Tx, backend.TxStore) error) (backend.Grant, error) {
	s.canary.claimed(c)
	return s.Store.InTx(ctx, c, run)
}
