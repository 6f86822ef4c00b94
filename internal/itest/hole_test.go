package itest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/internal/itest/proxy"
)

// silence is a fault that nobody is told of: a client learns of it by his own patience alone.
type silence struct {
	*far
	story story
	fault proxy.Fault
	met   proxy.Request
	found *proxy.Injection
	told  telling
}

// silentLease is the lease of calls that silence meets, and silentRun how long fn may take.
const silentLease, silentRun = 2 * time.Second, 2 * time.Second

// A request or an answer goes nowhere, or comes when nobody waits for it any more.
func TestSilenceAtAnyRequest(t *testing.T) {
	t.Parallel()
	eachNetwork(t, func(t *testing.T, n network) {
		if n.deaf {
			return // it would take minutes
		}
		base := n.distant(t)
		base.grace = silentLease + time.Second
		var all []*silence
		for _, s := range n.stories() {
			if !slices.Contains([]string{"Rerun, answered", "Rerun, released", "Hold, answered", "Hold, held", "Tx, answered"}, s.name) {
				continue
			}
			usual := base.statements(t, s, idem.Key(s.name+", nothing fails"))
			for k, r := range usual {
				if k == 0 && strings.HasSuffix(s.name, "ed") && s.fails != nil {
					continue // the claim, as in the other stories
				}
				for _, fault := range []proxy.Fault{
					{At: proxy.Asking, Do: proxy.BlackHole}, {At: proxy.Answered, Do: proxy.BlackHole}, {At: proxy.Asking, Do: proxy.Stall},
				} {
					fault.Skip = k
					all = append(all, base.fallSilent(t, s, fault, r))
				}
			}
		}
		var calls sync.WaitGroup
		for i, c := range all {
			calls.Go(func() {
				c.told = c.tell(t.Context(), c.story, idem.Key(fmt.Sprintf("%d: %s, %s", i, c.story.name, nameOf(c.fault))))
			})
		}
		calls.Wait()
		for _, c := range all {
			t.Logf("%s, %s at %s: %q", c.story.name, nameOf(c.fault), summary(c.met.Text), idem.CodeOf(c.told.err))
		}
		for _, c := range all {
			c.end(t)
		}
	})
}

// fallSilent opens a worker that the fault will meet in its first call after this.
func (f *far) fallSilent(t *testing.T, s story, fault proxy.Fault, at proxy.Request) *silence {
	t.Helper()
	c := &silence{far: f.another(t, idem.Lease(silentLease), idem.MaxRun(silentRun)), story: s, fault: fault, met: at}
	c.statements(t, s, idem.Key(fmt.Sprintf("warm %p", c)))
	c.found = c.proxy.Inject(fault)
	return c
}

// end holds what the caller was told against what is allowed, and what others are told while the silence lasts and after.
func (c *silence) end(t *testing.T) {
	t.Helper()
	require.Len(t, c.found.Requests(), 1, "the fault met no request")
	tally.network(c.fault)
	c.told.silent = true
	code := idem.CodeOf(c.told.err)
	require.Contains(t, c.allowed(), code, "%s: %v at %q", c.told.key, c.told.err, c.met.Text)
	asked := call{guarantee: c.story.guarantee, key: c.told.key}
	if c.fault.Do == proxy.Stall && c.story.guarantee == idem.Rerun {
		// Another comes first, and then the request that was late.
		c.told.over = time.Now() // there were others to judge meanwhile
		c.judge(t, c.story, c.told)
		before, err := c.witness.do(t.Context(), asked)
		require.NoError(t, err)
		had := c.witness.effectsOf(t, asked)
		c.release(t)
		after, err := c.witness.do(t.Context(), asked)
		require.NoError(t, err)
		require.True(t, after.Replayed)
		require.Equal(t, before.Value, after.Value, "a late request changed the answer")
		require.Equal(t, had, c.witness.effectsOf(t, asked))
		return
	}
	_, err := c.witness.do(t.Context(), asked)
	require.Contains(t, []idem.Code{idem.CodeNone, idem.CodeInFlight, idem.CodeUnknownOutcome}, idem.CodeOf(err))
	c.release(t)
	c.told.over = time.Now()
	c.judge(t, c.story, c.told)
}

// release ends the silence, and waits until the server has dealt with what was late.
func (c *silence) release(t *testing.T) {
	t.Helper()
	c.found.Release()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-c.found.Over():
	case <-late.C:
		require.FailNow(t, "the request that was late is still under way")
	}
}

// allowed are the codes that the caller may be told.
func (c *silence) allowed() []idem.Code {
	s, answered := c.story, c.fault.At == proxy.Answered
	switch {
	case c.fault.Skip == 0:
		return []idem.Code{idem.CodeUnavailable}
	case s.guarantee == idem.Tx:
		switch {
		case c.met.Is("COMMIT") && answered:
			return []idem.Code{idem.CodeNone} // settled
		case c.met.Is("COMMIT"):
			return []idem.Code{idem.CodeCommitUnknown}
		case strings.Contains(c.met.Text, "INTO effects"):
			return []idem.Code{idem.CodeMaxRun}
		}
		return []idem.Code{idem.CodeUnavailable}
	case s.fails == nil, s.guarantee == idem.Hold:
		return []idem.Code{idem.CodeNotStored}
	}
	return []idem.Code{idem.CodeOther} // that it was not released concerns nobody but the next
}
