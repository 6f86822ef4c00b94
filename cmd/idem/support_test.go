package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// payment and receipt are the request and the answer of the program whose store the tests look into.
type payment struct{ Cents int64 }

type receipt struct {
	ID    string
	Notes []string
}

// secret stands in every answer: the tool must never show it.
const secret = "secret-of-an-answer"

var errTimeout = errors.New("the gateway timed out")

// shop is a program that uses idem, on a file of its own, and the operator beside it.
type shop struct {
	t     *testing.T
	file  string
	store backend.Store
	guard *idem.Guard
	op    idem.Op[payment, receipt]
	token backend.Token // of the claim that abandoned made
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, file: filepath.Join(t.TempDir(), "shop.db")}
	h, err := backend.Open(t.Context(), s.url())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	s.store = h.Store
	s.guard = idem.Must(idem.New("payments", h.Store, idem.Hold))
	s.op = idem.Must(idem.For[payment, receipt](s.guard, "charge"))
	return s
}

func (s *shop) url() string { return "sqlite:" + s.file + "?synchronous=normal" }

func (s *shop) lookup(key idem.Key) idem.Record {
	s.t.Helper()
	rec, err := s.guard.Lookup(s.t.Context(), key, "account-7")
	require.NoError(s.t, err)
	return rec
}

func (s *shop) charge(key idem.Key) (receipt, error) {
	return s.op.Do(context.Background(), key, "account-7", payment{500}, func(context.Context, payment) (receipt, error) {
		return receipt{ID: secret}, nil
	})
}

func (s *shop) done(key idem.Key) idem.Record {
	s.t.Helper()
	_, err := s.charge(key)
	require.NoError(s.t, err)
	return s.lookup(key)
}

func (s *shop) unknown(key idem.Key) idem.Record {
	s.t.Helper()
	_, err := s.op.Do(s.t.Context(), key, "account-7", payment{500}, func(ctx context.Context, _ payment) (receipt, error) {
		return receipt{}, errors.Join(idem.Note(ctx, "stripe pi_123"), idem.Uncertain(errTimeout))
	})
	require.ErrorIs(s.t, err, errTimeout)
	return s.lookup(key)
}

// pending leaves a call running until finish is called, which returns what the call did.
func (s *shop) pending(key idem.Key) (rec idem.Record, finish func() error) {
	s.t.Helper()
	running, end, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.op.Do(context.Background(), key, "account-7", payment{500}, func(context.Context, payment) (receipt, error) {
			close(running)
			<-end
			return receipt{ID: secret}, nil
		})
		result <- err
	}()
	<-running
	return s.lookup(key), func() error {
		close(end)
		return <-result
	}
}

// abandoned leaves the claim of a process that died, its lease over. No guard would take a lease as short.
func (s *shop) abandoned(key idem.Key) idem.Record {
	s.t.Helper()
	s.token = backend.NewToken()
	grant, err := s.store.Begin(s.t.Context(), backend.Claim{
		ID: backend.NewID("payments", "account-7", string(key)), Token: s.token,
		Lease: time.Millisecond, Retention: time.Hour, Hold: true,
		Guard: "payments", User: "account-7", Key: string(key),
	})
	require.NoError(s.t, err)
	require.Equal(s.t, backend.Claimed, grant.Verdict)
	require.Eventually(s.t, func() bool { return s.lookup(key).LeaseLeft < 0 }, 10*time.Second, time.Millisecond)
	return s.lookup(key)
}

// idem runs the tool on the shop's file.
func (s *shop) idem(args ...string) result {
	s.t.Helper()
	return typed{backend: s.url()}.idem(s.t, args...)
}

// typed is what an operator has in his environment and pipes into the tool.
type typed struct {
	backend string
	stdin   string
}

// result is what he sees.
type result struct {
	t              *testing.T
	status         int
	stdout, stderr string
}

func (in typed) idem(t *testing.T, args ...string) result {
	t.Helper()
	return in.idemUnder(t.Context(), t, args...)
}

func (in typed) idemUnder(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{"IDEM_BACKEND": in.backend}
	status := run(ctx, args, console{func(name string) string { return env[name] }, strings.NewReader(in.stdin), &stdout, &stderr})
	shown := stdout.String() + stderr.String()
	require.NotContains(t, shown, secret, "an answer is shown")
	return result{t, status, stdout.String(), stderr.String()}
}

// ok requires that the command succeeded and that its output contains all of want.
func (r result) ok(want ...string) result {
	r.t.Helper()
	require.Equal(r.t, exitOK, r.status, r.stderr)
	for _, w := range want {
		require.Contains(r.t, r.stdout, w)
	}
	return r
}

// fails requires the exit status and one line on stderr that contains want.
func (r result) fails(status int, want string) result {
	r.t.Helper()
	require.Equal(r.t, status, r.status, "stdout: %s\nstderr: %s", r.stdout, r.stderr)
	require.Equal(r.t, 1, strings.Count(r.stderr, "\n"), "not one line: %q", r.stderr)
	require.True(r.t, strings.HasPrefix(r.stderr, "idem"), r.stderr)
	require.Contains(r.t, r.stderr, want)
	return r
}

func (r result) json(into any) {
	r.t.Helper()
	d := json.NewDecoder(strings.NewReader(r.stdout))
	d.DisallowUnknownFields()
	require.NoError(r.t, d.Decode(into), r.stdout)
}

func refs(records ...idem.Record) []string {
	all := []string{}
	for _, rec := range records {
		all = append(all, rec.Ref.String())
	}
	return all
}

func shownRefs(records []recordJSON) []string {
	all := []string{}
	for _, rec := range records {
		all = append(all, rec.Ref)
	}
	return all
}

// answer is a function that returns value.
func answer[Req, Resp any](value Resp) func(context.Context, Req) (Resp, error) {
	return func(context.Context, Req) (Resp, error) { return value, nil }
}

// tokenForms are the ways in which a token might slip out.
func tokenForms(token backend.Token) []string {
	return []string{
		string(token[:]), hex.EncodeToString(token[:]), fmt.Sprint(token[:]),
		base64.RawStdEncoding.EncodeToString(token[:15]), base64.RawURLEncoding.EncodeToString(token[:15]),
	}
}
