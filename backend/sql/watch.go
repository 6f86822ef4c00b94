package sqlbackend

import (
	"context"
	"errors"
	"fmt"

	"github.com/idem-go/idem/backend"
)

var _ backend.Notifier = (*Store)(nil)

// notifier is an engine whose database can notify.
type notifier interface {
	// mark has the end of a pending record notified, whoever ends it and wherever, and reports whether there is one to
	// be seen.
	mark(context.Context, backend.ID) (bool, error)

	// notify sends a payload to every Listener.
	notify(ctx context.Context, payload string) error
}

// Watch tells of a record's end as backend.Notifier says, on PostgreSQL and with a Listener. It marks the record, so that
// notifying costs nothing where nobody waits. What a transaction has claimed cannot be seen, nor marked.
func (s *Store) Watch(ctx context.Context, id backend.ID) (<-chan struct{}, func(), error) {
	l, n := s.config.listener, s.notifier()
	if l == nil || n == nil {
		return nil, nil, fmt.Errorf("sqlbackend: watch: the store has no listener: %w", backend.ErrUnsupported)
	}
	if runs, err := l.state(); runs && err != nil {
		return nil, nil, err
	}
	there, err := n.mark(ctx, id)
	if err == nil && !there {
		err = errors.New("there is no claim to be seen")
	}
	if err != nil {
		return nil, nil, failure(ctx, "watch", err, s.engine.classify)
	}
	return l.watch(id)
}

func (s *Store) notifier() notifier {
	n, _ := s.engine.(notifier)
	return n
}

// WithListener has waiters told of the end of what they wait for, instead of asking every quarter of a second. It is
// PostgreSQL's. Whoever made the listener closes it.
func WithListener(l *Listener) Option {
	return storeOption(func(c *config) error {
		if l == nil || l.listen == nil {
			return fmt.Errorf("sqlbackend: option WithListener: it is nil, or not made by NewListener")
		}
		c.listener = l
		return nil
	})
}

// listens connects the store and its listener.
func (s *Store) listens() error {
	l := s.config.listener
	if l == nil {
		return nil
	}
	n := s.notifier()
	if n == nil {
		return fmt.Errorf("sqlbackend: option WithListener: this database does not notify")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proves[s.db] = n.notify
	return nil
}
