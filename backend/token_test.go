package backend_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

func TestATokenIsHiddenHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	token := backend.NewToken()
	claim := backend.Claim{Token: token}
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %#x %d %o %b %c %U") {
		require.Equal(t, "(token)", fmt.Sprintf(verb, token), verb)
		require.Equal(t, "(token)", fmt.Sprintf(verb, &token), verb)
		require.Contains(t, fmt.Sprintf(verb, claim), "(token)", verb)
	}
	for _, v := range []any{token, &token, claim, map[backend.Token]int{token: 1}} {
		text, err := json.Marshal(v)
		require.Error(t, err, "%s", text)
	}
}

func TestAnIDShowsItsFirstDigitsOnly(t *testing.T) {
	t.Parallel()
	id := backend.NewID("guard", "user", "key")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, id.Short(), fmt.Sprintf(verb, id), verb)
	}
}
