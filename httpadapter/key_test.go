package httpadapter_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

// keysTaken are values of the header and the key that each of them names.
var keysTaken = map[string]struct {
	value string
	key   idem.Key
}{
	"a bare value":   {`k-1`, "k-1"},
	"a quoted value": {`"k-1"`, "k-1"},
	"a bare value with white space around it":   {" \tk-1 \t", "k-1"},
	"a quoted value with white space around":    {" \"k-1\"\t", "k-1"},
	"a quoted UUID of 38 characters":            {`"8e03978e-40d5-43e8-bc93-6894a57f9324"`, "8e03978e-40d5-43e8-bc93-6894a57f9324"},
	"escapes in quotes":                         {`"a\"b\\c"`, `a"b\c`},
	"an escape at the front":                    {`"\"b"`, `"b`},
	"spaces and separators in quotes":           {`" a, b; c "`, " a, b; c "},
	"all printable characters that may be bare": {"!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~", "!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~"},
	"255 bytes, bare":                           {strings.Repeat("k", 255), idem.Key(strings.Repeat("k", 255))},
	"255 bytes after decoding":                  {`"` + strings.Repeat(`\"`, 255) + `"`, idem.Key(strings.Repeat(`"`, 255))},
	"a parameter without a value":               {`"k-1";v`, "k-1"},
	"parameters of every type":                  {`"k-1";a=1;b=-1.5;c="x\"y";d=*tok/en:1;e=:aGk=:;f=?0;g=?1;h=@-1700;i=%"f%c3%bc";*j-_.*=A`, "k-1"},
	"spaces before a parameter's name":          {`"k-1";  a=1`, "k-1"},
	"an unpadded byte sequence":                 {`"k-1";a=:aGk:`, "k-1"},
	"a parameter that comes twice":              {`"k-1";a=1;a=2`, "k-1"},
}

func TestAKeyIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range keysTaken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := httpadapter.KeyOf(sent("", header("Idempotency-Key", c.value)))
			require.NoError(t, err)
			require.Equal(t, c.key, key)
		})
	}
}

// keysRefused are values of the header and the reason that clients are given.
var keysRefused = map[string]struct{ value, reason string }{
	"empty":                          {"", "it is empty"},
	"blank":                          {" \t ", "it is empty"},
	"empty in quotes":                {`""`, "it is empty"},
	"blank in quotes":                {`"   "`, "it is empty"},
	"unterminated":                   {`"k-1`, "closing quote"},
	"a lone quote":                   {`"`, "closing quote"},
	"terminated by an escaped quote": {`"k-1\"`, "closing quote"},
	"a bad escape":                   {`"k\-1"`, "backslash"},
	"a backslash at the end":         {`"k-1\`, "backslash"},
	"junk after the closing quote":   {`"k-1"x`, "closing quote"},
	"a second string after the closing quote": {`"k-1" "k-2"`, "closing quote"},
	"a quoted list":                           {`"k-1", "k-2"`, "list"},
	"a quoted list after parameters":          {`"k-1";a=1 , "k-2"`, "list"},
	"an unquoted list":                        {`k-1,k-2`, "list"},
	"an unquoted list with spaces":            {`k-1, k-2`, "list"},
	"a space in a bare value":                 {`k 1`, "space"},
	"a quote in a bare value":                 {`k"1`, "quote"},
	"a parameter behind a bare value":         {`k;a=1`, "semicolon"},
	"a backslash in a bare value":             {`k\1`, "backslash"},
	"a control character":                     {"k\x01", "printable"},
	"a control character in quotes":           {"\"k\x7f\"", "printable"},
	"a tab in quotes":                         {"\"k\t1\"", "printable"},
	"a character that is not ASCII":           {"kö", "printable"},
	"a character that is not ASCII in quotes": {`"kö"`, "printable"},
	"invalid UTF-8":                           {"k\xff", "printable"},
	"256 bytes":                               {strings.Repeat("k", 256), "256 bytes"},
	"256 bytes in quotes":                     {`"` + strings.Repeat("k", 256) + `"`, "256 bytes"},
	"a parameter without a name":              {`"k-1";`, "parameters"},
	"a parameter with a capital":              {`"k-1";A=1`, "parameters"},
	"a parameter with a digit in front":       {`"k-1";1=1`, "parameters"},
	"a parameter without its value":           {`"k-1";a=`, "parameters"},
	"an integer of 16 digits":                 {`"k-1";a=1234567890123456`, "parameters"},
	"a sign without digits":                   {`"k-1";a=-`, "parameters"},
	"a decimal of 13 digits":                  {`"k-1";a=1234567890123.5`, "parameters"},
	"a decimal of 4 places":                   {`"k-1";a=1.2345`, "parameters"},
	"a decimal without places":                {`"k-1";a=1.`, "parameters"},
	"a boolean that is neither":               {`"k-1";a=?2`, "parameters"},
	"a date that is not whole":                {`"k-1";a=@1.5`, "parameters"},
	"an unterminated parameter":               {`"k-1";a="x`, "parameters"},
	"an unterminated byte sequence":           {`"k-1";a=:aGk=`, "parameters"},
	"a byte sequence that is not base64":      {`"k-1";a=:a-_=:`, "parameters"},
	"an unterminated display string":          {`"k-1";a=%"x`, "parameters"},
	"a display string with capital digits":    {`"k-1";a=%"%C3%BC"`, "parameters"},
	"a display string that is not UTF-8":      {`"k-1";a=%"%ff"`, "parameters"},
	"a display string without a quote":        {`"k-1";a=%x`, "parameters"},
	"a display string with a character more":  {`"k-1";a=%"é"`, "parameters"},
	"a display string cut in an escape":       {`"k-1";a=%"%c"`, "parameters"},
	"junk after parameters":                   {`"k-1";a=1!`, "closing quote"},
}

func TestAKeyIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range keysRefused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sent("", header("Idempotency-Key", c.value))
			_, err := httpadapter.KeyOf(r)
			require.ErrorIs(t, err, idem.ErrInvalidKey)
			require.Contains(t, err.Error(), c.reason)

			s := newService(t, httpadapter.Optional())
			p := refused(t, do(s.wrap(echo), r), 400, idem.CodeInvalidKey)
			require.Contains(t, p.Detail, c.reason)
			require.Zero(t, s.runs.Load())
		})
	}
}

