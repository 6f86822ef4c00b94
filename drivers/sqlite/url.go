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
//	table         the table of records
//	readable      false leaves guard, user and key out
//
// and nothing else. The store brings its schema up to date when it is opened.
func openURL(ctx context.Context, text string) (backend.Handle, error) {
	file, opts, err := parseURL(text)
	if err != nil {
		return backend.Handle{}, fmt.Errorf("sqlite: %w", err)
	}
	db, store, err := Open(ctx, file, opts...)
	if err != nil {
		return backend.Handle{}, err
	}
	return backend.Handle{Store: store, Close: db.Close}, nil
}

func parseURL(text string) (file string, opts []Option, err error) {
	rest, found := strings.CutPrefix(text, "sqlite:")
	if !found {
		return "", nil, errors.New("the URL must be sqlite:FILE")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(authority, "/") {
			return "", nil, errors.New("a host makes no sense: write sqlite:FILE, or sqlite:///FILE for an absolute path")
		}
		rest = authority
	}
	if file, err = url.PathUnescape(rest); err != nil || strings.Contains(rest, "#") {
		return "", nil, errors.New("in the file's name ?, # and % must be written as %3F, %23 and %25")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, errors.New("the query cannot be read: it must be NAME=VALUE, joined by &")
	}
	for name, all := range values {
		if len(all) != 1 {
			return "", nil, fmt.Errorf("the parameter %s is given %d times", name, len(all))
		}
		opt, err := parameter(name, all[0])
		if err != nil {
			return "", nil, err
		}
		opts = append(opts, opt)
	}
	return file, opts, nil
}

func parameter(name, value string) (Option, error) {
	switch name {
	case "synchronous":
		return Synchronous(value), nil
	case "busy_timeout":
		d, err := time.ParseDuration(value)
		if err != nil {
			return nil, fmt.Errorf("the parameter busy_timeout must be a duration such as 3s, not %q", value)
		}
		return BusyTimeout(d), nil
	case "table":
		return Table(value), nil
	case "readable":
		if value != "false" && value != "true" {
			return nil, fmt.Errorf("the parameter readable must be true or false, not %q", value)
		}
		if value == "true" {
			return With(), nil
		}
		return With(sqlbackend.WithoutReadable()), nil
	}
	return nil, fmt.Errorf("unknown parameter %q: known are synchronous, busy_timeout, table and readable", name)
}
