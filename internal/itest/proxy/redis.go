package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Redis is RESP, version 2 or 3. A request is a command, also inside a pipeline. Once a connection subscribes or watches
// the server, what the server says is passed on as it comes. https://redis.io/docs/latest/develop/reference/protocol-spec
var Redis Protocol = redisProtocol{}

type redisProtocol struct{}

func (redisProtocol) wire() wire { return new(redisWire) }

type redisWire struct{}

// What a client sends to set a connection up, to see whether it is alive, and to know a Cluster.
var redisSession = []string{
	"AUTH", "CLIENT", "CLUSTER", "COMMAND", "ECHO", "HELLO", "INFO", "PING", "QUIT", "READONLY", "READWRITE", "SELECT", "ASKING",
}

func (*redisWire) read(from *bufio.Reader) ([]byte, Request, bool, error) {
	raw, words, err := readRESP(from, nil)
	if err != nil || len(words) == 0 {
		return raw, Request{Kind: Session}, false, err
	}
	r := Request{Kind: Statement, Text: strings.Join(words, " ")}
	switch name := strings.ToUpper(words[0]); {
	case slices.Contains(redisSession, name):
		r.Kind = Session
	case strings.HasSuffix(name, "SUBSCRIBE"), name == "MONITOR", name == "SYNC", name == "PSYNC":
		return raw, r, false, nil
	}
	return raw, r, true, nil
}

func (*redisWire) answer(from *bufio.Reader, r *Request) (raw []byte, last, stray bool, err error) {
	push := false
	if first, err := from.Peek(1); err == nil {
		push = first[0] == '>'
	}
	raw, _, err = readRESP(from, nil)
	return raw, !push, push || r == nil, err
}

// readRESP reads one value with all that is in it, and appends it to raw. words are the bulk strings that are directly
// in it.
func readRESP(from *bufio.Reader, raw []byte) (all []byte, words []string, err error) {
	line, err := from.ReadBytes('\n')
	raw = append(raw, line...)
	if err != nil {
		return raw, nil, err
	}
	if len(line) < 3 || !bytes.HasSuffix(line, []byte("\r\n")) {
		return raw, nil, fmt.Errorf("proxy: a line of RESP is %q", line)
	}
	size, err := respSize(line)
	if err != nil {
		return raw, nil, err
	}
	switch line[0] {
	case '$', '!', '=': // strings with a length
		if size < 0 {
			return raw, nil, nil
		}
		begin := len(raw)
		raw, err = readMore(from, raw, size+2)
		return raw, []string{string(raw[begin:min(begin+size, len(raw))])}, err
	case '*', '~', '>', '%', '|':
		if line[0] == '%' || line[0] == '|' {
			size *= 2
		}
		for range max(0, size) {
			var word []string
			if raw, word, err = readRESP(from, raw); err != nil {
				return raw, words, err
			}
			if len(word) == 1 {
				words = append(words, word[0])
			}
		}
		if line[0] == '|' { // attributes stand before the value that they are of
			return readRESP(from, raw)
		}
	}
	return raw, words, nil
}

func respSize(line []byte) (int, error) {
	if !bytes.ContainsAny(line[:1], "$!=*~>%|") {
		return 0, nil
	}
	size, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil {
		return 0, fmt.Errorf("proxy: a length of RESP is %q", line)
	}
	return size, nil
}
