package httpadapter

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/canon"
)

// fingerprint tells whether two requests are the same: method, path, query, media type, content coding and body. The
// first part keeps it apart from the fingerprints of typed calls on the same guard.
func fingerprint(r *http.Request, rm *room) idem.Fingerprint {
	path, query := target(r)
	media, coding := mediaType(r.Header["Content-Type"]), strings.ToLower(strings.Join(r.Header["Content-Encoding"], ","))
	form, body := "raw", rm.in
	if isJSON(media, coding) {
		var ok bool
		if rm.canon, ok = canon.JSON(rm.canon[:0], rm.in); ok {
			form, body = "json", rm.canon
		}
	}
	return backend.NewFingerprint([]byte("http"), []byte(r.Method), []byte(path), []byte(sortQuery(query)),
		[]byte(media), []byte(coding), []byte(form), body)
}

// isJSON says whether a body is compared by its meaning. Everything else compares as it is, and so does JSON that readers
// could understand differently.
func isJSON(media, coding string) bool {
	return coding == "" && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// mediaType is the Content-Type without its parameters, in lower case. More than one have no media type in common.
func mediaType(lines []string) string {
	if len(lines) != 1 {
		return strings.ToLower(strings.Join(lines, ","))
	}
	media, _, _ := strings.Cut(lines[0], ";")
	return strings.ToLower(trim(media))
}

// target returns path and query as they were sent. http.StripPrefix and mounts change r.URL but not r.RequestURI, which
// only requests that did not come from a server lack.
func target(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	if r.RequestURI != "" {
		if u, err := url.ParseRequestURI(r.RequestURI); err == nil { // the form that is sent to proxies
			return u.EscapedPath(), u.RawQuery
		}
		return r.RequestURI, ""
	}
	return r.URL.EscapedPath(), r.URL.RawQuery
}

// sortQuery sorts a query by the names in it; those of one name keep their order, which has a meaning. Each pair stays as
// it was written. A query that does not parse stays as it is.
func sortQuery(raw string) string {
	if !strings.Contains(raw, "&") {
		return raw
	}
	if _, err := url.ParseQuery(raw); err != nil {
		return raw
	}
	pairs := strings.Split(raw, "&")
	slices.SortStableFunc(pairs, func(a, b string) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return strings.Join(pairs, "&")
}

func nameOf(pair string) string {
	written, _, _ := strings.Cut(pair, "=")
	name, _ := url.QueryUnescape(written) // the whole query parses
	return name
}

// routeDigits is how many hexadecimal digits stand for a route in the key of a record.
const routeDigits = 32

// recordKey is the key under which the record is kept.
func (m *Middleware) recordKey(r *http.Request, key idem.Key) idem.Key {
	if !m.perRoute {
		return key
	}
	path, _ := target(r)
	route := backend.NewFingerprint([]byte("http/route"), []byte(r.Method), []byte(path))
	if len(key) > maxKey-1-routeDigits {
		long := backend.NewFingerprint([]byte("http/key"), []byte(key))
		key = idem.Key(hex.EncodeToString(long[1:]))
	}
	return key + " " + idem.Key(hex.EncodeToString(route[1:])[:routeDigits])
}
