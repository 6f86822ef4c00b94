package redistest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// foreign are what else than a record can be found under a key.
var foreign = map[string][]any{
	"a string":     {"SET", "", "value"},
	"a hash":       {"HSET", "", "state", "pending"},
	"a list":       {"RPUSH", "", "value"},
	"a set":        {"SADD", "", "value"},
	"a sorted set": {"ZADD", "", 1, "value"},
	"a stream":     {"XADD", "", "1-1", "field", "value"},
}

// everyCall makes every call that there is on a record.
func everyCall(t *testing.T, s *redisbackend.Store, c backend.Claim) map[string]error {
	ctx, ref := t.Context(), backend.NewRef(c.ID, c.Token)
	errs := map[string]error{}
	_, errs["Begin"] = s.Begin(ctx, c)
	_, errs["Begin that holds"] = s.Begin(ctx, holding(c))
	_, errs["Renew"] = s.Renew(ctx, c.ID, c.Token, renewal(""))
	_, errs["Renew with a note"] = s.Renew(ctx, c.ID, c.Token, renewal("note"))
	_, errs["Complete"] = s.Complete(ctx, c.ID, c.Token, completion(c, "answer"))
	_, errs["Complete with a large answer"] = s.Complete(ctx, c.ID, c.Token, completion(c, string(make([]byte, 64<<10))))
	_, errs["Release"] = s.Release(ctx, c.ID, c.Token)
	_, errs["Hold"] = s.Hold(ctx, c.ID, c.Token, "note")
	_, errs["Lookup"] = s.Lookup(ctx, c.ID)
	_, _, errs["List"] = s.List(ctx, backend.Filter{}, backend.Cursor{}, 10)
	_, errs["Resolve"] = s.Resolve(ctx, ref, completion(c, "answer"))
	_, errs["Free"] = s.Free(ctx, ref)
	_, errs["ForgetUser"] = s.ForgetUser(ctx, "guard", "user")
	_, errs["Prune"] = s.Prune(ctx)
	_, _, errs["Watch"] = s.Watch(ctx, c.ID)
	return errs
}

func TestAKeyOfAnotherTypeIsNeitherReadNorChanged(t *testing.T) {
	t.Parallel()
	for name, make := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			store, c := s.open(t), claimOf("key")
			make := append([]any{}, make...)
			make[1] = s.key(c.ID)
			require.NoError(t, s.own.Do(t.Context(), make...).Err())
			before := s.own.Dump(t.Context(), s.key(c.ID)).Val()
			errs := everyCall(t, store, c)
			_, errs["Forget"] = store.Forget(t.Context(), c.ID)
			for call, err := range errs {
				require.ErrorIs(t, err, backend.ErrCorrupt, call)
			}
			require.Equal(t, before, s.own.Dump(t.Context(), s.key(c.ID)).Val())
			require.Equal(t, time.Duration(-1), s.own.PTTL(t.Context(), s.key(c.ID)).Val())
		})
	}
}

func TestAKeyOfAnotherTypeDoesNotStopWorkOnTheOthers(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store := s.open(t)
	require.NoError(t, s.own.Set(t.Context(), s.key(claimOf("not a record").ID), "value", 0).Err())
	c := holding(claimOf("key"))
	begins(t, store, c, backend.Claimed)
	s.advance(t, c.Lease)
	stats, err := store.Prune(t.Context())
	require.ErrorIs(t, err, backend.ErrCorrupt)
	require.Equal(t, 1, stats.Held)
	n, err := store.ForgetUser(t.Context(), "guard", "user")
	require.ErrorIs(t, err, backend.ErrCorrupt)
	require.Equal(t, 1, n)
}

// A record of another version is no damage, and is neither read nor changed.
func TestARecordOfAnotherVersionIsNeitherReadNorChanged(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.NoError(t, s.own.SetRange(t.Context(), s.key(c.ID), 4, "2").Err())
	before := s.own.Dump(t.Context(), s.key(c.ID)).Val()
	errs := everyCall(t, store, c)
	_, errs["Forget"] = store.Forget(t.Context(), c.ID)
	for call, err := range errs {
		require.ErrorIs(t, err, backend.ErrVersion, call)
	}
	require.Equal(t, before, s.own.Dump(t.Context(), s.key(c.ID)).Val())
}

// What no script of ours can have written.
func TestARecordThatCannotBeReadIsNotOverwritten(t *testing.T) {
	t.Parallel()
	at := func(place int, is string) func(string) string {
		return func(raw string) string { return raw[:place] + is + raw[place+len(is):] }
	}
	for name, damage := range map[string]func(raw string) string{
		"nothing":                func(string) string { return "" },
		"nothing but the format": func(string) string { return "idem1p" },
		"a head cut off":         func(raw string) string { return raw[:161] },
		"a text cut off":         func(raw string) string { return raw[:len(raw)-1] },
		"something behind it":    func(raw string) string { return raw + "x" },
		"no size":                at(153, "a size..."),
		"a size too small":       at(153, "000000000"),
		"a state of the future":  at(5, "f"),
		"an attempt in words":    at(74, "number one"),
		"a lease that is none":   at(84, "-------------x"),
		"a time that is no time": at(112, "yesterday, 5pm"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			store, c := s.open(t), claimOf("key")
			begins(t, store, c, backend.Claimed)
			raw := damage(s.own.Get(t.Context(), s.key(c.ID)).Val())
			require.NoError(t, s.own.Set(t.Context(), s.key(c.ID), raw, time.Hour).Err())
			for _, claim := range []backend.Claim{c, again(c), holding(again(c))} {
				_, err := store.Begin(t.Context(), claim)
				require.ErrorIs(t, err, backend.ErrCorrupt)
			}
			g, err := store.Begin(t.Context(), otherRequest(c))
			require.True(t, g.Verdict == backend.Mismatch || errors.Is(err, backend.ErrCorrupt), "%v %v", g.Verdict, err)
			_, err = store.Lookup(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, _, err = store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			require.Equal(t, raw, s.own.Get(t.Context(), s.key(c.ID)).Val())

			if raw == "" {
				return // it may be anybody's
			}
			there, err := store.Forget(t.Context(), c.ID)
			require.NoError(t, err, "the operator's way out")
			require.True(t, there)
			begins(t, store, c, backend.Claimed)
		})
	}
}

// A record that is cut off is not completed, renewed, held or resolved: what came of it could not be read.
func TestADamagedRecordIsNotWrittenOn(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, ctx := s.open(t), t.Context()
	cut := func(c backend.Claim) {
		raw := s.own.Get(ctx, s.key(c.ID)).Val()
		require.NoError(t, s.own.Set(ctx, s.key(c.ID), raw[:len(raw)-1], time.Hour).Err())
	}
	own, held, abandoned := claimOf("own"), claimOf("held"), holding(claimOf("abandoned"))
	for _, c := range []backend.Claim{own, held, abandoned} {
		begins(t, store, c, backend.Claimed)
	}
	answers(t, backend.Kept)(store.Hold(ctx, held.ID, held.Token, "note"))
	shown, err := store.Lookup(ctx, held.ID)
	require.NoError(t, err)
	for _, c := range []backend.Claim{own, held, abandoned} {
		cut(c)
	}
	_, err = store.Complete(ctx, own.ID, own.Token, completion(own, "answer"))
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = store.Renew(ctx, own.ID, own.Token, renewal("note"))
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = store.Hold(ctx, own.ID, own.Token, "note")
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = store.Resolve(ctx, shown.Ref, completion(held, "answer"))
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = store.Prune(ctx)
	require.ErrorIs(t, err, backend.ErrCorrupt)
	answers(t, backend.Kept)(store.Release(ctx, own.ID, own.Token)) // which reads nothing of it
}

// A lease that is no number is over at no time.
func TestAClaimWhoseLeaseCannotBeReadIsNotGivenUp(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), holding(claimOf("key"))
	begins(t, store, c, backend.Claimed)
	raw := s.own.Get(t.Context(), s.key(c.ID)).Val()
	const lease, end = 84, 98 // its place in the record
	damaged := raw[:lease] + strings.Repeat("x", end-lease) + raw[end:]
	require.NoError(t, s.own.Set(t.Context(), s.key(c.ID), damaged, 0).Err())
	_, err := store.Prune(t.Context())
	require.ErrorIs(t, err, backend.ErrCorrupt)
	require.Equal(t, damaged, s.own.Get(t.Context(), s.key(c.ID)).Val())
}

