package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/backend/redis" // their schemes
	_ "github.com/idem-go/idem/drivers/mysql"
	_ "github.com/idem-go/idem/drivers/pgx"
	_ "github.com/idem-go/idem/drivers/sqlite"
)

// session is an opened store and what a command prints to.
type session struct {
	console
	store backend.Store
	close func() error
	out   printer
}

// anyGuard is the name of the guard for what concerns the whole store.
const anyGuard = "operator"

// open opens the store that g names. It creates none.
func open(ctx context.Context, g globals, c console) (*session, error) {
	if g.backend == "" {
		return nil, usage(errors.New("say which store: -backend sqlite:FILE, or set IDEM_BACKEND"))
	}
	if err := present(g.backend); err != nil {
		return nil, err
	}
	h, err := backend.Open(ctx, g.backend)
	if err != nil {
		return nil, err
	}
	return &session{console: c, store: h.Store, close: h.Close, out: printer{c.stdout, g.json}}, nil
}

// present refuses a file of SQLite that is not there, which the driver would create: an empty store that looks like one
// without a fault helps nobody. What is wrong with the URL itself the driver says.
func present(backendURL string) error {
	rest, ok := strings.CutPrefix(backendURL, "sqlite:")
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "?")
	file, err := url.PathUnescape(strings.TrimPrefix(rest, "//"))
	if err != nil || file == "" {
		return nil
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %q: name the one that the program uses; none was created", file)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a file", file)
	case info.Size() == 0:
		return fmt.Errorf("the file %q is empty: no program keeps its records there", file)
	}
	return nil
}

// guard returns the guard of that name. Its guarantee does not matter to what an operator does.
func (s *session) guard(name string) (*idem.Guard, error) { return idem.New(name, s.store) }

func (s *session) inspector() (backend.Inspector, error) {
	in, ok := s.store.(backend.Inspector)
	if !ok {
		return nil, fmt.Errorf("%w: it cannot be looked into", idem.ErrUnsupported)
	}
	return in, nil
}

// note tells the operator something that is no part of the output.
func (s *session) note(command, format string, args ...any) {
	_, _ = fmt.Fprintf(s.stderr, "idem %s: note: %s\n", command, fmt.Sprintf(format, args...))
}
