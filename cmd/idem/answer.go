package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// answerSource is where the answer for resolve comes from.
type answerSource struct {
	text, file string
	stdin      bool
}

// maxAnswer is the most bytes that are read: far more than a program stores unless it says so (idem.MaxResult).
const maxAnswer = 16 << 20

func (a *answerSource) flags(fs *flag.FlagSet) {
	fs.StringVar(&a.text, "answer", "", "")
	fs.StringVar(&a.file, "answer-file", "", "")
}

// take removes the operand that stands for standard input.
func (a *answerSource) take(operands []string) (rest []string) {
	for _, o := range operands {
		if o == "-" {
			a.stdin = true
		} else {
			rest = append(rest, o)
		}
	}
	return rest
}

// one says whether exactly one source was named.
func (a *answerSource) one() error {
	n := 0
	for _, named := range []bool{a.text != "", a.file != "", a.stdin} {
		if named {
			n++
		}
	}
	if n != 1 {
		return errors.New("give the answer once: -answer JSON, -answer-file F, or - for standard input")
	}
	return nil
}

// read returns the answer as compact JSON. Errors never repeat any of it.
func (a *answerSource) read(stdin io.Reader) (json.RawMessage, error) {
	data := []byte(a.text)
	switch {
	case a.stdin:
		return compact(limited(stdin))
	case a.file != "":
		f, err := os.Open(a.file)
		if err != nil {
			return nil, fmt.Errorf("the answer: %w", err)
		}
		defer f.Close()
		return compact(limited(f))
	}
	return compact(data, nil)
}

func limited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("it has more than %d MiB", maxAnswer>>20)
	}
	return data, err
}

// compact checks what encoding/json would let pass or quietly replace, too.
func compact(data []byte, err error) (json.RawMessage, error) {
	var b bytes.Buffer
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer: %w", err)
	case !utf8.Valid(data):
		return nil, errors.New("the answer is not valid UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("the answer is not valid JSON, at byte %d", syntax.Offset)
		}
		return nil, errors.New("the answer is not valid JSON")
	}
	err = json.Compact(&b, raw)
	return b.Bytes(), err
}
