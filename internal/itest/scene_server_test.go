package itest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/mysql"
	"github.com/idem-go/idem/drivers/pgx"
	"github.com/idem-go/idem/drivers/pq"
)

// sqlServer is a database server and a driver, which have words of their own for what goes wrong.
type sqlServer struct {
	name  string
	fresh func(*testing.T) string
	open  func(ctx context.Context, dsn string, opts ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error)
	bind  int

	text     string // the type of a column of users
	refuse   string // has every write to the table refused
	short    string // a token that is too short, as a literal
	append   string // an expression: the answer and a byte
	sever    string // ends all connections but the own
	atCommit bool   // constraints may be checked at COMMIT
}

var sqlServers = []sqlServer{
	onPostgres("PostgreSQL by pgx", pgx.Open),
	onPostgres("PostgreSQL by lib/pq", pq.Open),
	{
		name: "MariaDB", fresh: freshMariaDB, open: mysql.Open, bind: sqlx.QUESTION,
		text:   "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
		refuse: `CREATE TRIGGER no BEFORE INSERT ON idem_records FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'`,
		short:  `x'01'`,
		append: `CONCAT(answer, 'x')`,
		sever:  `BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.PROCESSLIST WHERE db = DATABASE() AND id <> CONNECTION_ID()) DO KILL c.id; END FOR; END`,
	},
}

