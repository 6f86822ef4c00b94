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

// Parameter makes an option of what the query of a URL says. An error says what the value must be, goes on after the
// parameter's name, and does not repeat the value.
type Parameter func(value string) (OpenOption, error)

// Unless is the parameter of an option that switches something off: false is the option, and true is none.
func Unless(o OpenOption) Parameter { return boolean(nothing, o) }

// takeParameters takes idem's own parameters and the driver's out of address, as Prepare says.
func (d Driver) takeParameters(address string) (rest string, opts []OpenOption, err error) {
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
		option := d.parameter(name)
		switch {
		case option == nil && part != "":
			others = append(others, part)
			continue
		case option == nil:
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

func (d Driver) parameter(name string) Parameter {
	if p := parameters[name]; p != nil {
		return p
	}
	return d.Parameters[name]
}

func (p Parameter) read(value string) (OpenOption, error) {
	decoded, err := url.QueryUnescape(value)
	if err != nil {
		return nil, errors.New("cannot be read: what has a meaning of its own must be percent-encoded")
	}
	return p(decoded)
}

var parameters = map[string]Parameter{
	"table":    func(value string) (OpenOption, error) { return Table(value), nil },
	"readable": Unless(WithoutReadable()),
	"migrate":  Unless(WithoutMigrate()),
	"conns": func(value string) (OpenOption, error) {
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, errors.New("must be a number")
		}
		return Conns(n), nil
	},
	"group":          boolean(GroupCommit(), nothing),
	"untested_mysql": boolean(UntestedMySQL(), nothing),
}

// nothing is an option that changes nothing.
var nothing OpenOption = openOption(func(*Opening) error { return nil })

func boolean(whenTrue, whenFalse OpenOption) Parameter {
	return func(value string) (OpenOption, error) {
		switch value {
		case "true":
			return whenTrue, nil
		case "false":
			return whenFalse, nil
		}
		return nil, errors.New("must be true or false")
	}
}
