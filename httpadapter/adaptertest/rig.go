package adaptertest

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/httpadapter"
)

// What the guards of a rule have unless it says otherwise. The lease is so long that it is not renewed while a test runs:
// time passes by Harness.Advance alone.
const (
	lease     = 10 * time.Minute
	retention = 24 * time.Hour
	minute    = time.Minute // what rules step over a limit by
)

// rig is the workplace of one rule: a harness, and two handles on its storage, as two processes have them.
type rig struct {
	TB
	harness Harness
	stores  [2]backend.Store
	guard   string // a name of its own, should the storage hold other records
	runs    atomic.Int32
	asked   atomic.Int32 // how often it was asked whose request it is
	over    chan struct{}
	guards  map[string]*idem.Guard

	mu    sync.Mutex
	fault string // what a handler found wrong
}

// rule makes a row whose check works on a rig.
func rule(name, text string, check func(*rig)) Rule {
	return Rule{Name: name, Text: text, Check: func(tb TB, h Harness) {
		tb.Helper()
		token := backend.NewToken()
		r := &rig{
			TB: tb, harness: h.withDefaults(), guard: "kit-" + hex.EncodeToString(token[:4]),
			over: make(chan struct{}), guards: make(map[string]*idem.Guard),
		}
		for i := range r.stores {
			r.stores[i] = h.Open(tb)
		}
		check(r)
		r.sound()
	}}
}

// failing makes a row that is skipped where the store cannot be made to fail.
func failing(name, text string, check func(*rig)) Rule {
	return rule(name, text, func(r *rig) {
		r.Helper()
		if r.harness.Inject == nil {
			r.Logf("skipped: the store cannot be made to fail")
			return
		}
		check(r)
	})
}

// setup is what a rule wants of a server, beside its handler.
type setup struct {
	process int // 0 or 1: whose handle on the storage
	guard   []idem.GuardOption
	name    string // of the guard, beside the rule's own
	user    httpadapter.UserFunc
	options []httpadapter.Option
	outside func(http.Handler) http.Handler // what stands around the guarded handler
	http2   bool
}

// server is a guarded service on a real listener.
type server struct {
	*rig
	*httptest.Server
	client *http.Client
}

func (r *rig) serve(next http.HandlerFunc, options ...httpadapter.Option) *server {
	r.Helper()
	return r.serveWith(setup{options: options}, next)
}

func (r *rig) serveWith(s setup, next http.HandlerFunc) *server {
	r.Helper()
	h := r.build(s, next)
	if s.outside != nil {
		h = s.outside(h)
	}
	listener := httptest.NewUnstartedServer(h)
	listener.Config.ErrorLog = silent
	if listener.EnableHTTP2 = s.http2; s.http2 {
		listener.StartTLS()
	} else {
		listener.Start()
	}
	client := &http.Client{
		Transport:     listener.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       r.harness.Patience,
	}
	r.Cleanup(func() {
		r.end()
		client.CloseIdleConnections()
		listener.CloseClientConnections()
		listener.Close()
	})
	return &server{r, listener, client}
}

// build has the harness guard a handler, and counts its runs.
func (r *rig) build(s setup, next http.HandlerFunc) http.Handler {
	r.Helper()
	guard := r.guardOf(s)
	user := s.user
	if user == nil {
		user = byHeader
	}
	return r.harness.Build(r.TB, Service{
		Guard:   guard,
		Options: s.options,
		User: func(request *http.Request) (idem.User, error) {
			r.asked.Add(1)
			return user(request)
		},
		Next: func(w http.ResponseWriter, request *http.Request) {
			r.runs.Add(1)
			next(w, request)
		},
	})
}

// guardOf returns the guard of that name in that process.
func (r *rig) guardOf(s setup) *idem.Guard {
	r.Helper()
	name := fmt.Sprint(s.process, s.name)
	if r.guards[name] == nil {
		opts := append([]idem.GuardOption{idem.Lease(lease), idem.Retention(retention), idem.MaxRun(time.Hour)}, s.guard...)
		guard, err := idem.New(r.guard+s.name, r.stores[s.process], opts...)
		r.ok("idem.New", err)
		r.guards[name] = guard
	}
	return r.guards[name]
}

// userHeader stands for authentication.
const userHeader = "X-Kit-User"

func byHeader(r *http.Request) (idem.User, error) { return idem.User(r.Header.Get(userHeader)), nil }

// end lets go of everything that waits.
func (r *rig) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.over:
	default:
		close(r.over)
	}
}

// wait waits for a channel on behalf of a handler.
func (r *rig) wait(c <-chan struct{}) {
	select {
	case <-c:
	case <-r.over:
	}
}

// soon waits for a channel on behalf of a rule.
func (r *rig) soon(what string, c <-chan struct{}) {
	r.Helper()
	select {
	case <-c:
	case <-time.After(r.harness.Patience):
		r.Fatalf("%s did not happen within %v", what, r.harness.Patience)
	}
}

// wrong is Fatalf for handlers, which run on goroutines of their own. The rule fails at its next step.
func (r *rig) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == "" {
		r.fault = fmt.Sprintf(format, args...)
	}
}

// sound fails the rule if a handler found something wrong.
func (r *rig) sound() {
	r.Helper()
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault != "" {
		r.Fatalf("%s", fault)
	}
}

// ran checks how often a handler ran so far.
func (r *rig) ran(want int) {
	r.Helper()
	r.sound()
	if got := int(r.runs.Load()); got != want {
		r.Fatalf("the handler ran %d times, want %d", got, want)
	}
}

func (r *rig) advance(d time.Duration) {
	r.Helper()
	r.harness.Advance(r.TB, d)
}

// ok checks that a step which is not the rule's own went well.
func (r *rig) ok(what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s failed: %v", what, err)
	}
}

// order is the handler of most rules: it makes an order, whose number is that of the run.
func (r *rig) order(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, ordered(int(r.runs.Load())))
}

func ordered(number int) string { return fmt.Sprintf(`{"order":%d}`, number) }
