package redistest

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

func TestAServerThatEvictsIsRefused(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, "--maxmemory-policy", policy).storage()
			_, err := redisbackend.New(t.Context(), s.client(t))
			require.ErrorContains(t, err, "maxmemory-policy is "+policy)
			require.ErrorContains(t, err, "AcceptEviction")
			store := s.open(t, redisbackend.AcceptEviction())
			found, err := store.Check(t.Context())
			require.NoError(t, err)
			require.Contains(t, settingsOf(found, backend.Error), "maxmemory-policy="+policy)
		})
	}
}

func settingsOf(found []backend.Finding, severity backend.Severity) (settings []string) {
	for _, f := range found {
		if f.Severity == severity {
			settings = append(settings, f.Setting+"="+f.Value)
		}
	}
	return settings
}

// as is a client of a user with the given rights.
func as(t *testing.T, s *storage, rights string) *redis.Client {
	t.Helper()
	rules := append([]any{"ACL", "SETUSER", "limited", "on", ">secret", "allkeys", "allchannels"}, words(rights)...)
	require.NoError(t, s.own.Do(t.Context(), rules...).Err())
	return s.client(t, func(o *redis.Options) { o.Username, o.Password = "limited", "secret" })
}

func words(text string) (all []any) {
	for word := range strings.FieldsSeq(text) {
		all = append(all, word)
	}
	return all
}

func TestAServiceThatRefusesConfigIsAskedByInfo(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store := s.openOn(t, as(t, s, "+@all -config"))
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"appendonly=no", "CONFIG GET=not permitted"}, settingsOf(found, backend.Warning))
	require.Empty(t, settingsOf(found, backend.Error))
	c := claimOf("key")
	begins(t, store, c, backend.Claimed)
	completes(t, store, c, "answer", backend.Kept)

	evicting := startServer(t, "--maxmemory-policy", "allkeys-lru").storage()
	_, err = redisbackend.New(t.Context(), as(t, evicting, "+@all -config"))
	require.ErrorContains(t, err, "maxmemory-policy is allkeys-lru")
}

func TestAServiceThatRefusesInfoIsAskedByConfig(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	store := s.openOn(t, as(t, s, "+@all -info"))
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"INFO=not permitted"}, settingsOf(found, backend.Warning))
}

func TestAServiceThatSaysNothingNeedsTheOption(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	client := as(t, s, "+@all -info -config")
	_, err := redisbackend.New(t.Context(), client)
	require.ErrorContains(t, err, "neither by INFO nor by CONFIG GET")
	require.ErrorContains(t, err, "AcceptEviction")
	store := s.openOn(t, client, redisbackend.AcceptEviction())
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"maxmemory-policy=unknown", "INFO=not permitted", "CONFIG GET=not permitted"}, settingsOf(found, backend.Warning))
}

// The rights that the operations page names are enough for everything.
func TestTheRightsThatAreDocumentedAreEnough(t *testing.T) {
	t.Parallel()
	s := startServer(t).storage()
	rights := "resetkeys resetchannels ~" + s.prefix + "* &" + s.prefix + "* " + documentedRights
	store, ctx := s.openOn(t, as(t, s, rights)), t.Context()
	own, held, freed := claimOf("own"), claimOf("held"), claimOf("freed")
	begins(t, store, own, backend.Claimed)
	begins(t, store, held, backend.Claimed)
	begins(t, store, freed, backend.Claimed)
	changed, stop, err := store.Watch(ctx, own.ID)
	require.NoError(t, err)
	defer stop()
	answers(t, backend.Kept)(store.Renew(ctx, own.ID, own.Token, renewal("note")))
	completes(t, store, own, "answer", backend.Kept)
	require.True(t, comes(changed))
	answers(t, backend.Kept)(store.Hold(ctx, held.ID, held.Token, ""))
	answers(t, backend.Kept)(store.Release(ctx, freed.ID, freed.Token))
	records, _, err := store.List(ctx, backend.Filter{}, backend.Cursor{}, 10)
	require.NoError(t, err)
	require.Len(t, records, 2)
	answers(t, backend.Kept)(store.Resolve(ctx, backend.NewRef(held.ID, held.Token), completion(held, "answer")))
	_, err = store.Prune(ctx)
	require.NoError(t, err)
	n, err := store.ForgetUser(ctx, "guard", "user")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	found, err := store.Check(ctx)
	require.NoError(t, err)
	require.NotContains(t, settingsOf(found, backend.Warning), "CONFIG GET=not permitted")
}

// documentedRights are those of docs/operations.md, beside the keys and the channel.
const documentedRights = "-@all +@connection +evalsha +eval +script|load +get +set +getrange +setrange +strlen +del +exists +pttl " +
	"+time +publish +subscribe +scan +info +config|get"

// clusterRights are what docs/operations.md adds for a Cluster.
const clusterRights = documentedRights + " +cluster|slots +cluster|shards +command +readonly +asking +wait"

func TestTheRightsThatAreDocumentedAreEnoughOnACluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	for _, on := range c.each {
		rules := append([]any{"ACL", "SETUSER", "limited", "on", ">secret", "~idem:*", "&idem:*"}, words(clusterRights)...)
		require.NoError(t, on.Do(t.Context(), rules...).Err())
	}
	h, err := backend.Open(t.Context(), "redis+cluster://limited:secret@"+c.nodes[0].addr())
	require.NoError(t, err)
	defer h.Close()
	store := h.Store.(*redisbackend.Store)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		own := claimOf(key)
		begins(t, store, own, backend.Claimed)
		changed, stop, err := store.Watch(t.Context(), own.ID)
		require.NoError(t, err)
		completes(t, store, own, "answer", backend.Kept)
		require.True(t, comes(changed))
		stop()
	}
	found, err := store.Check(t.Context())
	require.NoError(t, err)
	require.NotContains(t, settingsOf(found, backend.Warning), "CONFIG GET=not permitted")
	n, err := store.ForgetUser(t.Context(), "guard", "user")
	require.NoError(t, err)
	require.Equal(t, 6, n)
}

func TestAReplicaIsRefused(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+master.portText())
	_, err := redisbackend.New(t.Context(), replica.storage().client(t))
	require.ErrorContains(t, err, "is a replica")
}

func TestCheckNamesWhatARestartForgets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args           []string
		errs, warnings []string
	}{
		"nothing is kept":     {nil, []string{"appendonly, save=no, none"}, nil},
		"snapshots":           {[]string{"--save", "3600 1"}, nil, []string{"appendonly=no"}},
		"synced every second": {[]string{"--appendonly", "yes"}, nil, []string{"appendfsync=everysec"}},
		"never synced":        {[]string{"--appendonly", "yes", "--appendfsync", "no"}, nil, []string{"appendfsync=no"}},
		"always synced":       {[]string{"--appendonly", "yes", "--appendfsync", "always"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := startServer(t, c.args...).storage().open(t).Check(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.errs, settingsOf(found, backend.Error))
			require.Equal(t, c.warnings, settingsOf(found, backend.Warning))
		})
	}
}
