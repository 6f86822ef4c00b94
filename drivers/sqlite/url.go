package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func init() { backend.Register("sqlite", openURL) }

// openURL opens sqlite:FILE[?query]. FILE is a path, relative or absolute, also after an empty authority
// (sqlite:///srv/app.db), in which ?, # and % are written as %3F, %23 and %25. The query may have
//
//	synchronous   full (the default), normal or extra
//	busy_timeout  a duration, such as 3s
//
// and idem's parameters table, readable, migrate and conns, as sqlbackend.Driver.Prepare says, and nothing else.
func openURL(ctx context.Context, address string) (backend.Handle, error) {
	s := newSettings()
	opening, address, err := opener(s).Prepare(address, nil)
	if err != nil {
		return backend.Handle{}, err
	}
	file, err := parseURL(address)
	if err != nil {
		return backend.Handle{}, fmt.Errorf("sqlite: %w", err)
	}
	db, store, err := s.open(ctx, file, opening)
	if err != nil {
		return backend.Handle{}, err
	}
	return backend.Handle{Store: store, Close: db.Close}, nil
}

// parameters are what a URL may say of this package's own options.
var parameters = map[string]sqlbackend.Parameter{
	"synchronous": func(value string) (sqlbackend.OpenOption, error) { return Synchronous(value), nil },
	"busy_timeout": func(value string) (sqlbackend.OpenOption, error) {
		d, err := time.ParseDuration(value)
		if err != nil {
			return nil, errors.New("must be a duration such as 3s")
		}
		return BusyTimeout(d), nil
	},
}

// parseURL returns the file that address names. What it may say in its query was taken out before.
func parseURL(address string) (file string, err error) {
	rest, found := strings.CutPrefix(address, "sqlite:")
	if !found {
		return "", errors.New("the URL must be sqlite:FILE")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(authority, "/") {
			return "", errors.New("a host makes no sense: write sqlite:FILE, or sqlite:///FILE for an absolute path")
		}
		rest = authority
	}
	if file, err = url.PathUnescape(rest); err != nil || strings.Contains(rest, "#") {
		return "", errors.New("in the file's name ?, # and % must be written as %3F, %23 and %25")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("the query cannot be read: it must be NAME=VALUE, joined by &")
	}
	for name := range values {
		return "", fmt.Errorf("unknown parameter %q: known are synchronous, busy_timeout, table, readable, migrate and conns", name)
	}
	return file, nil
}
