package httpadapter

import (
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/idem-go/idem"
)

// Option configures a middleware, in New and Route. A wrong one is an *idem.OptionError that names it.
type Option interface{ apply(*config) error }

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

// config is what a middleware goes by. Values are never changed once a middleware has them: Route copies config as it is.
type config struct {
	methods         []string
	header          string
	optional        bool
	strict          bool
	perRoute        bool
	maxBody         int64
	spool           spool // to be copied
	disposition     func(*http.Request, int) idem.Disposition
	replayed        headerSet
	documentation   string
	problemWriter   func(http.ResponseWriter, *http.Request, *Problem)
	challenge       string
	refuseNotStored bool
	call            []idem.CallOption
}

func defaults() config {
	return config{
		methods:   []string{http.MethodPost, http.MethodPatch},
		header:    DefaultHeader,
		maxBody:   1 << 20,
		spool:     spool{most: 1 << 30},
		replayed:  replayedByDefault,
		challenge: "Bearer",
		call:      []idem.CallOption{idem.Detached()},
	}
}

func optionError(option, format string, args ...any) error {
	return &idem.OptionError{Option: option, Reason: fmt.Sprintf(format, args...)}
}

// Methods says which methods are guarded: POST and PATCH by default. Requests with another one pass untouched.
func Methods(methods ...string) Option {
	return option(func(c *config) error {
		if len(methods) == 0 {
			return optionError("Methods", "it names no method")
		}
		for _, m := range methods {
			if !isToken(m) {
				return optionError("Methods", "%q is not a method", m)
			}
		}
		c.methods = slices.Clone(methods)
		return nil
	})
}

// Optional lets requests without a key pass untouched and unguarded. A key that is there must still be valid: an empty
// header is not an absent one.
func Optional() Option {
	return option(func(c *config) error {
		c.optional = true
		return nil
	})
}

// Strict takes keys in double quotes only, as the draft has them. By default the bare value is taken too.
func Strict() Option {
	return option(func(c *config) error {
		c.strict = true
		return nil
	})
}

// Header sets the name of the request header that carries the key: default DefaultHeader.
func Header(name string) Option {
	return option(func(c *config) error {
		if !isToken(name) {
			return optionError("Header", "%q is not the name of a header", name)
		}
		c.header = textproto.CanonicalMIMEHeaderKey(name)
		return nil
	})
}

// MaxBody is the most bytes that the body of a guarded request may have: default 1 MiB. A larger one is answered with
// 413, and nothing is claimed.
func MaxBody(bytes int64) Option {
	return option(func(c *config) error {
		if bytes < 0 || bytes > 1<<30 {
			return optionError("MaxBody", "%d bytes is not between 0 and 1 GiB", bytes)
		}
		c.maxBody = bytes
		return nil
	})
}

// Documentation is the absolute http or https URL of a page that explains the use of keys. Refusals carry it as their
// type, with their code as its fragment, and in a Link header with rel="describedby" (RFC 9457, section 3.1.1; RFC 8288).
func Documentation(page string) Option {
	return option(func(c *config) error {
		u, err := url.Parse(page)
		web := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
		if !web || u.User != nil || strings.ContainsAny(page, "#<> \"") || !isPrintable(page) {
			return optionError("Documentation", "it is not an absolute http or https URL without a user and a fragment")
		}
		c.documentation = page
		return nil
	})
}

// Challenge is the WWW-Authenticate header of a 401 (RFC 9110, section 11.6.1): default Bearer.
func Challenge(value string) Option {
	return option(func(c *config) error {
		scheme, _, _ := strings.Cut(value, " ")
		if !isToken(scheme) || !isPrintable(value) {
			return optionError("Challenge", "it does not begin with an authentication scheme, or is not printable ASCII")
		}
		c.challenge = value
		return nil
	})
}

// PerRoute makes method and path a part of a record's identity: a key that is used on two routes then names two records.
// Without it the second use is refused with 422. The path is the one that was sent, without its query, so /orders/1 and
// /orders/2 are two routes.
//
// In the store the key of such a record is the client's, a space and 32 hexadecimal digits that stand for the route; of a
// key with more than 222 bytes its SHA-256 stands there. That is also the key in idem.Attempt.
func PerRoute() Option {
	return option(func(c *config) error {
		c.perRoute = true
		return nil
	})
}

// NotStored is what a client gets whose request was handled but whose answer could not be stored.
type NotStored uint8

// The choices of OnNotStored.
const (
	Deliver NotStored = iota // the handler's answer, which is the truth. The default
	Refuse                   // 500 with the code not_stored: no client is told what a later replay may not repeat
)

// OnNotStored chooses what the client gets where the handler ran and the store did not take its answer for 5 seconds
// (idem.ErrNotStored). Either way a later request with the same key may run the handler again under the guarantee Rerun,
// and becomes 409 with the code unknown_outcome under Hold.
func OnNotStored(choice NotStored) Option {
	return option(func(c *config) error {
		if choice > Refuse {
			return optionError("OnNotStored", "%d is neither Deliver nor Refuse", choice)
		}
		c.refuseNotStored = choice == Refuse
		return nil
	})
}

// Call sets options of the guard for the calls of this middleware or route: idem.Retention, idem.Wait, idem.Lease,
// idem.MaxRun, idem.MaxResult. Those that speak of typed requests and answers have no effect here.
func Call(opts ...idem.CallOption) Option {
	return option(func(c *config) error {
		c.call = append(slices.Clone(c.call), opts...)
		return nil
	})
}

func isToken(s string) bool { return s != "" && span(s, isTchar) == len(s) }

func isPrintable(s string) bool {
	return span(s, func(c byte) bool { return c >= ' ' && c <= '~' }) == len(s)
}
