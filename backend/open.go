package backend

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Handle is an opened store and the way to close it. Store is a named field, not an embedded one, so that its optional
// interfaces can be asserted.
type Handle struct {
	Store Store
	Close func() error // never nil; closes what Open opened
}

// Opener opens the store that url names. Its errors must not repeat url, which may hold a password.
type Opener func(ctx context.Context, url string) (Handle, error)

// known names the package to import for each scheme of this project.
var known = map[string]string{
	"memory":         "backend/memtest",
	"sqlite":         "drivers/sqlite",
	"postgres":       "drivers/pgx",
	"postgresql":     "drivers/pgx",
	"mysql":          "drivers/mysql",
	"redis":          "backend/redis",
	"rediss":         "backend/redis",
	"redis+cluster":  "backend/redis",
	"redis+sentinel": "backend/redis",
}

var registry = struct {
	sync.RWMutex
	openers map[string]Opener
}{openers: map[string]Opener{}}

// Register makes Open know a scheme. Driver packages call it from init, so that a blank import is enough and nobody
// links a driver that he does not use. It panics if the scheme is taken or is not a URL scheme (RFC 3986, section 3.1,
// in lower case).
func Register(scheme string, open Opener) {
	registry.Lock()
	defer registry.Unlock()
	if !validScheme(scheme) || open == nil {
		panic(fmt.Sprintf("backend: Register(%q): not a lower-case URL scheme, or no opener", scheme))
	}
	if _, taken := registry.openers[scheme]; taken {
		panic(fmt.Sprintf("backend: Register(%q): the scheme is registered already", scheme))
	}
	registry.openers[scheme] = open
}

// Open opens the store that url names: "memory:", "sqlite:FILE", "postgres://…", "mysql://…", "redis://…". The scheme
// must have been registered by importing its package. Errors never repeat url. Open is safe for concurrent use.
func Open(ctx context.Context, url string) (Handle, error) {
	scheme, _, found := strings.Cut(url, ":")
	if !found || !validScheme(scheme) {
		return Handle{}, fmt.Errorf("backend: the URL must begin with a scheme and a colon, such as sqlite:FILE; known here: %s", schemes())
	}
	registry.RLock()
	open := registry.openers[scheme]
	registry.RUnlock()
	if open == nil {
		return Handle{}, fmt.Errorf("backend: unknown scheme %q%s; known here: %s", scheme, hint(scheme), schemes())
	}
	return open(ctx, url)
}

func hint(scheme string) string {
	if pkg, ok := known[scheme]; ok {
		return fmt.Sprintf(`: import _ "github.com/idem-go/idem/%s"`, pkg)
	}
	return ""
}

func schemes() string {
	registry.RLock()
	defer registry.RUnlock()
	names := make([]string, 0, len(registry.openers))
	for name := range registry.openers {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func validScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		other := c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != ""
}
