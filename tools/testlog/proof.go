package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// proofMark begins a line in which a test binary says at its end how often it did something: "proof: 500 kills", or
// "proof: 12 of 12 mutations caught" where it says too how often it ought to have.
const proofMark = "proof: "

// count is what such lines say of one thing, added up.
type count struct {
	what     string
	done, of int
	isPart   bool // of is said
}

func (c count) String() string {
	if c.isPart {
		return fmt.Sprintf("%d of %d %s", c.done, c.of, c.what)
	}
	return fmt.Sprintf("%d %s", c.done, c.what)
}

func parseCount(text string) (c count, err error) {
	number, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if c.done, err = strconv.Atoi(number); err != nil {
		return c, fmt.Errorf("%q begins with no number", text)
	}
	c.what = rest
	if part, ok := strings.CutPrefix(rest, "of "); ok {
		number, c.what, _ = strings.Cut(part, " ")
		if c.of, err = strconv.Atoi(number); err != nil {
			return c, fmt.Errorf("%q is a part of no number", text)
		}
		c.isPart = true
	}
	if c.what == "" {
		return c, fmt.Errorf("%q says of nothing how often", text)
	}
	return c, nil
}

// proof is what has been counted, in the order in which it was first told.
type proof []count

func (p *proof) add(text string) error {
	c, err := parseCount(text)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(*p, func(known count) bool { return known.what == c.what && known.isPart == c.isPart })
	if i < 0 {
		*p = append(*p, c)
		return nil
	}
	(*p)[i].done += c.done
	(*p)[i].of += c.of
	return nil
}

// addFile adds the lines of a file that write wrote. No file is no lines.
func (p *proof) addFile(name string) error {
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if err := p.add(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (p proof) write(name string) error {
	var text strings.Builder
	for _, c := range p {
		fmt.Fprintln(&text, c)
	}
	return os.WriteFile(name, []byte(text.String()), 0o600)
}
