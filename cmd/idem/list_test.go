package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

func TestListShowsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	unknown, done, abandoned := s.unknown("k-unknown"), s.done("k-done"), s.abandoned("k-abandoned")
	pending, finish := s.pending("k-pending")
	t.Cleanup(func() { require.NoError(t, finish()) })
	orders := idem.Must(idem.New("orders", s.store))
	_, err := idem.Do(t.Context(), orders, "k-other", "account-8", payment{1}, answer[payment](receipt{}))
	require.NoError(t, err)

	for _, c := range []struct {
		name, args string
		want       []idem.Record
	}{
		{"unknown ones, where nothing is said", "-guard payments", []idem.Record{unknown}},
		{"unknown ones", "-guard payments -state unknown", []idem.Record{unknown}},
		{"done ones", "-guard payments -state done", []idem.Record{done}},
		{"pending ones", "-guard payments -state pending", []idem.Record{pending, abandoned}},
		{"all of the guard's", "-guard payments -state all", []idem.Record{unknown, done, abandoned, pending}},
		{"those of a user", "-guard payments -state all -user account-7", []idem.Record{unknown, done, abandoned, pending}},
		{"none of another user", "-guard payments -state all -user account-8", nil},
		{"none that is old enough", "-guard payments -state all -older 1h", nil},
		{"those that are old enough", "-guard payments -older 0s", []idem.Record{unknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got listJSON
			s.idem(append([]string{"-json", "list"}, strings.Fields(c.args)...)...).ok().json(&got)
			require.ElementsMatch(t, refs(c.want...), shownRefs(got.Records))
			require.False(t, got.More)
			require.NotNil(t, got.Records, "an empty listing is [] and not null")
		})
	}
}

func TestListIsATable(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	unknown, abandoned := s.unknown("k-1"), s.abandoned("k-2")
	out := s.idem("list", "-guard", "payments", "-state", "all").ok().stdout
	require.Regexp(t, `^REF +GUARD +USER +KEY +STATE +ATTEMPT +AGE +LEASE LEFT +NOTE\n`, out)
	require.Regexp(t, `(?m)^`+unknown.Ref.String()+`  payments  account-7  k-1  unknown  1 +\d+m?s +- +stripe pi_123$`, out)
	require.Regexp(t, `(?m)^`+abandoned.Ref.String()+`  payments  account-7  k-2  pending  1 +\d+m?s +over for \d+m?s +-$`, out)
	require.Equal(t, 3, strings.Count(out, "\n"))
}

func TestListWalksThroughAllPages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const n = 230 // more than two pages of idem.Guard.List
	for i := range n {
		s.unknown(idem.Key(fmt.Sprint("k-", i)))
	}
	for limit, want := range map[string]struct {
		found int
		more  bool
	}{
		"1000": {n, false}, "230": {n, false}, "229": {229, true}, "200": {200, true}, "1": {1, true},
	} {
		var got listJSON
		r := s.idem("list", "-guard", "payments", "-limit", limit, "-json").ok()
		r.json(&got)
		require.Equal(t, want.more, got.More, limit)
		require.Equal(t, want.more, strings.Contains(r.stderr, "there are more"), limit)
		distinct := map[string]bool{}
		for _, rec := range got.Records {
			distinct[rec.Key] = true
		}
		require.Len(t, distinct, want.found, limit)
	}
}

