package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend"
)

// line is a server as a Listener sees it.
type line struct {
	*Listener
	sent   chan string   // to the connection that there is
	cut    chan error    // ends it
	proofs chan struct{} // one for each proof that was sent

	at     sync.Mutex
	refuse error       // what the next connections fail with
	lost   bool        // notifications go elsewhere, as behind a pooler
	dialed []time.Time // when
}

func (s *line) refuses(err error) {
	s.at.Lock()
	defer s.at.Unlock()
	s.refuse = err
}

func (s *line) dials() []time.Time {
	s.at.Lock()
	defer s.at.Unlock()
	return slices.Clone(s.dialed)
}

func (s *line) dial() error {
	s.at.Lock()
	defer s.at.Unlock()
	s.dialed = append(s.dialed, time.Now())
	return s.refuse
}

func newLine() *line {
	s := &line{sent: make(chan string, 100), cut: make(chan error), proofs: make(chan struct{}, 100)}
	s.Listener = NewListener(s.listen)
	s.proves[new(sqlx.DB)] = func(context.Context, string) error { return sql.ErrConnDone }
	s.proves[nil] = func(_ context.Context, payload string) error {
		s.proofs <- struct{}{}
		if !s.lost {
			s.sent <- payload
		}
		return nil
	}
	return s
}

func (s *line) listen(ctx context.Context, _ string, listening func() error, heard func(string)) error {
	if err := s.dial(); err != nil {
		return err
	}
	if err := listening(); err != nil {
		return err
	}
	for {
		select {
		case payload := <-s.sent:
			heard(payload)
		case err := <-s.cut:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *line) ends(id backend.ID) { s.sent <- hex.EncodeToString(id[:]) }

// heard watches id once the line is proved.
func (s *line) heard(t *testing.T, id backend.ID) (<-chan struct{}, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.await(ctx); err != nil {
		t.Fatal(err)
	}
	changed, stop, err := s.watch(id)
	if err != nil {
		t.Fatal(err)
	}
	return changed, stop
}

func woken(changed <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// inBubble ends with no goroutine left: synctest says so.
func inBubble(t *testing.T, f func(*testing.T, *line)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLine()
		f(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAListenerTellsOfOneRecordToAllWhoWaitForIt(t *testing.T) {
	inBubble(t, func(t *testing.T, s *line) {
		first, stop := s.heard(t, backend.ID{1})
		second, _ := s.heard(t, backend.ID{1})
		gone, leave := s.heard(t, backend.ID{1})
		other, _ := s.heard(t, backend.ID{2})
		leave()
		for _, payload := range []string{"", "somebody else's", strings.Repeat("z", 64), strings.Repeat("a", 63)} {
			s.sent <- payload
		}
		if woken(first) {
			t.Error("what is not a record's wakes")
		}
		s.ends(backend.ID{1})
		if !woken(first) || !woken(second) || woken(gone) || woken(other) {
			t.Error("not the two who wait for the record were woken, and they alone")
		}
		stop()
		stop()
		if n := len(s.dials()); n != 1 {
			t.Errorf("%d connections for four waiters", n)
		}
	})
}

func TestAListenerIsBelievedOnceItHeardAProof(t *testing.T) {
	inBubble(t, func(t *testing.T, s *line) {
		s.lost = true
		if _, _, err := s.watch(backend.ID{1}); !errors.Is(err, errConnecting) {
			t.Errorf("before the connection: %v", err)
		}
		<-s.proofs
		synctest.Wait()
		if _, _, err := s.watch(backend.ID{1}); !errors.Is(err, errUnproved) || errors.Is(err, backend.ErrUnsupported) {
			t.Errorf("a connection that hears nothing: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.await(ctx); !errors.Is(err, errUnproved) {
			t.Errorf("await says %v", err)
		}
		s.sent <- "proof of another process"
		synctest.Wait()
		if _, err := s.state(); !errors.Is(err, errUnproved) {
			t.Errorf("another's proof is believed: %v", err)
		}
	})
}

func TestAListenerThatIsCutWakesAllAndConnectsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *line) {
		one, _ := s.heard(t, backend.ID{1})
		two, stop := s.heard(t, backend.ID{2})
		refusal := errors.New("no more connections")
		s.refuses(refusal)
		s.cut <- errors.New("terminated")
		if !woken(one) || !woken(two) {
			t.Error("who watched may miss something now")
		}
		stop()
		_, _, err := s.watch(backend.ID{1})
		if err == nil || errors.Is(err, backend.ErrUnsupported) {
			t.Errorf("a watch while it is not connected: %v", err)
		}
		time.Sleep(20 * time.Second)
		_, _, err = s.watch(backend.ID{1}) // somebody still waits
		if !errors.Is(err, refusal) {
			t.Errorf("it does not say why: %v", err)
		}
		dialed := s.dials()
		for i := 2; i < len(dialed); i++ {
			pause, least := dialed[i].Sub(dialed[i-1]), min(50*time.Millisecond<<(i-1), 5*time.Second)
			if pause < least || pause > 2*least {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, least, 2*least)
			}
		}
		if len(dialed) < 8 {
			t.Errorf("%d connections in 20 s", len(dialed))
		}
		s.refuses(nil)
		again, _ := s.heard(t, backend.ID{1})
		s.ends(backend.ID{1})
		if !woken(again) {
			t.Error("the next connection tells nothing")
		}
	})
}

func TestAListenerLeavesWhenNobodyWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, s *line) {
		runs := func() bool {
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.running != nil
		}
		_, stop := s.heard(t, backend.ID{1})
		time.Sleep(time.Hour)
		if !runs() || len(s.dials()) != 1 {
			t.Error("it left while somebody waited")
		}
		stop()
		time.Sleep(listenerLinger - time.Millisecond)
		if !runs() {
			t.Error("it left at once")
		}
		changed, _ := s.heard(t, backend.ID{1})
		time.Sleep(time.Hour)
		s.ends(backend.ID{1})
		if !woken(changed) {
			t.Error("it did not stay for who came")
		}
		time.Sleep(listenerLinger + time.Millisecond)
		if runs() {
			t.Error("it stayed")
		}
		s.refuses(errors.New("down"))
		if _, _, err := s.watch(backend.ID{1}); err == nil {
			t.Error("there is no connection to be told on")
		}
		time.Sleep(time.Minute)
		if runs() {
			t.Error("it goes on trying to connect for nobody")
		}
	})
}

