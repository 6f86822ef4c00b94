package httpadapter

import (
	"maps"
	"net/textproto"
	"strings"
)

// headerSet is a set of canonical header names. It never changes once it is in use.
type headerSet map[string]struct{}

// replayedByDefault are the headers that describe an answer rather than one delivery of it.
var replayedByDefault = setOf(
	"Cache-Control", "Content-Type", "Content-Language", "Content-Encoding", "Content-Disposition", "Location",
	"Content-Location", "ETag", "Last-Modified", "Link", "Retry-After",
)

// neverReplayed are the headers that belong to one delivery, one connection or one caller's session.
var neverReplayed = setOf(
	"Set-Cookie", "Set-Cookie2", "WWW-Authenticate", "Authentication-Info", "Date", "Content-Length",
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info",
	"TE", "Trailer", "Transfer-Encoding", "Upgrade", replayedHeader,
)

// replayedHeader marks an answer that was stored by another attempt.
const replayedHeader = "Idempotent-Replayed"

func setOf(names ...string) headerSet {
	set := make(headerSet, len(names))
	for _, n := range names {
		set[textproto.CanonicalMIMEHeaderKey(n)] = struct{}{}
	}
	return set
}

func (s headerSet) has(name string) bool {
	if _, found := s[name]; found { // most names are canonical
		return true
	}
	_, found := s[textproto.CanonicalMIMEHeaderKey(name)]
	return found
}

// ReplayHeaders adds response headers to those that are stored and replayed, which are Cache-Control, Content-Type,
// Content-Language, Content-Encoding, Content-Disposition, Location, Content-Location, ETag, Last-Modified, Link and
// Retry-After. The first answer always has all headers.
//
// Headers that belong to one delivery or one session cannot be added: Set-Cookie, Date, WWW-Authenticate, those of a
// connection, and Access-Control-*, which a CORS handler further out sets on replays as on first answers.
func ReplayHeaders(names ...string) Option {
	return option(func(c *config) error {
		set := maps.Clone(c.replayed)
		for _, n := range names {
			canonical := textproto.CanonicalMIMEHeaderKey(n)
			switch {
			case !isToken(n):
				return optionError("ReplayHeaders", "%q is not the name of a header", n)
			case neverReplayed.has(n), strings.HasPrefix(canonical, "Access-Control-"):
				return optionError("ReplayHeaders", "%s is never replayed", canonical)
			}
			set[canonical] = struct{}{}
		}
		c.replayed = set
		return nil
	})
}
