package itest

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// The marks are what the canary's calls carry. None is a part of another, and nobody else writes them.
const (
	markKey      = "KeyOwZq7"
	markUser     = "UserPvXk3"
	markBody     = "BodyHtJw9"
	markCents    = 9071345628 // in the body
	markAnswer   = "AnswerYdBf5"
	markReceipt  = 8062457139 // in the answer
	markFailure  = "FailureNgCr2"
	markPassword = "PasswordMuLs8" // in a storage's URL

	markPlanted = "PlantedEiAz4" // let out on every way on purpose: who does not see it looks at the wrong place
)

// The ways on which something could come out.
const (
	wayError   = "ERROR"
	wayEvent   = "EVENT"
	wayRefusal = "REFUSAL" // an HTTP answer of ours
	wayOutput  = "OUTPUT"  // standard output and error, and the default loggers, which write there
)

// secret is something that must not come out, in all the forms that it could be written in, in lower case.
type secret struct {
	name  string
	forms []string
}

// secretsOf are what must not come out on a way: what fn returned may come out of the call, but nowhere else.
func secretsOf(way string, tokens []secret) []secret {
	all := []secret{
		newSecret("the key", []byte(markKey)),
		newSecret("the user", []byte(markUser)),
		newSecret("the password", []byte(markPassword)),
		newSecret("the body", []byte(markBody)),
		newSecret("the body's number", fmt.Append(nil, int64(markCents))),
		newSecret("the answer", []byte(markAnswer)),
		newSecret("the answer's number", fmt.Append(nil, int64(markReceipt))),
	}
	if way != wayError {
		all = append(all, newSecret("fn's error", []byte(markFailure)))
	}
	return append(all, tokens...)
}

func newSecret(name string, content []byte) secret {
	numbers := strings.Trim(fmt.Sprintf("%v", content), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", content), "[]byte{"), "}")
	fives := base32.StdEncoding.EncodeToString(content[:len(content)/5*5])
	forms := []string{string(content), hex.EncodeToString(content), numbers, goSyntax, fives}
	for skip := range 3 { // where it begins inside of what was encoded
		whole := content[skip : skip+(len(content)-skip)/3*3]
		forms = append(forms, base64.RawStdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole))
	}
	for i, form := range forms {
		forms[i] = strings.ToLower(form)
	}
	return secret{name, forms}
}

// leak says what of the secrets stands in text, and in what form; "" if nothing does.
func leak(text string, secrets []secret) string {
	text = strings.ToLower(text)
	for _, s := range secrets {
		for _, form := range s.forms {
			if strings.Contains(text, form) {
				return fmt.Sprintf("%s, as %q", s.name, form)
			}
		}
	}
	return ""
}

func TestALeakIsFoundInWhateverForm(t *testing.T) {
	t.Parallel()
	user := []byte("UserPvXk3")
	token := backend.NewToken()
	all := []secret{newSecret("user", user), newSecret("token", token[:])}
	for name, text := range map[string]string{
		"as it is":          "no such user: UserPvXk3",
		"in upper case":     "USERPVXK3",
		"in hexadecimal":    fmt.Sprintf("id=%x", user),
		"quoted":            fmt.Sprintf("%q", user),
		"as numbers":        fmt.Sprintf("%v", struct{ User []byte }{user}),
		"in Go's syntax":    fmt.Sprintf("%#v", user),
		"in base64":         base64.StdEncoding.EncodeToString(user),
		"inside base64":     base64.URLEncoding.EncodeToString([]byte("u:" + string(user))),
		"in base32":         base32.StdEncoding.EncodeToString(user),
		"a token":           hex.EncodeToString(token[:]),
		"a token, unhidden": fmt.Sprintf("%d", token[:]),
	} {
		require.NotEmpty(t, leak(text, all), name)
	}
	require.Empty(t, leak("nothing (token) "+token.String(), all))
}
