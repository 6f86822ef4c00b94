package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutAFaultEverythingPasses(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	p := Start(t, e.addr, lines{})
	watch := p.Inject(Fault{})
	c := dial(t, p)
	c.send("a", "b")
	c.hears("*stray", "did a", "*stray", "did b")
	require.Equal(t, []Request{{Conn: 1, Kind: Statement, Text: "a"}, {Conn: 1, Kind: Statement, Text: "b"}}, watch.Requests())
	require.NoError(t, c.conn.CloseWrite())
	rest, wasReset := c.ends()
	require.Empty(t, rest)
	require.False(t, wasReset)
	e.await(t, 1, "a", "b")
}

func TestHalfARequestPassesToo(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	c := dial(t, Start(t, e.addr, lines{}))
	_, err := io.WriteString(c.conn, "half")
	require.NoError(t, err)
	require.NoError(t, c.conn.CloseWrite())
	e.await(t, 1, "half…")
}

func TestFaultsThatEndAConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault Fault
		did   []string // of what is sent: "first", "struck", and "behind" when all is over
		rest  string   // what the client reads after the answer to the first
		reset bool
	}{
		{fault: Fault{At: Asking, Do: Cut}, did: []string{"first"}},
		{fault: Fault{At: Asking, Do: Cut, Bytes: 4}, did: []string{"first", "stru…"}},
		{fault: Fault{At: Asking, Do: Reset}, did: []string{"first"}, reset: true},
		{fault: Fault{At: Asked, Do: Cut}, did: []string{"first", "struck"}},
		{fault: Fault{At: Answered, Do: Cut}, did: []string{"first", "struck"}},
		{fault: Fault{At: Answered, Do: Cut, Bytes: 6}, did: []string{"first", "struck"}, rest: "did st"},
		{fault: Fault{At: Answered, Do: Reset}, did: []string{"first", "struck"}, reset: true},
	} {
		t.Run(fmt.Sprintf("%v, %v, %d bytes", c.fault.Do, c.fault.At, c.fault.Bytes), func(t *testing.T) {
			t.Parallel()
			e := startEcho(t)
			p := Start(t, e.addr, lines{})
			c.fault.On = func(r Request) bool { return r.Text == "struck" }
			fault := p.Inject(c.fault)
			cl := dial(t, p)
			cl.send("first")
			cl.hears("*stray", "did first")
			cl.send("struck")
			if c.fault.At == Answered {
				cl.hears("*stray") // it is no part of the answer
			}
			<-fault.Hit()
			rest, wasReset := cl.ends()
			rest = strings.TrimPrefix(rest, "*stray\n")
			require.Equal(t, c.rest, rest)
			require.Equal(t, c.reset, wasReset)
			_, _ = io.WriteString(cl.conn, "behind\n")
			require.NoError(t, cl.conn.Close())
			e.await(t, 1, c.did...)
			require.Len(t, fault.Requests(), 1)

			again := dial(t, p)
			again.send("struck")
			again.hears("*stray", "did struck")
		})
	}
}

func TestAHalfClosedConnectionIsOpenForTheServerUntilTheClientCloses(t *testing.T) {
	t.Parallel()
	for _, at := range []Stage{Asking, Asked, Answered} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			e := startEcho(t)
			p := Start(t, e.addr, lines{})
			fault := p.Inject(Fault{At: at, Do: HalfClose})
			c := dial(t, p)
			c.send("a")
			<-fault.Hit()
			rest, wasReset := c.ends()
			require.Empty(t, strings.TrimPrefix(rest, "*stray\n"))
			require.False(t, wasReset)
			c.send("b")
			var did []string
			if at != Asking {
				did = []string{"a"}
			}
			e.await(t, 0, did...)
			require.NoError(t, c.conn.Close())
			e.await(t, 1, did...)
		})
	}
}

func (p *Proxy) conn(number int) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.number == number {
			return c
		}
	}
	return nil
}

func TestABlackHoleTellsNobody(t *testing.T) {
	t.Parallel()
	for _, at := range []Stage{Asking, Asked, Answered} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			e := startEcho(t)
			p := Start(t, e.addr, lines{})
			fault := p.Inject(Fault{At: at, Do: BlackHole})
			c, other := dial(t, p), dial(t, p)
			c.send("a")
			<-fault.Hit()
			c.send("b")
			if at == Answered {
				c.hears("*stray")
			}
			other.send("c") // another connection is none of this one's business
			other.hears("*stray", "did c")
			if at != Asked { // where the stray line may be on its way
				c.hearsNothing()
			}
			first := p.conn(1)
			require.NoError(t, c.conn.Close())
			did := []string{"c"}
			if at != Asking {
				did = append(did, "a")
			}
			if at == Answered { // in the other cases nobody reads what the client says, nor that he closes
				<-first.left
				_, err := io.WriteString(first.server, "late\n")
				require.NoError(t, err, "the server has been told")
				did = append(did, "late")
			}
			e.await(t, 0, did...)
			require.NotNil(t, p.conn(1))
			fault.Release()
			<-fault.Over()
			e.await(t, 1, did...)
		})
	}
}

