package memtest

import (
	"context"
	"strings"
	"sync"

	"github.com/idem-go/idem/backend"
)

func init() { backend.Register("memory", open) }

// named are the stores that this process shares by name, for as long as it lives.
var named = struct {
	sync.Mutex
	stores map[string]*Store
}{stores: map[string]*Store{}}

// open answers "memory:" with a store of its own and "memory:NAME" with the one of that name in this process.
func open(_ context.Context, url string) (backend.Handle, error) {
	_, name, _ := strings.Cut(url, ":")
	return backend.Handle{Store: storeNamed(name), Close: func() error { return nil }}, nil
}

func storeNamed(name string) *Store {
	if name == "" {
		return new(Store)
	}
	named.Lock()
	defer named.Unlock()
	if named.stores[name] == nil {
		named.stores[name] = new(Store)
	}
	return named.stores[name]
}

// Check reports the one thing that is wrong with memory: nothing in it survives the process.
func (s *Store) Check(context.Context) ([]backend.Finding, error) {
	return []backend.Finding{{
		Severity: backend.Warning,
		Setting:  "durability",
		Value:    "none",
		Advice:   "the records end with this process and other processes do not see them: use a database where money moves",
	}}, nil
}
