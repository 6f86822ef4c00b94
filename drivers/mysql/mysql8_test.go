package mysql

import (
	"context"
	"io/fs"
	"net/url"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// onBoth are the tests of what holds on MariaDB and on MySQL alike.
var onBoth = map[string]func(*testing.T){
	"the store's suite":                     TestStoreKeepsTheContract,
	"the transactor's suite":                TestTransactorKeepsTheContract,
	"of twenty goroutines one claims":       TestOfTwentyGoroutinesOneClaims,
	"transactions with one key run once":    TestTransactionsWithOneKeyRunOnce,
	"a deadlock is retried":                 TestADeadlockIsRetriedInside,
	"a deadlock of run":                     TestADeadlockOfRunIsErrConflict,
	"what only reads writes nothing":        TestWhatOnlyReadsWritesNothing,
	"a replay locks nothing":                TestAReplayInsideATransactionLocksNothing,
	"a duplicate leaves the caller's rows":  TestADuplicateOfAnOpenTransactionLeavesTheCallersRows,
	"a claim that is not committed":         TestAClaimThatIsNotCommittedIsInFlightForAPlainOneToo,
	"an abandoned hold":                     TestAnAbandonedHoldIsHeldByATransactionToo,
	"a commit without answer":               TestACommitWithoutAnswerIsSettled,
	"settle waits":                          TestSettleWaitsForAnInsertThatIsNotCommitted,
	"a transaction that run ended":          TestATransactionThatRunEndedIsAnError,
	"a corrupt row":                         TestARowThatCannotBeReadIsCorruptAndStays,
	"an answer that is too large":           TestAnAnswerThatTheServerCannotTakeIsTooLarge,
	"no error repeats a value":              TestNoErrorRepeatsAValue,
	"a lease is not shorter":                TestALeaseIsNeverShorterThanAskedFor,
	"the time zone does not matter":         TestTheSessionsTimeZoneDoesNotMatter,
	"the cause of an ended context":         TestTheStoreTellsTheCauseOfAnEndedContext,
	"users who differ in a space":           TestUsersWhoDifferInASpaceAreTwo,
	"nothing readable":                      TestWithoutReadableNothingReadableIsStored,
	"prune walks the whole table":           TestPruneWalksTheWholeTable,
	"prune goes on where it stopped":        TestPruneGoesOnWhereItStopped,
	"prune leaves a locked row":             TestPruneLeavesALockedRowToTheNextWalk,
	"many prune beside claims":              TestManyPruneBesideClaims,
	"a key to users":                        TestAKeyToUsers,
	"a user who is locked":                  TestAUserWhoIsLockedIsWaitedFor,
	"connections that read what is not yet": TestConnectionsThatReadUncommittedAreRefused,
}

// TestMySQL8 runs MySQL's statements on a MariaDB that passes for a MySQL: no MySQL is at hand. What it proves is that
// the statements do what they should on a server that knows them all.
func TestMySQL8(t *testing.T) {
	t.Parallel()
	for name, test := range onBoth {
		t.Run(name, test)
	}
}

func TestMySQL8IsRefusedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.mysql8 = true
	db := s.pool(t, &tapped{})
	refused := func(err error) {
		t.Helper()
		require.ErrorContains(t, err, `"8.0.20"`)
		require.ErrorContains(t, err, "never on a real MySQL server")
		require.ErrorContains(t, err, "option UntestedMySQL")
	}
	refused(sqlbackend.Migrate(t.Context(), db, Dialect(), sqlbackend.Table(s.table)))
	_, err := sqlbackend.New(t.Context(), db, Dialect(), sqlbackend.Table(s.table))
	refused(err)
	_, store := s.open(t)
	begins(t, store, claimOf("key"), backend.Claimed)
	_, err = sqlbackend.New(t.Context(), db, Dialect(), sqlbackend.Table(s.table))
	refused(err)
}

func TestOtherToolsCanRunTheFilesOfMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.mysql8, s.table = true, "idem_records"
	db := s.pool(t, &tapped{})
	text, err := fs.ReadFile(sqlbackend.Migrations, "migrations/mysql8/0001_idem_records.up.sql")
	require.NoError(t, err)
	for range 2 {
		_, err = db.ExecContext(t.Context(), string(text))
		require.NoError(t, err)
	}
	store, err := sqlbackend.New(t.Context(), db, Dialect(), s.newOptions()...)
	require.NoError(t, err)
	begins(t, store, claimOf("of MySQL"), backend.Claimed)
	require.NoError(t, sqlbackend.Migrate(t.Context(), db, Dialect(), s.migrateOptions()...), "there is nothing left to do")
}

func TestMariaDBDoesNotMindTheOptionForMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = url.Values{"untested_mysql": {"true"}, "table": {s.table}}.Encode()
	h, err := backend.Open(t.Context(), s.address())
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	begins(t, h.Store, claimOf("key"), backend.Claimed)
}

