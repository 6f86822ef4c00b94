package main

import (
	"context"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// users is the authentication step.
//
// It is a STAND-IN: whoever writes "Authorization: Bearer alice" is alice, without a password or a signature. A real
// service checks a token here and returns the account that it belongs to: an id that is never given to somebody else,
// not an e-mail address. With tenants it returns idem.Scope(tenant, account).
type users struct {
	db  *sqlx.DB
	log *log.Logger
}

// authenticate is the UserFunc of the guarded routes, and what all other routes call too. The user is created here,
// before anything is claimed, since the records have a foreign key to users.
func (u users) authenticate(r *http.Request) (idem.User, error) {
	name, ok := bearer(r.Header["Authorization"])
	if !ok {
		return "", idem.ErrMissingUser
	}
	if err := u.ensure(r.Context(), name); err != nil {
		u.log.Printf("authentication: %v", err)
		return "", errNoUsers
	}
	return idem.User(name), nil
}

// errNoUsers is an answer of its own: that the users cannot be read does not make the caller a nobody (401).
var errNoUsers = &httpadapter.Problem{
	Status: http.StatusServiceUnavailable, Code: string(httpadapter.CodeUserUnknown),
	Detail: "The request was not processed. Send the request again with the same key.",
	Header: http.Header{"Retry-After": {"1"}},
}

// ensure looks before it writes, so that a known user does not wait for SQLite's one writer.
func (u users) ensure(ctx context.Context, name string) error {
	var known bool
	err := u.db.GetContext(ctx, &known, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)`, name)
	if err != nil || known {
		return err
	}
	_, err = u.db.ExecContext(ctx, `INSERT INTO users (id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, now())
	return err
}

// bearer returns the token of a well-formed header (RFC 6750, section 2.1): one line, the scheme in any case, a token68
// of 1 to 255 characters, as many as a user may have.
func bearer(lines []string) (token string, ok bool) {
	if len(lines) != 1 {
		return "", false
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	token = strings.Trim(rest, " ")
	body := strings.TrimRight(token, "=")
	if !strings.EqualFold(scheme, "Bearer") || body == "" || len(token) > 255 {
		return "", false
	}
	return token, !strings.ContainsFunc(body, notToken68)
}

func notToken68(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	return !letter && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/", c)
}

// now is the time of a row, in UTC. It decides nothing: leases and retentions are on the store's clock.
func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }
