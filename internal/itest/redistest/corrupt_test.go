package redistest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// foreign are what else than a record can be found under a key.
var foreign = map[string][]any{
	"a string":     {"SET", "", "value"},
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

// Fields that no script of ours can have written.
func TestARecordThatCannotBeReadIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string][]any{
		"no state, no attempt":   {"HDEL", "state", "attempt"},
		"no state":               {"HDEL", "state"},
		"no token":               {"HDEL", "token"},
		"no fingerprint":         {"HDEL", "fingerprint"},
		"no lease":               {"HDEL", "lease"},
		"a state of the future":  {"HSET", "state", "frozen"},
		"an attempt in words":    {"HSET", "attempt", "one"},
		"a time that is no time": {"HSET", "since", "yesterday"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t, named(t))
			store, c := s.open(t), claimOf("key")
			begins(t, store, c, backend.Claimed)
			words := append([]any{damage[0], s.key(c.ID)}, damage[1:]...)
			require.NoError(t, s.own.Do(t.Context(), words...).Err())
			before := s.own.HGetAll(t.Context(), s.key(c.ID)).Val()
			for _, claim := range []backend.Claim{again(c), holding(again(c))} {
				_, err := store.Begin(t.Context(), claim)
				require.ErrorIs(t, err, backend.ErrCorrupt)
			}
			_, err := store.Lookup(t.Context(), c.ID)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			_, _, err = store.List(t.Context(), backend.Filter{}, backend.Cursor{}, 10)
			require.ErrorIs(t, err, backend.ErrCorrupt)
			require.Equal(t, before, s.own.HGetAll(t.Context(), s.key(c.ID)).Val())

			there, err := store.Forget(t.Context(), c.ID)
			require.NoError(t, err, "the operator's way out")
			require.True(t, there)
			begins(t, store, c, backend.Claimed)
		})
	}
}

func TestARecordIsReadable(t *testing.T) {
	t.Parallel()
	s := newStorage(t, named(t))
	store, c := s.open(t), claimOf("key")
	begins(t, store, c, backend.Claimed)
	require.Equal(t, "listpack", s.own.ObjectEncoding(t.Context(), s.key(c.ID)).Val(), "the compact form")
	completes(t, store, c, "answer", backend.Kept)
	fields := s.own.HGetAll(t.Context(), s.key(c.ID)).Val()
	for name, want := range map[string]string{
		"state": "done", "guard": "guard", "user": "user", "key": "key", "attempt": "1", "hold": "0", "answer": "answer",
	} {
		require.Equal(t, want, fields[name], name)
	}
	for name, value := range fields {
		require.Regexp(t, `^[ -~]+$`, value, name)
	}
	require.Len(t, fields, 12)
}