// The expiry of a claim says when its lease is over. Where somebody took it away nobody can tell, and nothing runs.
func TestAClaimWithoutItsExpiryIsNotTakenOver(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.NoError(t, s.own.Persist(t.Context(), s.key(c.ID)).Err())
	_, err := store.Begin(t.Context(), again(c))
	require.ErrorIs(t, err, backend.ErrCorrupt)
	_, err = store.Lookup(t.Context(), c.ID)
	require.ErrorIs(t, err, backend.ErrCorrupt)
	answers(t, backend.Kept)(store.Renew(t.Context(), c.ID, c.Token, renewal("")))
	begins(t, store, again(c), backend.InFlight)
	completes(t, store, c, "answer", backend.Kept)
}

// head is how a record of a test's claim begins, by its state.
func head(state string) string {
	return `^idem1` + state + `[\w-]{22}[\w-]{44}[01][01]\d{10}(\d{14}){3}(\d{9}){4}guarduserkey`
}

func TestARecordIsReadable(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.Regexp(t, head("p")+"$", s.own.Get(t.Context(), s.key(c.ID)).Val())
	completes(t, store, c, "answer", backend.Kept)
	require.Regexp(t, head("d")+"answer$", s.own.Get(t.Context(), s.key(c.ID)).Val())
}

// Each script writes what the others, and Go, read: every record is looked at after every step.
func TestEveryScriptWritesAWholeRecord(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, ctx := s.open(t), t.Context()
	for name, hold := range map[string]bool{"that expires": false, "that holds": true} {
		c := claimOf("key")
		c.Hold = hold
		is := func(what string, state backend.State, attempt int, note string, answer int) backend.Record {
			t.Helper()
			raw := s.own.Get(ctx, s.key(c.ID)).Val()
			require.Regexp(t, head("[pdu]")+note+`(answer)?$`, raw, "%s %s", what, name)
			shown, err := store.Lookup(ctx, c.ID)
			require.NoError(t, err, "%s %s", what, name)
			require.Equal(t, []any{state, attempt, note, answer, hold, "guard", "user", "key", c.Fingerprint},
				[]any{shown.State, shown.Attempt, shown.Note, shown.AnswerSize, shown.Hold, shown.Guard, shown.User, shown.Key, shown.Fingerprint},
				"%s %s", what, name)
			return shown
		}
		begins(t, store, c, backend.Claimed)
		is("begin", backend.Pending, 1, "", 0)
		s.advance(t, 4*time.Minute)
		answers(t, backend.Kept)(store.Renew(ctx, c.ID, c.Token, renewal("")))
		shown := is("renew", backend.Pending, 1, "", 0)
		require.InDelta(t, 4*time.Minute, shown.Age, float64(patience))
		require.InDelta(t, 10*time.Minute, shown.LeaseLeft, float64(patience))
		answers(t, backend.Kept)(store.Renew(ctx, c.ID, c.Token, renewal("a long note")))
		is("renew with a note", backend.Pending, 1, "a long note", 0)
		_, _, err := store.Watch(ctx, c.ID)
		require.NoError(t, err)
		answers(t, backend.Kept)(store.Renew(ctx, c.ID, c.Token, renewal("note")))
		is("renew with a shorter note", backend.Pending, 1, "note", 0)
		attempt := 1
		if !hold {
			s.advance(t, 11*time.Minute)
			c = again(c)
			begins(t, store, c, backend.Claimed)
			attempt++
			shown = is("takeover", backend.Pending, attempt, "note", 0)
			require.InDelta(t, 0, shown.Age, float64(patience))
		}
		answers(t, backend.Kept)(store.Hold(ctx, c.ID, c.Token, "held note"))
		shown = is("hold", backend.Unknown, attempt, "held note", 0)
		answers(t, backend.Kept)(store.Resolve(ctx, shown.Ref, completion(c, "answer")))
		is("resolve", backend.Done, attempt, "held note", len("answer"))
		require.Equal(t, "answer", string(begins(t, store, again(c), backend.Replay).Answer))
		_, err = store.Forget(ctx, c.ID)
		require.NoError(t, err)

		c = again(c)
		begins(t, store, c, backend.Claimed)
		s.advance(t, 11*time.Minute)
		begins(t, store, holding(again(c)), backend.Held)
		is("abandoned, as Begin finds it", backend.Unknown, 1, "", 0)
		_, err = store.Forget(ctx, c.ID)
		require.NoError(t, err)
		if hold {
			begins(t, store, c, backend.Claimed)
			s.advance(t, 11*time.Minute)
			_, err = store.Prune(ctx)
			require.NoError(t, err)
			is("abandoned, as Prune finds it", backend.Unknown, 1, "", 0)
			_, err = store.Forget(ctx, c.ID)
			require.NoError(t, err)
		}
	}
}
