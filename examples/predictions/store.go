package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/drivers/sqlite"

	// The backends that -backend can name. One more is one more import; drivers/sqlite above registers sqlite:FILE.
	_ "github.com/idem-go/idem/backend/memtest" // memory:
	_ "github.com/idem-go/idem/backend/redis"   // redis://, rediss://, redis+cluster://, redis+sentinel://
	_ "github.com/idem-go/idem/drivers/mysql"   // mysql://
	_ "github.com/idem-go/idem/drivers/pgx"     // postgres://
)

// store is where everything is kept: the business tables in a SQLite file, and idem's records, which live in that file
// too unless another backend is named.
type store struct {
	db      *sqlx.DB
	records backend.Store
	beside  bool // records are in db, so that effect, claim and answer can commit together

	closeRecords func() error // nil if they are in db
}

// openStore opens the file, which is created where there is none, and brings its tables up to date. The table of records
// is created with a foreign key to users; migrations/0001_users.sql says what it does. An empty url keeps the records in
// the file.
func openStore(ctx context.Context, file, url string) (*store, error) {
	db, records, err := sqlite.Open(ctx, file, sqlbackend.UsersKey("users", "id"))
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	s := &store{db: db, records: records, beside: true}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("-db: %w", err), s.close())
	}
	if url == "" {
		return s, nil
	}
	h, err := backend.Open(ctx, url)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-backend: %w", err), s.close())
	}
	s.records, s.beside, s.closeRecords = h.Store, false, h.Close
	return s, nil
}

// close ends both databases. Nothing may be in flight any more.
func (s *store) close() error {
	var err error
	if s.closeRecords != nil {
		err = s.closeRecords()
	}
	return errors.Join(err, s.db.Close())
}

// newGuard returns a guard on the records. A lease longer than the usual bound of a run raises that bound: idem refuses
// a run that would have to end before its claim.
func (s *store) newGuard(name string, g idem.Guarantee, lease time.Duration, to *log.Logger) (*idem.Guard, error) {
	return idem.New(name, s.records, g, idem.Lease(lease), idem.MaxRun(max(lease, 5*time.Minute)), idem.WithObserver(trouble{to}))
}

// payoutGuarantee is Tx where the payout's row and its record are in one database. Elsewhere no transaction spans both.
func (s *store) payoutGuarantee() idem.Guarantee {
	if s.beside {
		return idem.Tx
	}
	return idem.Rerun
}

// trouble is an observer that logs what went wrong between the guard and its store. Events hold no key, user or answer.
type trouble struct{ to *log.Logger }

// Observe logs e if the store was at fault. Calls may overlap.
func (t trouble) Observe(_ context.Context, e idem.Event) {
	if e.Err != nil {
		t.to.Printf("guard %s, record %s: %v: %v", e.Guard, e.Record, e.Kind, e.Err)
	}
}

// warn logs what the records' server is not safe for.
func (s *store) warn(ctx context.Context, g *idem.Guard, to *log.Logger) error {
	findings, err := g.Check(ctx)
	for _, f := range findings {
		to.Printf("%v: the records' %s is %s: %s", f.Severity, f.Setting, f.Value, f.Advice)
	}
	return err
}

// ping asks both databases.
func (s *store) ping(ctx context.Context, g *idem.Guard) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("business database: %w", err)
	}
	_, err := g.Lookup(ctx, "healthz", "healthz")
	if errors.Is(err, idem.ErrNotFound) || errors.Is(err, idem.ErrUnsupported) {
		return nil // it answered, or it cannot be asked without a claim
	}
	return err
}
