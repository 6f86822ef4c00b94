package sqlbackend

import (
	"errors"
	"fmt"
	"strings"
)

// sqlState is what the errors of PostgreSQL's drivers have in common: the code of
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
type sqlState interface {
	error
	SQLState() string
}

// stateOf returns the code of a server's error, which may be wrapped, and "" for all others.
func stateOf(err error) string {
	var e sqlState
	if !errors.As(err, &e) {
		return ""
	}
	return e.SQLState()
}

// The codes that mean something here.
const (
	stateSerialization  = "40001"
	stateDeadlock       = "40P01"
	stateForeignKey     = "23503"
	stateTooLarge       = "54000" // program_limit_exceeded
	stateReadOnly       = "25006"
	stateCompletionLost = "40003" // statement_completion_unknown
)

// doubtful are the classes of codes after which a COMMIT may have happened: connections, resources, operators and
// breakage.
var doubtful = []string{"08", "53", "57", "58", "F0", "XX"}

func (d postgresDialect) classify(err error) class {
	if err != nil && d.driver.RolledBack != nil && d.driver.RolledBack(err) {
		return refused
	}
	state := stateOf(err)
	switch state {
	case "", stateCompletionLost:
		return unclassified
	case stateSerialization, stateDeadlock:
		return conflict
	case stateForeignKey:
		return missingKey
	case stateTooLarge:
		return tooLarge
	}
	for _, c := range doubtful {
		if strings.HasPrefix(state, c) {
			return unclassified
		}
	}
	return refused
}

// explained says of a refused write what the server's own words leave open.
func explained(err error) error {
	if stateOf(err) != stateReadOnly {
		return withoutDetail(err)
	}
	return fmt.Errorf("this server is a standby or read-only, and records need the one that takes writes: %w", err)
}

// bareError is a server's error without the fields beside its message. Those of a broken constraint repeat the row: the
// user, the key and the token.
type bareError struct{ text, state string }

func (e *bareError) Error() string { return e.text }

// SQLState returns the server's code.
func (e *bareError) SQLState() string { return e.state }

func withoutDetail(err error) error {
	if state := stateOf(err); strings.HasPrefix(state, "23") {
		return &bareError{text: err.Error(), state: state}
	}
	return err
}
