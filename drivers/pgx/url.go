package pgx

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

func init() {
	backend.Register("postgres", openURL)
	backend.Register("postgresql", openURL)
}

// openURL opens a URL as pgx knows it. Of its query
//
//	table     the table of records
//	readable  false leaves guard, user and key out
//	migrate   false leaves the schema alone
//	conns     the most connections
//
// are idem's, and all others pgx's.
func openURL(ctx context.Context, text string) (backend.Handle, error) {
	dsn, opts, err := parseURL(text)
	if err != nil {
		return backend.Handle{}, fmt.Errorf("pgx: %w", err)
	}
	db, store, err := Open(ctx, dsn, opts...)
	if err != nil {
		return backend.Handle{}, err
	}
	return backend.Handle{Store: store, Close: db.Close}, nil
}

// parseURL takes idem's parameters out of the query and leaves all else as it is.
func parseURL(text string) (dsn string, opts []Option, err error) {
	place, query, _ := strings.Cut(text, "?")
	var rest []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		parameter, ours := parameters[name]
		if !ours {
			if part != "" {
				rest = append(rest, part)
			}
			continue
		}
		if seen[name] {
			return "", nil, fmt.Errorf("the parameter %s is given twice", name)
		}
		seen[name] = true
		value, err := url.QueryUnescape(value)
		if err != nil {
			return "", nil, fmt.Errorf("the parameter %s cannot be read", name)
		}
		opt, err := parameter(value)
		if err != nil {
			return "", nil, fmt.Errorf("the parameter %s %w", name, err)
		}
		opts = append(opts, opt)
	}
	if len(rest) > 0 {
		place += "?" + strings.Join(rest, "&")
	}
	return place, opts, nil
}

var parameters = map[string]func(value string) (Option, error){
	"table": func(value string) (Option, error) { return Table(value), nil },
	"readable": func(value string) (Option, error) {
		return unless(value, With(sqlbackend.WithoutReadable()))
	},
	"migrate": func(value string) (Option, error) { return unless(value, WithoutMigrate()) },
	"conns": func(value string) (Option, error) {
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, errors.New("must be a number")
		}
		return Conns(n), nil
	},
}

// unless returns o where value is false, and nothing to do where it is true.
func unless(value string, o Option) (Option, error) {
	switch value {
	case "false":
		return o, nil
	case "true":
		return With(), nil
	}
	return nil, errors.New("must be true or false")
}