func TestWhatIsStalledPassesLater(t *testing.T) {
	t.Parallel()
	for _, at := range []Stage{Asking, Asked, Answered} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			e := startEcho(t)
			p := Start(t, e.addr, lines{})
			fault := p.Inject(Fault{At: at, Do: Stall, On: Any})
			c := dial(t, p)
			c.send("a")
			<-fault.Hit()
			var did []string
			if at != Asking {
				did = []string{"a"}
				c.hears("*stray")
			}
			e.await(t, 0, did...)
			c.hearsNothing()
			fault.Release()
			if at == Asking {
				c.hears("*stray")
			}
			c.hears("did a")
			<-fault.Over()
			c.send("b")
			c.hears("*stray", "did b")
			e.await(t, 0, "a", "b")
		})
	}
}

// What was delayed arrives although nobody waits for it any more.
func TestAStalledRequestOutlivesItsClient(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	p := Start(t, e.addr, lines{})
	fault := p.Inject(Fault{At: Asking, Do: Stall})
	c := dial(t, p)
	c.send("a")
	<-fault.Hit()
	require.NoError(t, c.conn.Close())
	fault.Release()
	e.await(t, 1, "a")
}

func TestSkipAndCount(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	p := Start(t, e.addr, lines{})
	fault := p.Inject(Fault{At: Answered, Do: Cut, Skip: 1, Count: 2, On: Containing("x")})
	passes := func(text string) bool {
		c := dial(t, p)
		c.send(text)
		c.hears("*stray")
		line, err := c.from.ReadString('\n')
		return err == nil && line == "did "+text+"\n"
	}
	var passed []bool
	for _, text := range []string{"x1", "y", "x2", "y", "x3", "x4"} {
		passed = append(passed, passes(text))
	}
	require.Equal(t, []bool{true, true, false, true, false, true}, passed)
	require.Len(t, fault.Requests(), 2)

	always := p.Inject(Fault{At: Answered, Do: Cut, Count: Always})
	for range 3 {
		require.False(t, passes("z"))
	}
	always.Remove()
	require.True(t, passes("z"))
}

func TestRefusedConnections(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	p := Start(t, e.addr, lines{})
	open := dial(t, p)
	open.send("a")
	open.hears("*stray", "did a")
	p.Refuse()
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	open.send("b") // what is open stays so
	open.hears("*stray", "did b")
	p.CutAll()
	_, wasReset := open.ends()
	require.True(t, wasReset)
	p.Admit()
	c := dial(t, p)
	c.send("c")
	c.hears("*stray", "did c")
	e.await(t, 1, "a", "b", "c")
}

func TestAServerThatIsNotThereResets(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	p := Start(t, l.Addr().String(), lines{})
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, c.Close())
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestAServerThatClosesIsPassedOn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := Start(t, l.Addr().String(), lines{})
	c := dial(t, p)
	server, err := l.Accept()
	require.NoError(t, err)
	_, err = io.WriteString(server, "*bye\ncut sho")
	require.NoError(t, err)
	require.NoError(t, server.Close())
	c.hears("*bye")
	rest, wasReset := c.ends()
	require.Equal(t, "cut sho", rest)
	require.False(t, wasReset)
}

// A test that ends in the middle of everything leaves nothing behind; goleak looks.
func TestAProxyEndsWithItsTest(t *testing.T) {
	t.Parallel()
	e := startEcho(t)
	for _, do := range []Action{BlackHole, Stall, HalfClose, Cut} {
		for _, at := range []Stage{Asking, Asked, Answered} {
			t.Run(do.String()+", "+at.String(), func(t *testing.T) {
				p := Start(t, e.addr, lines{})
				fault := p.Inject(Fault{At: at, Do: do})
				c, err := net.Dial("tcp", p.Addr())
				require.NoError(t, err)
				defer c.Close()
				_, err = io.WriteString(c, "a\nb\n")
				require.NoError(t, err)
				<-fault.Hit()
			})
		}
	}
}

func TestAStatementIsToldByItsText(t *testing.T) {
	t.Parallel()
	require.True(t, Request{Kind: Statement, Text: "commit "}.Is("COMMIT"))
	require.False(t, Request{Kind: Statement, Text: "commit prepared"}.Is("COMMIT"))
	require.False(t, Request{Kind: Prepare, Text: "COMMIT"}.Is("COMMIT"))
	require.False(t, Containing("COMMIT")(Request{Kind: Prepare, Text: "COMMIT"}))
}
