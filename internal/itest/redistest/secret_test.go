package redistest

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// What goes wrong is told without what it was about.
func TestErrorsHoldNothingOfARecord(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	s := on.storage()
	store := s.openOn(t, s.client(t, func(o *redis.Options) { o.MaxRetries = -1 }))
	c := claimOf("marked-key")
	c.Guard, c.User = "marked-guard", "marked-user"
	secrets := []string{
		"marked", fmt.Sprintf("%x", c.ID[:]), base64.RawURLEncoding.EncodeToString(c.Token[:]), fmt.Sprintf("%x", c.Token[:]),
		base64.RawURLEncoding.EncodeToString(c.Fingerprint[:]),
	}
	answer := strings.Repeat("marked-answer", 2000)
	seen := 0
	hear := func(what string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		seen++
		for _, secret := range secrets {
			require.NotContains(t, err.Error(), secret, what)
		}
	}
	every := func(what string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ref := backend.NewRef(c.ID, c.Token)
		_, err := store.Begin(ctx, c)
		hear(what, err)
		_, err = store.Renew(ctx, c.ID, c.Token, renewal("marked-note"))
		hear(what, err)
		_, err = store.Complete(ctx, c.ID, c.Token, completion(c, answer))
		hear(what, err)
		_, err = store.Hold(ctx, c.ID, c.Token, "marked-note")
		hear(what, err)
		_, err = store.Resolve(ctx, ref, completion(c, answer))
		hear(what, err)
		_, err = store.Lookup(ctx, c.ID)
		hear(what, err)
		_, _, err = store.List(ctx, backend.Filter{User: c.User}, backend.Cursor{}, 1)
		hear(what, err)
		_, err = store.ForgetUser(ctx, c.Guard, c.User)
		hear(what, err)
		_, _, err = store.Watch(ctx, c.ID)
		hear(what, err)
	}
	require.NoError(t, s.own.Set(t.Context(), s.key(c.ID), "value", 0).Err())
	every("another string")
	require.NoError(t, s.own.Del(t.Context(), s.key(c.ID)).Err())
	require.NoError(t, s.own.RPush(t.Context(), s.key(c.ID), "value").Err())
	every("another type")
	require.NoError(t, s.own.Del(t.Context(), s.key(c.ID)).Err())
	s.fill(t)
	every("full memory")
	s.unfill(t)
	require.NoError(t, s.own.Set(t.Context(), s.key(c.ID), "idem1p"+strings.Repeat("marked-record", 20), 0).Err())
	every("a record that cannot be read")
	on.kill()
	every("a server that is gone")
	require.Greater(t, seen, 20)
}
