package histories

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// A Renew finds no record, and before it can look what is there, a Begin under its token arrives that was long under way: it
// may say that the claim is lost, or renew it, but not that it was renewed where it was not.
func TestARenewalThatIsKeptHasRenewed(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]database{"PostgreSQL": postgres, "MariaDB": mariadb} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := d.place(t, d.fresh(t), "records")
			way := proxy.Start(t, place.server, place.protocol)
			near, far := place.reach(t, place.server), place.reach(t, way.Addr())
			claim := backend.Claim{
				ID: backend.NewID("histories", "user", "key"), Token: backend.NewToken(), Lease: time.Minute, Retention: time.Hour,
				Guard: "histories", User: "user", Key: "key",
			}
			renewal := backend.Renewal{Lease: time.Hour, Retention: time.Hour, Note: "renewed"}
			g, err := far.Renew(t.Context(), claim.ID, claim.Token, renewal) // which opens a connection, and prepares
			require.NoError(t, err)
			require.Equal(t, backend.Lost, g.Verdict)

			looks := way.Inject(proxy.Fault{Skip: 1, Do: proxy.Stall})
			arrived := make(chan error, 1)
			go func() {
				<-looks.Hit()
				_, err := near.Begin(t.Context(), claim)
				looks.Release()
				arrived <- err
			}()
			g, err = far.Renew(t.Context(), claim.ID, claim.Token, renewal)
			require.NoError(t, err)
			require.NoError(t, <-arrived)
			found, err := near.Lookup(t.Context(), claim.ID)
			require.NoError(t, err)
			require.Equal(t, g.Verdict == backend.Kept, found.Note == renewal.Note, "%v", g.Verdict)
			require.Equal(t, g.Verdict == backend.Kept, found.LeaseLeft > claim.Lease, "%v", g.Verdict)
		})
	}
}
