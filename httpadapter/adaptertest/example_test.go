package adaptertest_test

import (
	"net/http"
	"testing"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
	"github.com/idem-go/idem/httpadapter/adaptertest"
)

// The test of an adapter, as its author writes it; here for the routers of net/http.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
			t.Parallel()
			h := adaptertest.Memory() // a fresh store for every rule
			h.Build = func(_ adaptertest.TB, s adaptertest.Service) http.Handler {
				m := idem.Must(httpadapter.New(s.Guard, s.User, s.Options...))
				router := http.NewServeMux()
				router.Handle("/", m.Wrap(s.Next))
				return router
			}
			return h
		})
	}
}