func onPostgres(name string, open func(context.Context, string, ...sqlbackend.OpenOption) (*sqlx.DB, *sqlbackend.Store, error)) sqlServer {
	return sqlServer{
		name: name, fresh: freshSchema, open: open, bind: sqlx.DOLLAR,
		text: "text",
		refuse: `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER no BEFORE INSERT ON idem_records FOR EACH ROW EXECUTE FUNCTION no()`,
		short:    `'\x01'::bytea`,
		append:   `answer || 'x'::bytea`,
		sever:    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()`,
		atCommit: true,
	}
}

// freshSchema makes a schema, whose name the connections have for theirs, and drops it when the test ends.
func freshSchema(t *testing.T) string {
	t.Helper()
	server := os.Getenv("IDEM_TEST_POSTGRES")
	if server == "" {
		t.Skip("IDEM_TEST_POSTGRES names no server; ./test starts one")
	}
	admin, err := sqlx.Open("pgx", server)
	require.NoError(t, err)
	name := freshName()
	_, err = admin.ExecContext(t.Context(), `CREATE SCHEMA `+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), `DROP SCHEMA `+name+` CASCADE`)
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	u, err := url.Parse(server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", name)
	query.Set("application_name", name)
	u.RawQuery = query.Encode()
	return u.String()
}

// serverScenes are what a server and its driver have to say.
func serverScenes() (all []scene) {
	for _, s := range sqlServers {
		for _, sc := range s.scenes() {
			sc.name = s.name + ", " + sc.name
			all = append(all, sc)
		}
	}
	return append(all,
		scene{"a URL of PostgreSQL with a bad port", idem.CodeOther, opening("postgres://user:" + markPassword + "@127.0.0.1:port/db")},
		scene{"a URL of PostgreSQL where nobody listens", idem.CodeOther, opening("postgres://user:" + markPassword + "@127.0.0.1:1/db")},
		scene{"a URL of PostgreSQL with a wrong parameter", idem.CodeOther, opening("postgres://user:" + markPassword + "@127.0.0.1:1/db?conns=" + markPassword)},
		scene{"a URL of MariaDB with a bad port", idem.CodeOther, opening("mysql://user:" + markPassword + "@127.0.0.1:port/db")},
		scene{"a URL of MariaDB where nobody listens", idem.CodeOther, opening("mysql://user:" + markPassword + "@127.0.0.1:1/db")},
		scene{"a URL of MariaDB with a wrong parameter", idem.CodeOther, opening("mysql://user:" + markPassword + "@127.0.0.1:1/db?readable=" + markPassword)},
		scene{"a password that MariaDB refuses", idem.CodeOther, refusedPassword},
	)
}

// refusedPassword has the server say no to a user whom it does not have.
func refusedPassword(a *actor) error {
	server := os.Getenv("IDEM_TEST_MYSQL")
	if server == "" {
		a.Skip("IDEM_TEST_MYSQL names no server")
	}
	u, err := url.Parse(server)
	require.NoError(a, err)
	u.User = url.UserPassword("nobody", markPassword)
	return opening(u.String())(a)
}

func (s sqlServer) scenes() []scene {
	scenes := []scene{
		{"an answer and its replay", idem.CodeNone, func(a *actor) error {
			g := a.on(s).guard()
			require.NoError(a, a.do(g, succeeds))
			return a.do(g, succeeds)
		}},
		{"a mismatch", idem.CodeMismatch, func(a *actor) error {
			g := a.on(s).guard()
			require.NoError(a, a.do(g, succeeds, idem.Operation("other")))
			return a.do(g, succeeds)
		}},
		{"a user who is not there", idem.CodeInvalidUser, func(a *actor) error { return a.do(a.keyed(s).guard(), succeeds) }},
		{"a user who is not there, in a transaction", idem.CodeInvalidUser, func(a *actor) error { return a.keyed(s).doTx(`SELECT 1`) }},
		{"a user who leaves while his call runs", idem.CodeLeaseLost, func(a *actor) error {
			f := a.keyed(s)
			f.exec(sqlx.Rebind(s.bind, `INSERT INTO users VALUES (?)`), markUser)
			return a.do(f.guard(), func(context.Context, charge) (receipt, error) {
				f.exec(`DELETE FROM users`)
				return answered, nil
			})
		}},
		{"a transaction that repeats itself", idem.CodeNone, func(a *actor) error {
			f := a.on(s)
			require.NoError(a, f.doTx(`SELECT 1`))
			return f.doTx(`SELECT 2`)
		}},
		{"a claim that a constraint refuses", idem.CodeUnavailable, func(a *actor) error {
			f := a.on(s)
			f.exec(`ALTER TABLE idem_records ADD CHECK (key_text <> '` + markKey + `')`)
			_ = f.doTx(`SELECT 1`)
			return a.do(f.guard(), succeeds)
		}},
		{"an answer that a constraint refuses", idem.CodeUnavailable, func(a *actor) error {
			f := a.on(s)
			f.exec(`ALTER TABLE idem_records ADD CHECK (state <> 2)`)
			c := backend.Claim{
				ID: backend.NewID("canary", markUser, markKey+"-2"), Token: backend.NewToken(), Fingerprint: backend.NewFingerprint([]byte(markBody)),
				Lease: time.Minute, Retention: time.Hour, Guard: "canary", User: markUser, Key: markKey + "-2",
			}
			_, err := f.store.Begin(a.Context(), c)
			require.NoError(a, err)
			_, err = f.store.Complete(a.Context(), c.ID, c.Token, backend.Completion{Answer: []byte(markAnswer), Retention: time.Hour})
			require.Error(a, a.canary.hear(err))
			return f.doTx(`SELECT 1`)
		}},
		{"a call whose connections are ended", idem.CodeNone, func(a *actor) error {
			f := a.on(s)
			g := f.guard()
			return a.do(g, func(ctx context.Context, _ charge) (receipt, error) {
				_, err := f.db.ExecContext(ctx, s.sever)
				f.everything(g)
				return answered, err
			})
		}},
		{"a table that is gone", idem.CodeUnavailable, afterOn(s, `DROP TABLE idem_records`)},
		{"a trigger that refuses", idem.CodeUnavailable, afterOn(s, s.refuse)},
		{"a column of another name", idem.CodeUnavailable, afterOn(s, `ALTER TABLE idem_records RENAME COLUMN token TO tokens`)},
		{"a short token", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET token = `+s.short)},
		{"a short fingerprint", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET fingerprint = SUBSTR(fingerprint, 2)`)},
		{"an unknown state", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET state = 7`)},
		{"an attempt before the first", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET attempt = 0`)},
		{"an answer that is not there", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET answer = NULL`)},
		{"an answer that is cut short", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET answer = SUBSTR(answer, 1, LENGTH(answer) - 1)`)},
		{"an answer that is longer", idem.CodeCorrupt, afterOn(s, `UPDATE idem_records SET answer = `+s.append)},
		{"an answer of a later version", idem.CodeVersion, func(a *actor) error { return a.on(s).afterwards((*scenery).laterVersion) }},
		{"a database that is closed", idem.CodeUnavailable, func(a *actor) error {
			f := a.on(s)
			g := f.guard()
			require.NoError(a, a.do(g, succeeds))
			require.NoError(a, f.db.Close())
			f.everything(g)
			_ = f.doTx(`SELECT 1`)
			return a.do(g, succeeds)
		}},
		{"a context that ends", idem.CodeContextCanceled, func(a *actor) error {
			g := a.on(s).guard()
			ctx, leave := context.WithCancelCause(a.Context())
			leave(errors.Join(context.Canceled, errDown))
			_, err := idem.Do(ctx, g, markKey, markUser, marked, succeeds)
			return err
		}},
	}
	if s.atCommit {
		scenes = append(scenes, scene{"a user whom somebody made unique", idem.CodeUnavailable, func(a *actor) error {
			f := a.on(s)
			f.exec(`CREATE UNIQUE INDEX one_user ON idem_records (user_name)`)
			g := f.guard()
			require.NoError(a, a.do(g, succeeds))
			_, err := idem.Do(a.Context(), g, markKey+"-2", markUser, marked, succeeds)
			return err
		}}, scene{"a constraint that is checked at COMMIT", idem.CodeUnavailable, func(a *actor) error {
			f := a.on(s)
			f.exec(`CREATE TABLE parents (id TEXT PRIMARY KEY)`)
			f.exec(`CREATE TABLE children (parent TEXT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
			return f.doTx(sqlx.Rebind(s.bind, `INSERT INTO children VALUES (?)`), markBody)
		}})
	}
	return scenes
}

// on gives the actor a database of his own on the server.
func (a *actor) on(s sqlServer, opts ...sqlbackend.OpenOption) *scenery {
	a.Helper()
	return a.at(s, s.fresh(a.T), opts...)
}

func (a *actor) at(s sqlServer, dsn string, opts ...sqlbackend.OpenOption) *scenery {
	a.Helper()
	db, store, err := s.open(a.Context(), dsn, opts...)
	require.NoError(a, err)
	a.Cleanup(func() { _ = db.Close() })
	return &scenery{actor: a, db: db, store: &tappedSQL{store, a.canary}}
}

// keyed is on, with a foreign key to users, of whom there are none.
func (a *actor) keyed(s sqlServer) *scenery {
	a.Helper()
	dsn := s.fresh(a.T)
	bare := a.at(s, dsn, sqlbackend.Table("other_records"))
	bare.exec(`CREATE TABLE users (id ` + s.text + ` PRIMARY KEY)`)
	require.NoError(a, bare.db.Close())
	return a.at(s, dsn, sqlbackend.UsersKey("users", "id"))
}

func afterOn(s sqlServer, statement string) func(*actor) error {
	return func(a *actor) error { return a.on(s).after(statement) }
}
