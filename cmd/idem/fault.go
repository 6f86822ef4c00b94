package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/idem-go/idem"
)

// The exit statuses.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

// usageError is an error of whoever typed the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error { return usageError{err} }

// errNotConfirmed ends a command that removes something and was not told -yes.
var errNotConfirmed = errors.New("nothing was removed; to remove it, add -yes")

// report writes err as one line and returns the exit status that it stands for.
func report(w io.Writer, command string, err error) int {
	if err == nil {
		return exitOK
	}
	status, line := statusOf(err), "idem"
	if command != "" {
		line += " " + command
	}
	line += ": " + plain(err)
	if status == exitUsage {
		line += strings.TrimSuffix("; see: idem help "+command, " ")
	}
	_, _ = fmt.Fprintln(w, line)
	return status
}

func statusOf(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	switch idem.CodeOf(err) {
	case idem.CodeInvalidOption, idem.CodeMissingKey, idem.CodeInvalidKey, idem.CodeMissingUser, idem.CodeInvalidUser:
		return exitUsage
	}
	return exitFault
}

// plain is err on one line, without the names of the packages that pass it on.
func plain(err error) string {
	text := ": " + strings.ReplaceAll(err.Error(), "\n", "; ") // errors.Join puts each on a line
	for _, pkg := range []string{"idem", "backend"} {
		text = strings.ReplaceAll(text, ": "+pkg+": ", ": ")
	}
	if errors.Is(err, context.Canceled) {
		text = ": interrupted" + text
	}
	return strings.TrimPrefix(text, ": ")
}
