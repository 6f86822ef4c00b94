package oracle_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// values are headers from which a fuzzer learns what a key may look like.
var values = []string{
	`k-1`, `"k-1"`, ` "k-1" `, `"a\"b\\c"`, `"k-1";v`, `"k-1";a=1;b=-1.5;c="x\"y";d=*tok/en:1;e=:aGk=:;f=?0;h=@-1700;i=%"f%c3%bc"`,
	`"k-1";  a=1`, `"k-1";a=:aGk:`, `"k-1";a=1;a=2`, ``, `""`, `"   "`, `"k`, `"k\-1"`, `"k-1"x`, `"k-1", "k-2"`, `k-1,k-2`,
	`"k-1";`, `"k-1";A=1`, `"k-1";a=`, `"k-1";a=1234567890123456`, `"k-1";a=1234567890123.5`, `"k-1";a=1.2345`, `"k-1";a=1.`,
	`"k-1";a=?2`, `"k-1";a=@1.5`, `"k-1";a=:a-_=:`, `"k-1";a=%"%C3%BC"`, `"k-1";a=%"%ff"`, "\"k\x7f\"", "\"k\t\"", `"kö"`,
	`"k" ;a`, `"k";a=("x" y);b`, `"k";a=::`, `"k";a=:=:`, `"k";a=--1`, `"k";a=-0`, `"k";a=a"b`, `"k";*=*`, `?1`, `:aGk=:`, `@1`, `tok;en`,
}

// FuzzKeyHeader holds KeyOf, and a middleware with the option Strict, against another parser of structured fields.
func FuzzKeyHeader(f *testing.F) {
	for _, v := range values {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n\x00") {
			return // no server hands these on
		}
		value = strings.Trim(value, " \t") // what surrounds a value is not part of it: RFC 9110, section 5.5
		key, err := httpadapter.KeyOf(&http.Request{Header: http.Header{"Idempotency-Key": {value}}})
		quoted, want := quotedKey(value)
		if strings.HasPrefix(value, `"`) {
			require.Equal(t, quoted, err == nil, "KeyOf: %v", err)
			require.Equal(t, want, string(key))
		} else {
			require.False(t, quoted)
		}
		require.Equal(t, quoted, strictlyTaken(t, value), "with Strict")
	})
}

// quotedKey is what the other parser makes of a value: a string of 1 to 255 bytes that is not blank, or nothing.
func quotedKey(value string) (taken bool, key string) {
	item, err := httpsfv.UnmarshalItem([]string{value})
	if err != nil {
		item, err = httpsfv.UnmarshalItem([]string{padded(value)})
	}
	if err != nil {
		return false, ""
	}
	key, isString := item.Value.(string)
	if !isString || len(key) > 255 || strings.Trim(key, " ") == "" {
		return false, ""
	}
	return true, key
}

// padded gives the byte sequences behind a string their padding. Parsers should not insist on it (RFC 9651, section
// 4.2.7), and the other one does.
func padded(value string) string {
	end := 1
	for end < len(value) && value[end] != '"' {
		if value[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(value) {
		return value
	}
	parts := strings.Split(value[end:], ":")
	for i := 1; i < len(parts)-1; i++ {
		if _, err := base64.RawStdEncoding.DecodeString(parts[i]); err == nil {
			parts[i] += strings.Repeat("=", (4-len(parts[i])%4)%4)
		}
	}
	return value[:end] + strings.Join(parts, ":")
}

func strictlyTaken(t *testing.T, value string) bool {
	t.Helper()
	user := func(*http.Request) (idem.User, error) { return "alice", nil }
	m, err := httpadapter.New(idem.Must(idem.New("oracle", new(memtest.Store))), user, httpadapter.Strict())
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.Header["Idempotency-Key"] = []string{value}
	w := httptest.NewRecorder()
	m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })).ServeHTTP(w, r)
	require.Contains(t, []int{http.StatusCreated, http.StatusBadRequest}, w.Code)
	return w.Code == http.StatusCreated
}