func TestConnectionsGetTheVariablesOfTheirServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, query string
		want           map[string]string
	}{
		{"10.11.19-MariaDB", "", map[string]string{"tx_isolation": "'READ-COMMITTED'"}},
		{"8.0.36", "", map[string]string{"transaction_isolation": "'READ-COMMITTED'", "innodb_lock_wait_timeout": "1"}},
		{"8.0.36", "tx_isolation=%27SERIALIZABLE%27", map[string]string{"transaction_isolation": "'SERIALIZABLE'", "innodb_lock_wait_timeout": "1"}},
		{"8.0.36", "transaction_isolation=%27SERIALIZABLE%27&innodb_lock_wait_timeout=3", map[string]string{"transaction_isolation": "'SERIALIZABLE'", "innodb_lock_wait_timeout": "3"}},
	} {
		c, err := parseURL("mysql://h/d?" + test.query)
		require.NoError(t, err)
		s := &server{version: test.version}
		require.NoError(t, s.suit(t.Context(), c))
		require.Equal(t, test.want, c.Params)
	}
}

func TestRoundTripsOnMySQL(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]string{"": "", "with interpolation": "interpolateParams=true", "with found rows counted": "clientFoundRows=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params, s.conns = params, 1
			s.mysql8 = true
			_, store, tap := s.openTapped(t)
			require.Equal(t, map[string]int64{
				"claim": 1, "takeover": 3, "renew": 1, "complete": 1, "hold": 1, "release": 1,
				"claim sent again": 2, "in flight": 2, "mismatch": 2, "replay": 2, "held": 2,
			}, tripsOf(t, store, tap))
		})
	}
}

func TestRoundTripsOfATransactionOnMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.conns = 1
	s.mysql8 = true
	_, store, tap := s.openTapped(t)
	first, replay := tripsOfATransaction(t, store, tap)
	require.EqualValues(t, 7, first, "look, SET TRANSACTION, START TRANSACTION, lock, claim, complete, COMMIT")
	require.EqualValues(t, 1, replay)
}

func TestCheckNamesWhatIsUnsafeOnMySQL(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ params, want string }{
		"a long wait":  {"innodb_lock_wait_timeout=50", "innodb_lock_wait_timeout"},
		"an isolation": {"tx_isolation=%27REPEATABLE-READ%27", "isolation level"},
		"nothing":      {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			s.params = test.params
			s.mysql8 = true
			_, store := s.open(t)
			found, err := store.Check(t.Context())
			require.NoError(t, err)
			named := map[string]backend.Finding{}
			for _, f := range found {
				named[f.Setting] = f
				require.NotContains(t, f.Advice, "{")
			}
			for _, setting := range []string{"innodb_lock_wait_timeout", "isolation level"} {
				require.Equal(t, setting == test.want, named[setting].Setting != "", setting)
			}
		})
	}
}

// Nothing but a claim that meets another's insert depends on how long the server lets a session wait.
func TestATransactionAndAPruneDoNotWaitOnMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = "innodb_lock_wait_timeout=50"
	s.mysql8 = true
	db, store := s.open(t)
	s.fill(t, db, 1)
	tx, holder := own(t, db, store)
	c := claimOf("key")
	begins(t, holder, c, backend.Claimed)
	_, err := tx.ExecContext(t.Context(), s.sql(`UPDATE {t} SET note = 'mine' WHERE expires_at = 1`))
	require.NoError(t, err)

	start := time.Now()
	_, duplicate := own(t, db, store)
	begins(t, duplicate, again(c), backend.InFlight)
	inTx(t, store, again(c), mustNotRun(t), backend.InFlight)
	stats, err := store.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, backend.PruneStats{Scanned: 5, Held: 1}, stats)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = store.Settle(ctx, c.ID, c.Token)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool {
		var waiting int
		err := db.GetContext(t.Context(), &waiting, `SELECT COUNT(*) FROM information_schema.PROCESSLIST
WHERE ID <> CONNECTION_ID() AND INFO LIKE CONCAT('%', ?, '%')`, s.table)
		return err == nil && waiting == 0
	}, 10*time.Second, time.Millisecond, "a statement waits in the server for a caller who has left")
	require.Less(t, time.Since(start), 10*time.Second)
}

// Between the look that locks and the insert another may insert and not commit. Then the claim waits, but no longer than
// the session's innodb_lock_wait_timeout.
func TestASimultaneousFirstInsertIsWaitedForOnMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.mysql8 = true
	db, store := s.open(t)
	other, theirs := own(t, db, store)
	c := claimOf("key")
	_, late, tap := s.openTapped(t)
	insert := func() { begins(t, theirs, again(c), backend.Claimed) }
	tap.insert.Store(&insert)
	start := time.Now()
	inTx(t, late, c, mustNotRun(t), backend.InFlight)
	require.Less(t, time.Since(start), 10*time.Second, "it waited as long as the server does")
	require.NoError(t, other.Commit())
	inTx(t, late, again(c), mustNotRun(t), backend.InFlight)
}

// In a snapshot that is older than the record, what locks sees it and what reads does not.
func TestAJoinedSnapshotDoesNotClaimWhatIsDoneOnMySQL(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.params = "tx_isolation=%27REPEATABLE-READ%27"
	s.mysql8 = true
	db, store := s.open(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), s.sql(`SELECT COUNT(*) FROM {t}`))
	require.NoError(t, err)
	c := claimOf("key")
	inTx(t, store, c, func(ctx context.Context, tx *sqlx.Tx, joined backend.TxStore) error {
		return answering(c, "answer")(ctx, tx, joined)
	}, backend.Claimed)
	joined, err := store.Join(tx)
	require.NoError(t, err)
	require.Equal(t, []byte("answer"), begins(t, joined, again(c), backend.Replay).Answer)
}
