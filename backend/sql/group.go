package sqlbackend

import (
	"context"
	"sync"
	"time"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/together"
)

// GroupCommit has calls share statements, and so commits: what calls ask while more than eight are under way waits for some of
// these, for 50 ms at most, and then goes to the database as one statement for all claims, one for all completions, and so on;
// on SQLite everything that is queued for its one writer shares a transaction. While there are fewer, each sends its own
// statement as without it. No call's error, deadline or cancellation reaches another one: what a shared statement did not do,
// also because a row was locked, each call does again by itself. Calls inside transactions, as those of idem.DoTx and
// idem.JoinTx, share nothing.
//
// With many callers it saves the server work, flushes of its disk, and round trips. What it can cost is the wait, up to one
// more round trip, and a second statement wherever the first one did not do. It is off by default. On SQLite it pays from eight
// callers on, and most where synchronous is FULL. On MySQL it changes nothing.
func GroupCommit() Option {
	return storeOption(func(c *config) error {
		c.group = true
		return nil
	})
}

// light is how many bytes an answer has that others wait behind.
const light = 16 << 10

// grouper is an engine that carries out together what calls ask in the same moment.
type grouper interface {
	// group returns nil where the server cannot.
	group() group
}

// group carries out transitions, each alone or among others.
type group interface {
	carry(ctx context.Context, t *transition) error
}

// batcher makes several transitions of one kind in one statement. The ids are sorted, and no two are the same. Where it
// returns an error none was made, or it is not known. A transition that it does not say is known its caller makes alone.
type batcher interface {
	batch(ctx context.Context, k kind, ts []*transition) error
}

// batches is the group of a server: a line for each kind of transition.
type batches struct {
	store  *Store
	crowd  together.Crowd // of all lines
	lines  [len(kinds)]together.Line[*transition]
	behind behind
}

const (
	patience = 50 * time.Millisecond // what a call waits in a line before it goes alone
	fewCalls = 8                     // at once: a statement that so few share costs as much as theirs, and a wait
	worth    = 8                     // calls that do not wait for a shared statement to return, as long as there may be another
)

func newBatches(s *Store, b batcher, flushes int) *batches {
	g := &batches{store: s, crowd: together.Crowd{Few: fewCalls}}
	for _, k := range kinds {
		l := &g.lines[k]
		l.Alone, l.Own, l.Known = s.alone, (*transition).own, func(t *transition) (bool, error) { return t.known, nil }
		l.Many = func(ctx context.Context, ts []*transition) {
			_ = b.batch(ctx, k, sortedByID(ts)) // what is not known each makes alone, and has its own error
		}
		l.Flushes, l.Beside, l.Crowd, l.Patience = flushes, worth, &g.crowd, patience
	}
	return g
}

func (g *batches) carry(ctx context.Context, t *transition) error {
	if t.kind == releasing {
		g.behind.await(ctx, t.token)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case t.heavy():
		return g.store.alone(ctx, t)
	}
	on, err := g.lines[t.kind].Do(ctx, t)
	if on != nil && t.kind == claiming {
		g.behind.add(t.token, on)
	}
	return err
}

// behind are the claims whose callers have left while they were on their way, and when that is over. The release that follows
// waits for it: it would otherwise overtake the claim, which would then block the record for nobody.
type behind struct {
	mu     sync.Mutex
	claims map[backend.Token]<-chan struct{}
}

func (b *behind) add(token backend.Token, over <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.claims == nil {
		b.claims = make(map[backend.Token]<-chan struct{})
	}
	for old, over := range b.claims {
		select {
		case <-over:
			delete(b.claims, old)
		default:
		}
	}
	b.claims[token] = over
}

// await waits until the claim under token is over, if it was left behind, or ctx is.
func (b *behind) await(ctx context.Context, token backend.Token) {
	b.mu.Lock()
	over := b.claims[token]
	b.mu.Unlock()
	if over == nil {
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
}
