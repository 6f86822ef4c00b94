package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/idem-go/idem/httpadapter"
)

// fault is what the headers of a request want to go wrong in its guarded handler. The zero fault wants nothing, and is
// all that there is without -faults. They are headers so that they are not part of the request that idem compares.
type fault struct {
	delay  time.Duration // X-Demo-Delay
	status int           // X-Demo-Status
	panics bool          // X-Demo-Panic
	crash  string        // X-Demo-Crash
}

const (
	maxDelay     = time.Minute
	beforeEffect = "before-effect"
	afterEffect  = "after-effect"
)

type faultKey struct{}

// faultOf returns the fault of the request that ctx belongs to.
func faultOf(ctx context.Context) fault {
	f, _ := ctx.Value(faultKey{}).(fault)
	return f
}

// steered lets the headers of a request steer what next does. It is installed with -faults only.
func steered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := parseFault(r.Header)
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, f)))
	})
}

func parseFault(h http.Header) (f fault, err error) {
	if text := h.Get("X-Demo-Delay"); text != "" {
		if f.delay, err = time.ParseDuration(text); err != nil || f.delay < 0 || f.delay > maxDelay {
			return f, invalid("X-Demo-Delay must be a duration from 0s to 1m, such as 300ms.")
		}
	}
	if text := h.Get("X-Demo-Status"); text != "" {
		if f.status, err = strconv.Atoi(text); err != nil || f.status < 200 || f.status > 599 {
			return f, invalid("X-Demo-Status must be a status from 200 to 599.")
		}
	}
	if text := h.Get("X-Demo-Panic"); text != "" {
		if f.panics, err = strconv.ParseBool(text); err != nil {
			return f, invalid("X-Demo-Panic must be 1.")
		}
	}
	f.crash = h.Get("X-Demo-Crash")
	if !slices.Contains([]string{"", beforeEffect, afterEffect}, f.crash) {
		return f, invalid("X-Demo-Crash must be before-effect or after-effect.")
	}
	return f, nil
}

// before is what goes wrong before the effect. An error means that there must be no effect. It does not look at any
// context: a delay is for code that does not either.
func (f fault) before() error {
	time.Sleep(f.delay)
	switch {
	case f.crash == beforeEffect:
		crash()
	case f.panics:
		panic("X-Demo-Panic")
	case f.status != 0:
		return demanded(f.status)
	}
	return nil
}

// after is what goes wrong between the effect and its answer. In a transaction that is before COMMIT.
func (f fault) after() {
	if f.crash == afterEffect {
		crash()
	}
}

// crash ends this process with SIGKILL, so that nothing is cleaned up, and does not return.
func crash() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {}
}

// demanded is the error of a handler that was asked for a status.
type demanded int

func (d demanded) Error() string { return fmt.Sprintf("X-Demo-Status asked for %d", int(d)) }

func (d demanded) write(w http.ResponseWriter, r *http.Request) {
	if d < http.StatusBadRequest {
		w.WriteHeader(int(d))
		return
	}
	httpadapter.WriteError(w, r, &httpadapter.Problem{Status: int(d), Code: "demanded", Detail: "The header X-Demo-Status asked for this."})
}
