package proxy

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// startMySQL starts a proxy in front of the server that IDEM_TEST_MYSQL names, and returns a pool of one connection
// through it.
func startMySQL(t *testing.T) (*Proxy, *sql.DB) {
	t.Helper()
	server := os.Getenv("IDEM_TEST_MYSQL")
	if server == "" {
		t.Skip("IDEM_TEST_MYSQL names no server; ./test starts one")
	}
	at, err := url.Parse(server)
	require.NoError(t, err)
	p := Start(t, at.Host, MySQL)
	c := driver.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.MultiStatements = "tcp", p.Addr(), at.Path[1:], at.User.Username(), true
	c.Passwd, _ = at.User.Password()
	connector, err := driver.NewConnector(c)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	return p, db
}

func TestMySQLRequests(t *testing.T) {
	t.Parallel()
	p, db := startMySQL(t)
	watch := p.Inject(Fault{On: Any})
	var n int
	stmt, err := db.PrepareContext(t.Context(), "SELECT ? + 1, 2, 3")
	require.NoError(t, err)
	var two, three int
	for i := range 3 { // the columns come with the first answer alone
		require.NoError(t, stmt.QueryRowContext(t.Context(), i).Scan(&n, &two, &three))
		require.Equal(t, i+1, n)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "CREATE TEMPORARY TABLE here (text TEXT)")
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO here SELECT REPEAT('x', ?) FROM seq_1_to_10000", 1000)
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
	_, err = db.ExecContext(t.Context(), "SELECT 1; SELECT 2; DO 3")
	require.NoError(t, err, "three answers to one request")
	_, err = db.ExecContext(t.Context(), "SELECT there")
	require.ErrorContains(t, err, "there")
	_, err = db.PrepareContext(t.Context(), "DO")
	require.Error(t, err)
	require.NoError(t, db.PingContext(t.Context()))
	require.NoError(t, stmt.Close())
	require.ErrorIs(t, db.QueryRowContext(t.Context(), "SELECT 1 FROM here WHERE text = 'y'").Scan(&n), sql.ErrNoRows)

	require.Equal(t, []string{
		"select ? + 1, 2, 3", "select ? + 1, 2, 3", "select ? + 1, 2, 3",
		"start transaction", "create temporary table here (text text)",
		"insert into here select repeat('x', ?) from seq_1_to_10000", "commit",
		"select text from here", "select 1; select 2; do 3", "select there", "select 1 from here where text = 'y'",
	}, texts(watch.Requests(), Statement))
	require.Equal(t, []string{
		"select ? + 1, 2, 3", "insert into here select repeat('x', ?) from seq_1_to_10000", "do",
	}, texts(watch.Requests(), Prepare))
	require.Equal(t, Session, watch.Requests()[0].Kind, "the start")
}

func TestMySQLIsCutWhereItWasPlanned(t *testing.T) {
	t.Parallel()
	p, db := startMySQL(t)
	_, direct := startMySQL(t)
	const table = "idem_test_cut"
	for _, text := range []string{"DROP TABLE IF EXISTS " + table, "CREATE TABLE " + table + " (n int) ENGINE InnoDB"} {
		_, err := direct.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	defer func() {
		_, err := direct.ExecContext(context.Background(), "DROP TABLE "+table)
		require.NoError(t, err)
	}()
	count := func() (n int) {
		require.NoError(t, direct.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n))
		return n
	}
	insert := func(n int) error {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after the end it does nothing
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (?)", n); err != nil {
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
}

func TestMySQLAnswersEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	const (
		ok      = "\x00\x01\x00\x02\x00\x00\x00"
		okMore  = "\x00\x01\x00\x0a\x00\x00\x00"
		eof     = "\xfe\x00\x00\x02\x00"
		eofMore = "\xfe\x00\x00\x0a\x00"
		end     = "\xfe\x00\x00\x02\x00\x00\x00"
		endMore = "\xfe\x00\x00\x0a\x00\x00\x00"
		failed  = "\xff\x15\x04"
		large   = "\xfc\xff\xff"
	)
	longRow := "\xfe" + string(make([]byte, 1<<24))
	for name, c := range map[string]struct {
		command      byte
		caps, extras uint32
		packets      []string
	}{
		"OK":                              {command: mysqlQuery, packets: []string{ok}},
		"an error":                        {command: mysqlQuery, packets: []string{failed}},
		"two OKs":                         {command: mysqlQuery, packets: []string{okMore, ok}},
		"an error after OK":               {command: mysqlQuery, packets: []string{okMore, failed}},
		"rows with EOF":                   {command: mysqlQuery, packets: []string{"\x02", "column", "column", eof, "row", "\xfe345678901", eof}},
		"rows without EOF":                {command: mysqlQuery, caps: mysqlDeprecateEOF, packets: []string{"\x02", "column", "column", "row", longRow, end}},
		"no rows":                         {command: mysqlQuery, caps: mysqlDeprecateEOF, packets: []string{"\x01", "column", end}},
		"an error among rows":             {command: mysqlQuery, packets: []string{"\x01", "column", eof, "row", failed}},
		"rows twice, with EOF":            {command: mysqlQuery, packets: []string{"\x01", "column", eof, "row", eofMore, "\x01", "column", eof, eof}},
		"rows, then OK":                   {command: mysqlExecute, caps: mysqlDeprecateEOF, packets: []string{"\x01", "column", "row", endMore, ok}},
		"columns that are known":          {command: mysqlExecute, caps: mysqlDeprecateEOF, extras: mysqlCacheColumns, packets: []string{"\x02\x00", "row", end}},
		"columns that are new":            {command: mysqlExecute, caps: mysqlDeprecateEOF, extras: mysqlCacheColumns, packets: []string{"\x02\x01", "column", "column", "row", end}},
		"nothing to prepare":              {command: mysqlPrepare, packets: []string{"\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}},
		"parameters and columns":          {command: mysqlPrepare, packets: []string{"\x00\x07\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00", "parameter", eof, "column", "column", eof}},
		"parameters and columns, no EOF":  {command: mysqlPrepare, caps: mysqlDeprecateEOF, packets: []string{"\x00\x07\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00", "parameter", "parameter", "column", "column"}},
		"what cannot be prepared":         {command: mysqlPrepare, packets: []string{failed}},
		"a command that is answered once": {command: 0x0e, packets: []string{ok}},
		"a fetch":                         {command: mysqlFetch, packets: []string{"row", "row", eof}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var y mysqlReply
			y.begin(c.command, c.caps, c.extras)
			for i, p := range c.packets {
				require.Equal(t, i == len(c.packets)-1, y.take([]byte(p)), "packet %d", i)
			}
		})
	}
	n, size := lengthEncoded([]byte(large))
	require.Equal(t, []uint64{65535, 3}, []uint64{n, uint64(size)})
}
