package sqlbackend

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var isURL = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// takeParameters takes idem's own parameters out of address, as Driver.Prepare says.
func takeParameters(address string) (rest string, opts []OpenOption, err error) {
	rest, query, _ := strings.Cut(address, "?")
	if !isURL.MatchString(address) || query == "" {
		return address, nil, nil
	}
	var others []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		option, ours := parameters[name]
		switch {
		case !ours && part != "":
			others = append(others, part)
			continue
		case !ours:
			continue
		case seen[name]:
			return "", nil, fmt.Errorf("the parameter %s is given more than once", name)
		}
		seen[name] = true
		o, err := option.read(value)
		if err != nil {
			return "", nil, fmt.Errorf("the parameter %s %w", name, err)
		}
		opts = append(opts, o)
	}
	if len(others) > 0 {
		rest += "?" + strings.Join(others, "&")
	}
	return rest, opts, nil
}

// parameter makes an option of what the query says.
type parameter func(value string) (OpenOption, error)

func (p parameter) read(value string) (OpenOption, error) {
	decoded, err := url.QueryUnescape(value)
	if err != nil {
		return nil, errors.New("cannot be read: what has a meaning of its own must be percent-encoded")
	}
	return p(decoded)
}

var parameters = map[string]parameter{
	"table":    func(value string) (OpenOption, error) { return Table(value), nil },
	"readable": func(value string) (OpenOption, error) { return unless(value, WithoutReadable()) },
	"migrate":  func(value string) (OpenOption, error) { return unless(value, WithoutMigrate()) },
	"conns": func(value string) (OpenOption, error) {
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, errors.New("must be a number")
		}
		return Conns(n), nil
	},
	"untested_mysql": func(value string) (OpenOption, error) { return only(value, UntestedMySQL()) },
}

// only returns o where value is true, and what changes nothing where it is false.
func only(value string, o OpenOption) (OpenOption, error) {
	switch value {
	case "true":
		return o, nil
	case "false":
		return nothing, nil
	}
	return nil, errNotBoolean
}

var (
	nothing       = openOption(func(*Opening) error { return nil })
	errNotBoolean = errors.New("must be true or false")
)

// unless returns o where value is false, and what changes nothing where it is true.
func unless(value string, o OpenOption) (OpenOption, error) {
	switch value {
	case "false":
		return o, nil
	case "true":
		return nothing, nil
	}
	return nil, errNotBoolean
}
