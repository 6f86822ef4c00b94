package itest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// canaryEnv in the environment names the file that the canary's tokens go to, and has the scenes played.
const canaryEnv = "IDEM_ITEST_CANARY"

func TestNothingSecretComesOut(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	tokens := filepath.Join(t.TempDir(), "tokens")
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestTheCanarysScenes$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), canaryEnv+"="+tokens)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	hidden := readTokens(t, tokens)
	require.Greater(t, len(hidden), 50, "the tokens, ids and fingerprints of the calls")
	secrets := map[string][]secret{}
	for _, way := range []string{wayError, wayEvent, wayRefusal, wayOutput} {
		secrets[way] = secretsOf(way, hidden)
	}

	planted, leaks, scene := map[string]int{}, map[string]string{}, "before the scenes"
	for line := range strings.Lines(string(out)) {
		way := wayOf(line)
		scene = sceneOf(line, scene)
		if strings.Contains(line, markPlanted) {
			planted[way]++
		} else if found := leak(line, secrets[way]); found != "" {
			leaks[way+" in "+scene] = found + ": " + line
		}
	}
	for where, what := range leaks {
		t.Errorf("%s lets out %s", where, what)
	}
	require.Equal(t, map[string]int{wayError: 1, wayEvent: 1, wayRefusal: 1, wayOutput: 5}, planted, "where what was planted came out")
}

// sceneOf is the scene that a line of the output is from; the last one, if the line does not begin another.
func sceneOf(line, last string) string {
	if name, ok := strings.CutPrefix(line, "=== RUN "); ok {
		return strings.TrimSpace(name)
	}
	return last
}

func wayOf(line string) string {
	for _, way := range []string{wayError, wayEvent, wayRefusal} {
		if strings.HasPrefix(line, way) {
			return way
		}
	}
	return wayOutput
}

func readTokens(t *testing.T, file string) (tokens []secret) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		kind, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		token, err := hex.DecodeString(digits)
		require.NoError(t, err)
		tokens = append(tokens, newSecret("a "+kind, token))
	}
	return tokens
}

// canary plays scenes and tells what it hears. A line is what came out on one way.
type canary struct {
	mu     sync.Mutex
	tokens map[string]bool // a kind and hexadecimal digits each
	codes  map[idem.Code]bool
	kinds  map[idem.EventKind]chan struct{} // closed once there was one
}

func newCanary() *canary {
	c := &canary{tokens: map[string]bool{}, codes: map[idem.Code]bool{}, kinds: map[idem.EventKind]chan struct{}{}}
	for kind := idem.EventClaimed; kind <= idem.EventPruneFailed; kind++ {
		c.kinds[kind] = make(chan struct{})
	}
	return c
}

// plant lets the planted mark out on every way.
func (c *canary) plant(t *testing.T) {
	c.hear(errors.New(markPlanted))
	c.Observe(t.Context(), idem.Event{Guard: markPlanted})
	c.refused(http.StatusTeapot, nil, []byte(markPlanted))
	fmt.Println(markPlanted)
	fmt.Fprintln(os.Stderr, markPlanted)
	log.Print(markPlanted)
	slog.Info(markPlanted)
	t.Log(markPlanted)
}

// hear tells an error, all of its chain in all ways to print it, and returns it.
func (c *canary) hear(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes[idem.CodeOf(err)] = true
	if err != nil {
		fmt.Printf("%s %s\n", wayError, strings.Join(chain(err), " | "))
	}
	return err
}

// chain returns the texts of err and of all that it wraps, each on one line.
func chain(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{oneLine("%v", err), oneLine("%+v", err), oneLine("%#v", err)}
	switch wrapper := err.(type) { //nolint:errorlint // each link is looked at by itself
	case interface{ Unwrap() error }:
		texts = append(texts, chain(wrapper.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			texts = append(texts, chain(inner)...)
		}
	}
	return texts
}

func oneLine(format string, v any) string {
	return strings.ReplaceAll(fmt.Sprintf(format, v), "\n", `\n`)
}

// Observe tells an event.
func (c *canary) Observe(_ context.Context, e idem.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Printf("%s %s | %s\n", wayEvent, oneLine("%+v", e), strings.Join(chain(e.Err), " | "))
	seen, ok := c.kinds[e.Kind]
	if !ok {
		return
	}
	select {
	case <-seen:
	default:
		close(seen)
	}
}

// refused tells what a client was sent instead of an answer.
func (c *canary) refused(status int, header http.Header, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Printf("%s %d %s %s\n", wayRefusal, status, oneLine("%v", header), oneLine("%s", body))
}

// claimed keeps what a claim must not show: its token, and all of its id and fingerprint but what an id may show.
func (c *canary) claimed(claim backend.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[fmt.Sprintf("token %x", claim.Token[:])] = true
	c.tokens[fmt.Sprintf("id %x", claim.ID[4:])] = true
	c.tokens[fmt.Sprintf("fingerprint %x", claim.Fingerprint[1:])] = true
}

func (c *canary) writeTokens(t *testing.T, file string) {
	t.Helper()
	lines := strings.Join(slices.Sorted(maps.Keys(c.tokens)), "\n")
	require.NoError(t, os.WriteFile(file, []byte(lines), 0o600))
}