// An operator who sees nothing must not believe that there is nothing.
func TestListSaysWhyNothingMayBeShown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.idem("list", "-guard", "payments").ok().fails(exitOK, "note: this guard has no record in any state; guards that have some: none")
	s.done("k-0")
	_, finish := s.pending("k-running")
	require.Empty(t, s.idem("list", "-guard", "payments").ok().stderr, "there is nothing to say")
	s.abandoned("k-1")
	s.idem("list", "-guard", "payments").ok().fails(exitOK, "note: 1 attempt is abandoned and not unknown yet: run idem prune")
	s.abandoned("k-2")
	s.idem("list", "-guard", "payments").ok().fails(exitOK, "note: 2 attempts are abandoned")
	s.unknown("k-3")
	s.idem("list", "-guard", "payments").ok("k-3").fails(exitOK, "note: 2 attempts are abandoned")
	require.Empty(t, s.idem("list", "-guard", "payments", "-state", "pending").ok().stderr)
	s.idem("list", "-guard", "payment").ok().fails(exitOK, "note: this guard has no record in any state; guards that have some: payments")
	require.NoError(t, finish())
}

func TestListSaysWhereRecordsHaveNoNames(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h, err := backend.Open(t.Context(), s.url()+"&readable=false")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	s.guard = idem.Must(idem.New("payments", h.Store, idem.Hold))
	s.op = idem.Must(idem.For[payment, receipt](s.guard, "charge"))
	rec := s.unknown("k")

	s.idem("list", "-guard", "payments").ok().fails(exitOK, "without a readable name")
	nameless := typed{backend: s.url() + "&readable=false"}
	nameless.idem(t, "list", "-guard", "payments").fails(exitFault, "not supported by this store")
	nameless.idem(t, "forget-user", "-guard", "payments", "-user", "account-7").fails(exitFault, "not supported by this store")
	nameless.idem(t, "show", "-guard", "payments", "-user", "account-7", "-key", "k").ok(rec.Ref.String())
	nameless.idem(t, "release", rec.Ref.String(), "-guard", "payments").ok("released")
}

var (
	anyRef = regexp.MustCompile(`"[A-Za-z0-9_-]{64}"`)
	anyMS  = regexp.MustCompile(`_ms": -?\d+`)
)

func TestListAsJSON(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rec := s.unknown("k<1>")
	out := s.idem("-json", "list", "-guard", "payments").ok(`"ref": "` + rec.Ref.String() + `"`).stdout
	out = anyMS.ReplaceAllString(anyRef.ReplaceAllString(out, `"REF"`), `_ms": 1`)
	require.Equal(t, `{
  "records": [
    {
      "ref": "REF",
      "guard": "payments",
      "user": "account-7",
      "key": "k<1>",
      "state": "unknown",
      "attempt": 1,
      "hold": true,
      "age_ms": 1,
      "lease_left_ms": null,
      "expires_in_ms": null,
      "note": "stripe pi_123",
      "answer_bytes": 0
    }
  ],
  "more": false
}
`, out)
}

func TestDurationsInJSONApplyOrAreNull(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.done("k-done")
	s.abandoned("k-abandoned")
	rerun := idem.Must(idem.New("payments", s.store))
	_, err := idem.Do(t.Context(), rerun, "k-rerun", "account-7", payment{1}, func(context.Context, payment) (receipt, error) {
		var got recordJSON
		s.idem("-json", "show", "-guard", "payments", "-user", "account-7", "-key", "k-rerun").ok().json(&got)
		require.InDelta(t, 30*time.Second.Milliseconds(), *got.LeaseLeftMS, 20e3)
		require.InDelta(t, 24*time.Hour.Milliseconds(), *got.ExpiresInMS, 60e3)
		require.False(t, got.Hold)
		return receipt{}, nil
	})
	require.NoError(t, err)

	var done, abandoned recordJSON
	s.idem("-json", "show", "-guard", "payments", "-user", "account-7", "-key", "k-done").ok().json(&done)
	require.Nil(t, done.LeaseLeftMS)
	require.InDelta(t, 24*time.Hour.Milliseconds(), *done.ExpiresInMS, 60e3)
	require.Positive(t, done.AnswerBytes)
	s.idem("-json", "show", "-guard", "payments", "-user", "account-7", "-key", "k-abandoned").ok().json(&abandoned)
	require.Negative(t, *abandoned.LeaseLeftMS)
	require.Nil(t, abandoned.ExpiresInMS)
}