func TestAClosedListenerTellsWhoWaitsToPoll(t *testing.T) {
	inBubble(t, func(t *testing.T, s *line) {
		changed, stop := s.heard(t, backend.ID{1})
		pool := sql.OpenDB(s.Connector(connector{}))
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if !woken(changed) {
			t.Error("nobody was told")
		}
		stop()
		if _, _, err := s.watch(backend.ID{1}); !errors.Is(err, backend.ErrUnsupported) {
			t.Errorf("a watch on what is closed: %v", err)
		}
		if _, err := s.state(); !errors.Is(err, backend.ErrUnsupported) {
			t.Errorf("its state: %v", err)
		}
	})
}

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, driver.ErrBadConn }
func (connector) Driver() driver.Driver                        { return nil }

func TestOnlyAMadeListenerIsAnOption(t *testing.T) {
	t.Parallel()
	for _, l := range []*Listener{nil, {}} {
		if err := WithListener(l).configure(new(config)); err == nil || !strings.Contains(err.Error(), "option WithListener") {
			t.Errorf("%v was not refused by name: %v", l, err)
		}
	}
	s := &Store{config: config{listener: newLine().Listener}, engine: &sqliteEngine{}}
	if err := s.listens(); err == nil || !strings.Contains(err.Error(), "option WithListener") {
		t.Errorf("a database that does not notify: %v", err)
	}
	s.config.listener = nil
	if _, _, err := s.Watch(t.Context(), backend.ID{}); !errors.Is(err, backend.ErrUnsupported) {
		t.Errorf("a watch without a listener: %v", err)
	}
}

func TestOnlyPostgresNotifies(t *testing.T) {
	t.Parallel()
	for _, d := range []Dialect{SQLite(noCode), MySQL(func(error) (uint16, bool) { return 0, false }), Postgres(PostgresDriver{})} {
		_, notifies := d.(postgresDialect)
		all := newStatements(table{name: defaultTable}, d.words())
		for _, q := range []*query{all.complete, all.release, all.hold, all.forget, all.forgetOwn} {
			if strings.Contains(q.text, "pg_notify") != notifies || strings.Contains(q.text, "{ended}") {
				t.Errorf("%T ends a claim with\n%s", d, q.text)
			}
		}
		for _, q := range []*query{all.renew, all.takeOver, all.pruneExpired, all.resolve, all.free, all.forgetExpired} {
			if strings.Contains(q.text, "pg_notify") {
				t.Errorf("%T notifies of what ends no claim:\n%s", d, q.text)
			}
		}
	}
}
