package main

import (
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a server that answers with what it is sent.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return "echo://me@" + listener.Addr().String() + "/path?a=b"
}

func TestAFarServerAnswersLaterAndInOrder(t *testing.T) {
	t.Parallel()
	near := echo(t)
	f, address, err := farFrom(near)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.NotEqual(t, near, address)
	require.Equal(t, "/path?a=b", u.RequestURI())
	require.Equal(t, "me", u.User.String())

	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	defer conn.Close()
	begun := time.Now()
	_, err = conn.Write([]byte{1})
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begun), farTrip*8/10)

	sent := make([]byte, 100_000)
	for i := range sent {
		sent[i] = byte(i / 7)
	}
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, sent, got)
	require.NoError(t, f.close())
	_, err = conn.Read(got)
	require.Error(t, err, "it is closed with the way to it")
}

func TestAConnectionToAFarServerEndsAtBothEnds(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	f, address, err := farFrom("far://" + listener.Addr().String())
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	for _, serverEnds := range []bool{true, false} {
		conn, err := net.Dial("tcp", u.Host)
		require.NoError(t, err)
		accepted, err := listener.Accept()
		require.NoError(t, err)
		ends, waits := accepted, conn
		if !serverEnds {
			ends, waits = conn, accepted
		}
		_, err = ends.Write([]byte("bye"))
		require.NoError(t, err)
		require.NoError(t, ends.Close())
		got, err := io.ReadAll(waits)
		require.NoError(t, err)
		require.Equal(t, "bye", string(got))
		require.NoError(t, waits.Close())
	}
	require.NoError(t, f.close())
}