func TestTheHeaderMayComeOnceOnly(t *testing.T) {
	t.Parallel()
	twice := sent("")
	twice.Header.Add("Idempotency-Key", "k-1")
	_, err := httpadapter.KeyOf(twice)
	require.ErrorIs(t, err, idem.ErrInvalidKey)
	require.Contains(t, err.Error(), "more than once")

	none := sent("", without("Idempotency-Key"))
	_, err = httpadapter.KeyOf(none)
	require.ErrorIs(t, err, idem.ErrMissingKey)
	require.NotErrorIs(t, err, idem.ErrInvalidKey)
}

func TestBareAndQuotedValuesNameTheSameKey(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.wrap(echo)
	first(t, do(h, sent(`1`)), 201, `1`)
	replayed(t, do(h, sent(`1`, header("Idempotency-Key", `"k-1";v=2`))), 201, `1`)
	require.EqualValues(t, 1, s.runs.Load())
}

func TestStrictTakesQuotedKeysOnly(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Strict())
	h := s.wrap(echo)
	p := refused(t, do(h, sent(`1`)), 400, idem.CodeInvalidKey)
	require.Contains(t, p.Detail, "double quotes")
	first(t, do(h, sent(`1`, header("Idempotency-Key", `"k-1"`))), 201, `1`)
}

func TestAnotherHeaderMayCarryTheKey(t *testing.T) {
	t.Parallel()
	s := newService(t, httpadapter.Header("x-request-key"))
	h := s.wrap(echo)
	p := refused(t, do(h, sent(`1`)), 400, idem.CodeMissingKey)
	require.Contains(t, p.Detail, "X-Request-Key")
	move := func(r *http.Request) {
		r.Header.Del("Idempotency-Key")
		r.Header.Set("X-Request-Key", "k-1")
	}
	first(t, do(h, sent(`1`, move)), 201, `1`)
	replayed(t, do(h, sent(`1`, move)), 201, `1`)
}

// FuzzKeyOf looks for a value that makes the parser panic, that names a key which is no key, or whose text gets into an
// error.
func FuzzKeyOf(f *testing.F) {
	for _, c := range keysTaken {
		f.Add(c.value)
	}
	for _, c := range keysRefused {
		f.Add(c.value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Idempotency-Key": {value}}}
		key, err := httpadapter.KeyOf(r)
		if err != nil {
			require.ErrorIs(t, err, idem.ErrInvalidKey)
			if len(value) > 12 {
				require.NotContains(t, err.Error(), value)
			}
			return
		}
		require.NotEmpty(t, strings.Trim(string(key), " "))
		require.LessOrEqual(t, len(key), 255)
		for _, c := range []byte(key) {
			require.True(t, c >= ' ' && c <= '~', "byte %x", c)
		}
		// Writing the key as the draft has it must name the same key.
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(key)) + `"`
		again, err := httpadapter.KeyOf(&http.Request{Header: http.Header{"Idempotency-Key": {quoted}}})
		require.NoError(t, err)
		require.Equal(t, key, again)
		// And what is taken has no list and no second reading: without quotes it is the key itself.
		if trimmed := strings.Trim(value, " \t"); trimmed[0] != '"' {
			require.Equal(t, string(key), trimmed)
		}
	})
}
