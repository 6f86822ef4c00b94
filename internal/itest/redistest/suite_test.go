package redistest

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/backendtest"
	redisbackend "github.com/idem-go/idem/backend/redis"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, protocol := range []int{2, 3} {
		for _, conns := range []int{1, 2, 20} {
			t.Run(fmt.Sprintf("by RESP%d with a pool of %d", protocol, conns), func(t *testing.T) {
				backendtest.Run(t, func(t *testing.T) backendtest.Harness {
					t.Parallel()
					s := newStorage(t, named(t))
					s.options.Protocol, s.options.PoolSize = protocol, conns
					return s.harness()
				})
			})
		}
	}
}

func TestStoreKeepsTheContractWithoutReadableNames(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Harness {
		t.Parallel()
		return newStorage(t, named(t)).harness(redisbackend.WithoutReadable())
	})
}

// An older server knows no header of scripts.
func TestStoreKeepsTheContractOnAServerWithoutHeaders(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(t *testing.T) backendtest.Harness {
		t.Parallel()
		s := newStorage(t, named(t))
		h := s.harness()
		h.Open = func(tb backendtest.TB) backend.Store {
			client := s.client(tb)
			client.AddHook(olderServer{})
			return s.openOn(tb, client)
		}
		return h
	})
}

var _ redis.Hook = olderServer{}
