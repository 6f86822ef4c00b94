package idem

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

func TestNoRoomRemainsWhenTheLastHasLeft(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]error{"answered": nil, "failed": errors.New("failed")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := Must(New("test", new(memtest.Store)))
				fn := func(context.Context, int) (int, error) {
					time.Sleep(time.Second)
					return 1, outcome
				}
				var wg sync.WaitGroup
				for _, wait := range []time.Duration{0, time.Minute, time.Minute, time.Millisecond} {
					wg.Go(func() { _, _ = Do(t.Context(), g, "k", "u", 1, fn, Wait(wait)) })
				}
				wg.Wait()
				require.Empty(t, g.rooms.open)
			})
		})
	}
}

func TestAWaiterOnHisWayInTakesWhatWasShared(t *testing.T) {
	t.Parallel()
	for range 100 {
		g := new(Guard)
		first, second := g.rooms.enter(roomID{}), g.rooms.enter(roomID{})
		require.Same(t, first, second)
		<-first.turn
		g.rooms.share(roomID{}, first, backend.Grant{Verdict: backend.Replay})
		g.rooms.leave(roomID{}, first, true)
		w := &waiter{g: g, room: second, over: time.NewTimer(time.Minute)}
		grant, done := w.turn(t.Context(), &backend.Grant{})
		require.True(t, done, "there is nothing to ask any more")
		require.Equal(t, backend.Replay, grant.Verdict)
	}
}
