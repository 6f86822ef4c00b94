package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// help writes the overview, or the text of one command.
func help(w io.Writer, args []string) error {
	switch len(args) {
	case 0:
		return write(w, overview())
	case 1:
		if t, ok := topicOf(args[0]); ok {
			return write(w, t.text())
		}
		return usage(fmt.Errorf("unknown command %q", args[0]))
	}
	return usage(errors.New("help takes one command"))
}

func (t topic) text() string {
	head := "usage: idem " + t.name + " "
	synopsis := strings.ReplaceAll(t.synopsis, "\n", "\n"+strings.Repeat(" ", len(head)))
	return strings.TrimSpace(head+synopsis) + "\n\n" + t.help + "\nFor -backend and -json, which every command has, see: idem help\n"
}

func overview() string {
	var b strings.Builder
	b.WriteString(overviewHead)
	for _, t := range topics() {
		fmt.Fprintf(&b, "  %-12s %s\n", t.name, t.summary)
	}
	b.WriteString(overviewTail)
	return b.String()
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

const overviewHead = `usage: idem [-backend URL] [-json] COMMAND [flags]

Looks into the store in which programs keep their idempotency records, and settles
attempts whose outcome is unknown.

Woken up at night by "unknown outcome"? Three steps:

  1. idem list -guard payments       which attempts are unknown; the note may say
                                     where to look ("stripe pi_123")
  2. Find out, at the other side, whether it happened. Do not guess.
  3. It did not happen:              idem release REF -guard payments
     It happened:                    idem resolve REF -guard payments -answer JSON

Until then every retry with that key is refused and nothing runs twice: there is
time to look. Do not tell the client to use a new key; that could run it twice.

Commands:

`

const overviewTail = `  help         this text, or with a command's name all about that command

Flags that every command has, before its name or behind it:

  -backend URL   the store: sqlite:FILE, postgres://…, mysql://… or redis://…, the URL that
                 the program uses.
                 Default: the environment variable IDEM_BACKEND, which is also the
                 better place for a URL with a password
  -json          output for programs; durations are in milliseconds

Opening a store: a file that does not exist is an error, nothing is created in its
place. But a file that exists is brought up to date as a program does it that
starts: journal mode WAL, and idem's table, which is created if it is not there and
migrated if it is older. So name the right file, and use the idem of the version
that your programs have: older ones do not start on a newer table.

A guard is a named set of records; the name stands in the program, in idem.New. A
REF is the 64 characters in the first column of a listing. It stands for one
attempt: if somebody else was faster, or a later attempt has the same key, the
command changes nothing and says so.

Exit status: 0 all well, 1 it failed, 2 called in a wrong way. Errors are one line
on stderr. Tokens and answers are never printed.
`
