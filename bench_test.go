package idem_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
)

// The cost of Do on the in-memory store: what the library itself takes. Run with
//
//	go test -bench Do -benchmem .

func BenchmarkDo(b *testing.B) {
	fn := func(_ context.Context, c charge) (receipt, error) { return receipt{"ch_1", c.Cents}, nil }
	for _, callers := range []int{1, 32} {
		suffix := "/callers=" + strconv.Itoa(callers)
		b.Run("first run"+suffix, func(b *testing.B) {
			g := newGuard(b, new(memtest.Store))
			var n atomic.Int64
			spread(b, callers, func() error {
				_, err := idem.Do(context.Background(), g, idem.Key("k"+strconv.FormatInt(n.Add(1), 10)), "u", five, fn)
				return err
			})
		})
		b.Run("replay"+suffix, func(b *testing.B) {
			g := newGuard(b, new(memtest.Store))
			_, _ = idem.Do(context.Background(), g, "k", "u", five, fn)
			spread(b, callers, func() error {
				_, err := idem.Do(context.Background(), g, "k", "u", five, fn)
				return err
			})
		})
		b.Run("mismatch"+suffix, func(b *testing.B) {
			g := newGuard(b, new(memtest.Store))
			_, _ = idem.Do(context.Background(), g, "k", "u", five, fn)
			spread(b, callers, func() error {
				if _, err := idem.Do(context.Background(), g, "k", "u", six, fn); !errors.Is(err, idem.ErrMismatch) {
					return errors.Join(errors.New("no mismatch"), err)
				}
				return nil
			})
		})
	}
}

// spread runs f b.N times on the given number of goroutines.
func spread(b *testing.B, callers int, f func() error) {
	b.Helper()
	b.ReportAllocs()
	if callers == 1 {
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
