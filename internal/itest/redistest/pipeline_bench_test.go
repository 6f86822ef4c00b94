package redistest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

// BenchmarkPipelining has stores with and without pipelining, and the two commands that a bare client would send, take turns
// at the same work, and reports what they take in proportion: the medians over the turns. "cpu" is this process's processor
// time. An iteration is one turn of each.
func BenchmarkPipelining(b *testing.B) {
	for _, callers := range []int{1, 8, 16, 32, 128} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			s := newStorage(b, named(b))
			s.options.PoolSize = callers
			client := redis.NewClient(&s.options)
			defer client.Close()
			on, off := s.openOn(b, client, redisbackend.Pipelining()), s.openOn(b, client)
			b.Run("first run", func(b *testing.B) {
				race{callers, firstRun(on), firstRun(off), bareFirst(client, s.prefix)}.measure(b)
			})
			b.Run("replay", func(b *testing.B) {
				c := claimOf("replayed")
				begins(b, on, c, backend.Claimed)
				completes(b, on, c, string(make([]byte, 512)), backend.Kept)
				require.NoError(b, client.Set(b.Context(), s.prefix+"bare", make([]byte, 512), time.Hour).Err())
				race{callers, replay(on, c), replay(off, c), func(ctx context.Context) error {
					return client.Get(ctx, s.prefix+"bare").Err()
				}}.measure(b)
			})
		})
	}
}

type work func(context.Context) error

// race is a comparison of three ways.
type race struct {
	callers       int
	on, off, bare work
}

func firstRun(s backend.Store) work {
	return func(ctx context.Context) error {
		c := claimOf("")
		c.ID = backend.ID(append(c.Token[:], c.Token[:]...))
		if g, err := s.Begin(ctx, c); err != nil || g.Verdict != backend.Claimed {
			return fmt.Errorf("begin: %v, %w", g.Verdict, err)
		}
		if g, err := s.Complete(ctx, c.ID, c.Token, completion(c, string(make([]byte, 512)))); err != nil || g.Verdict != backend.Kept {
			return fmt.Errorf("complete: %v, %w", g.Verdict, err)
		}
		return nil
	}
}

func replay(s backend.Store, c backend.Claim) work {
	return func(ctx context.Context) error {
		if g, err := s.Begin(ctx, again(c)); err != nil || g.Verdict != backend.Replay {
			return fmt.Errorf("replay: %v, %w", g.Verdict, err)
		}
		return nil
	}
}

// bareFirst keeps an answer under a key, and nothing more.
func bareFirst(client *redis.Client, prefix string) work {
	return func(ctx context.Context) error {
		c := claimOf("")
		key := fmt.Sprintf("%s%x%x", prefix, c.Token[:], c.Token[:])
		if err := client.SetNX(ctx, key, c.Token[:], time.Minute).Err(); err != nil {
			return err
		}
		return client.Set(ctx, key, make([]byte, 512), time.Hour).Err()
	}
}

// cost is what a piece of work took.
type cost struct{ wall, cpu float64 }

func (r race) measure(b *testing.B) {
	const turn = 2000
	ways := []work{r.on, r.off, r.bare}
	for _, w := range ways {
		r.turn(b, w, turn/4)
	}
	ratios := make([][]float64, 5)
	first := 0
	for b.Loop() {
		var costs [3]cost
		for i := range ways { // each comes first in turn
			at := (first + i) % len(ways)
			costs[at] = r.turn(b, ways[at], turn)
		}
		first++
		on, off, bare := costs[0], costs[1], costs[2]
		for i, ratio := range []float64{on.wall / off.wall, on.cpu / off.cpu, on.wall / bare.wall, on.cpu / bare.cpu, off.wall / bare.wall} {
			ratios[i] = append(ratios[i], ratio)
		}
	}
	for i, name := range []string{"wall-on/off", "cpu-on/off", "wall-on/bare", "cpu-on/bare", "wall-off/bare"} {
		slices.Sort(ratios[i])
		b.ReportMetric(ratios[i][len(ratios[i])/2], name)
	}
}

// turn has the callers do the work n times in all.
func (r race) turn(b *testing.B, w work, n int64) cost {
	var left atomic.Int64
	left.Store(n)
	var wg sync.WaitGroup
	wall, cpu := time.Now(), processorTime(b)
	for range r.callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return cost{wall: time.Since(wall).Seconds(), cpu: processorTime(b) - cpu}
}

// processorTime is what this process has used, in seconds.
func processorTime(b *testing.B) float64 {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}
