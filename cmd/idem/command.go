package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/idem-go/idem/backend"
)

// command is one call of one of the tool's commands. Its methods are called in this order.
type command interface {
	flags(fs *flag.FlagSet)
	accept(operands []string) error // whether flags and operands make sense; no store is open yet
	run(ctx context.Context, s *session) error
}

// topic is what the tool knows about a command.
type topic struct {
	name     string
	synopsis string // what stands behind the name; may have several lines
	summary  string
	help     string
	start    func() command
}

// topics are all commands, in the order in which the overview shows them.
func topics() []topic {
	return []topic{
		listTopic, showTopic, releaseTopic, resolveTopic,
		forgetTopic, forgetUserTopic, pruneTopic, checkTopic,
	}
}

func topicOf(name string) (topic, bool) {
	for _, t := range topics() {
		if t.name == name {
			return t, true
		}
	}
	return topic{}, false
}

func newFlagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse parses flags that stand before, between and behind the operands, and returns the latter.
func parse(fs *flag.FlagSet, args []string) (operands []string, err error) {
	var flags []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			operands = append(operands, args...)
			break
		}
		if isOperand(arg) {
			operands = append(operands, arg)
			continue
		}
		flags = append(flags, arg)
		if wantsValue(fs, arg) && len(args) > 0 {
			flags, args = append(flags, args[0]), args[1:]
		}
	}
	return operands, fs.Parse(flags)
}

// isOperand: one reference in 64 begins with a hyphen and is no flag all the same.
func isOperand(arg string) bool {
	if arg == "-" || !strings.HasPrefix(arg, "-") {
		return true
	}
	_, err := backend.ParseRef(arg)
	return err == nil
}

// wantsValue reports whether arg is a flag whose value is the next argument.
func wantsValue(fs *flag.FlagSet, arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	f := fs.Lookup(name)
	if f == nil {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// given is a flag and its value.
type given struct{ flag, value string }

// need names the first flag that has no value.
func need(flags ...given) error {
	for _, f := range flags {
		if f.value == "" {
			return fmt.Errorf("-%s is missing", f.flag)
		}
	}
	return nil
}

func noOperands(operands []string) error {
	if len(operands) > 0 {
		return errors.New("there is an argument too many")
	}
	return nil
}
