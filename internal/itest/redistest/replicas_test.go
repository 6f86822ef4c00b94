package redistest

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

func (s *server) portText() string { return s.addr()[len("127.0.0.1:"):] }

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// withReplica starts a master and a replica that follows it.
func withReplica(t *testing.T) (master, replica *server) {
	t.Helper()
	master = startServer(t)
	replica = startServer(t, "--replicaof", "127.0.0.1 "+master.portText())
	client := redis.NewClient(replica.options())
	defer client.Close()
	require.Eventually(t, func() bool {
		return client.InfoMap(t.Context(), "replication").Item("Replication", "master_link_status") == "up"
	}, patience, 10*time.Millisecond)
	return master, replica
}

// copied waits until a replica has all that the master has.
func (s *storage) copied(t *testing.T) {
	t.Helper()
	conn := s.own.Conn()
	defer conn.Close()
	require.NoError(t, conn.Set(t.Context(), s.prefix+"mark", 1, 0).Err())
	require.Eventually(t, func() bool { return conn.Wait(t.Context(), 1, time.Second).Val() > 0 }, patience, time.Millisecond)
}

func TestAClaimAndAnAnswerWaitForReplicas(t *testing.T) {
	t.Parallel()
	master, replica := withReplica(t)
	s := master.storage()
	client := s.client(t, func(o *redis.Options) { o.PoolSize, o.PipelinePoolSize = 1, -1 })
	store := s.openOn(t, client, redisbackend.MinReplicas(1, 2*time.Second))
	other := replica.storage()
	own := claimOf("own")
	count := &counted{T: t, storage: s, store: store}
	count.takes(1, "a claim and its copy", func() { begins(t, store, own, backend.Claimed) })
	require.Regexp(t, "^idem1p", other.own.Get(t.Context(), s.key(own.ID)).Val())
	count.takes(1, "an answer and its copy", func() { completes(t, store, own, "answer", backend.Kept) })
	require.Regexp(t, "^idem1d.*answer$", other.own.Get(t.Context(), s.key(own.ID)).Val())
	count.takes(1, "a replay", func() { begins(t, store, again(own), backend.Replay) })
	require.NoError(t, s.own.ScriptFlush(t.Context()).Err())
	begins(t, store, claimOf("after a flush"), backend.Claimed)
}

// What cannot be copied is not acknowledged: a claim is taken back, and an answer is reported as not stored.
func TestWithoutItsReplicaAClaimFailsClosed(t *testing.T) {
	t.Parallel()
	master, replica := withReplica(t)
	s := master.storage()
	store := s.open(t, redisbackend.MinReplicas(1, 100*time.Millisecond))
	patient := s.open(t, redisbackend.MinReplicas(1, 2*time.Second)) // for what must succeed, on a busy machine too
	own, done, fresh := claimOf("own"), claimOf("done"), claimOf("fresh")
	begins(t, patient, own, backend.Claimed)
	begins(t, patient, done, backend.Claimed)
	completes(t, patient, done, "answer", backend.Kept)
	replica.signal(syscall.SIGSTOP)

	_, err := store.Begin(t.Context(), fresh)
	require.ErrorContains(t, err, "0 of 1")
	require.Zero(t, s.own.Exists(t.Context(), s.key(fresh.ID)).Val(), "the claim is released again")
	_, err = store.Complete(t.Context(), own.ID, own.Token, completion(own, "answer"))
	require.ErrorContains(t, err, "0 of 1")
	_, err = store.Complete(t.Context(), own.ID, own.Token, completion(own, "answer"))
	require.ErrorContains(t, err, "0 of 1", "sent again it waits for the copy again")
	begins(t, store, again(done), backend.Replay)

	replica.signal(syscall.SIGCONT)
	s.copied(t)
	g := completes(t, patient, own, "another answer", backend.Kept)
	require.Equal(t, "answer", string(g.Answer), "the one that the master has had all the while")
	begins(t, patient, fresh, backend.Claimed)
}

func TestAClaimThatIsSentAgainWaitsForItsCopyAgain(t *testing.T) {
	t.Parallel()
	master, replica := withReplica(t)
	s := master.storage()
	plain := s.open(t)
	careful := s.open(t, redisbackend.MinReplicas(1, 100*time.Millisecond))
	replica.signal(syscall.SIGSTOP)
	own := claimOf("own")
	begins(t, plain, own, backend.Claimed) // over another connection, as a driver's second try is
	_, err := careful.Begin(t.Context(), own)
	require.ErrorContains(t, err, "0 of 1")
	replica.signal(syscall.SIGCONT)
}

// WAIT promises something about what its own connection wrote. So what is sent again is written again; without
// MinReplicas it is not.
func TestWhatIsSentAgainIsWrittenAgainForItsCopy(t *testing.T) {
	t.Parallel()
	master, _ := withReplica(t)
	s := master.storage()
	plain := s.open(t)
	careful := s.open(t, redisbackend.MinReplicas(1, 2*time.Second))
	writes := func(f func()) int {
		count := func() (n int) {
			stats := s.own.InfoMap(t.Context(), "commandstats")
			for _, name := range []string{"cmdstat_set", "cmdstat_setrange"} {
				var calls int
				if line := stats.Item("Commandstats", name); line != "" {
					_, err := fmt.Sscanf(line, "calls=%d", &calls)
					require.NoError(t, err)
				}
				n += calls
			}
			return n
		}
		before := count()
		f()
		return count() - before
	}
	c := claimOf("key")
	begins(t, plain, c, backend.Claimed)
	require.Equal(t, 0, writes(func() { begins(t, plain, c, backend.Claimed) }))
	require.Equal(t, 1, writes(func() { begins(t, careful, c, backend.Claimed) }))
	completes(t, plain, c, "answer", backend.Kept)
	require.Equal(t, 0, writes(func() { completes(t, plain, c, "answer", backend.Kept) }))
	require.Equal(t, 1, writes(func() { completes(t, careful, c, "answer", backend.Kept) }))
	require.Equal(t, 0, writes(func() { begins(t, careful, again(c), backend.Replay) }))
}

func TestWithoutItsReplicaNothingRuns(t *testing.T) {
	t.Parallel()
	master, replica := withReplica(t)
	s := master.storage()
	guard, err := idem.New("guard", s.open(t, redisbackend.MinReplicas(1, 50*time.Millisecond)))
	require.NoError(t, err)
	replica.kill()
	_, err = idem.Do(t.Context(), guard, "key", "user", 5, func(context.Context, int) (string, error) {
		require.Fail(t, "it ran")
		return "", nil
	})
	require.ErrorIs(t, err, idem.ErrUnavailable)
	require.Empty(t, s.keys(t.Context()))
}

func TestCheckCountsTheReplicas(t *testing.T) {
	t.Parallel()
	alone, err := startServer(t).storage().open(t, redisbackend.MinReplicas(2, time.Second)).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, settingsOf(alone, backend.Error), "connected_slaves=0")
	master, _ := withReplica(t)
	followed, err := master.storage().open(t).Check(t.Context())
	require.NoError(t, err)
	require.Subset(t, settingsOf(followed, backend.Warning), []string{"min-replicas-to-write=0", "MinReplicas=not set"})
}
