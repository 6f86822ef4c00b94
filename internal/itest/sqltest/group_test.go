package sqltest

import (
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem/backend/backendtest"
	sqlbackend "github.com/idem-go/idem/backend/sql"
	"github.com/idem-go/idem/internal/together"
)

// Whatever a store with GroupCommit is asked here goes the shared way, also where it is asked alone.
func init() { together.Always = true }

// grouped has the stores of a setup share statements.
func (s setup) grouped() setup {
	by := s.by
	s.by = func(t testing.TB, p *place) *place {
		if by != nil {
			p = by(t, p)
		}
		other := *p
		other.own = append([]sqlbackend.Option{sqlbackend.GroupCommit()}, p.own...)
		return &other
	}
	return s
}

func TestStoreKeepsTheContractTogether(t *testing.T) {
	everySetupAs(t, setup.grouped, func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.Run(t, func(rule *testing.T) backendtest.Harness { return harness(rule).Harness })
	})
}

func TestTransactorKeepsTheContractBesideWhatIsShared(t *testing.T) {
	everySetupAs(t, setup.grouped, func(t *testing.T, harness func(*testing.T) backendtest.TxHarness[*sqlx.Tx]) {
		backendtest.RunTransactor(t, harness)
	})
}

// What goes the shared way takes no more round trips than alone: whatever had to be done again would take two.
func TestRoundTripsTogether(t *testing.T) {
	each(t, func(v *via) bool { return v != viaMySQL8 && v.serves }, func(t *testing.T, p *place) {
		p.own = append(p.own, sqlbackend.GroupCommit())
		b := p.bench(t)
		want := trips{over: 3, told: 1, tx: 5, replay: 3, again: 3}
		if p.family() == mariadb {
			want.tx, want.replay = 7, 1
		}
		b.walk("prepares", false, want)
		b.walk("counts", true, want)
	})
}
