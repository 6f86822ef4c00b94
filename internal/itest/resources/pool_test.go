package resources

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// A store with one connection serves many callers, who queue for it: none runs without a claim, none is turned away, and
// the functions of all of them are at work at once, since none holds a connection meanwhile.
func TestAPoolOfOneServesEveryCaller(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			url, _ := p.fresh(t)
			h, err := backend.Open(t.Context(), strings.NewReplacer("conns=8", "conns=1", "pool_size=8", "pool_size=1").Replace(url))
			require.NoError(t, err)
			defer func() { require.NoError(t, h.Close()) }()
			const callers = 50
			v := newVisitor(t, h.Store)
			var began, all sync.WaitGroup
			began.Add(callers)
			for i := range callers {
				all.Go(func() {
					_, err := idem.Do(t.Context(), v.rerun, idem.Key(fmt.Sprint("key ", i)), owner, i, func(ctx context.Context, i int) (string, error) {
						began.Done()
						began.Wait()
						return succeed(ctx, i)
					})
					if err != nil {
						t.Errorf("caller %d: %v", i, err)
					}
				})
				if v.tx != nil { // whose function has the one connection to itself
					all.Go(func() {
						_, err := idem.DoTx(t.Context(), v.tx, idem.Key(fmt.Sprint("tx ", i)), owner, i,
							func(ctx context.Context, _ *sqlx.Tx, i int) (string, error) { return succeed(ctx, i) })
						if err != nil {
							t.Errorf("transaction %d: %v", i, err)
						}
					})
				}
			}
			all.Wait()
		})
	}
}
