package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

func init() {
	backend.Register("redis", opener(dialServer))
	backend.Register("rediss", opener(dialServer))
	backend.Register("redis+cluster", opener(dialCluster))
	backend.Register("redis+sentinel", opener(dialSentinel))
}

// dialer makes the client of a URL that holds nothing of idem's any more. It does not connect.
type dialer func(place string) (redis.UniversalClient, error)

// opener opens a URL as go-redis knows it:
//
//	redis://USER:PASSWORD@HOST:PORT/DB, and rediss:// for TLS
//	redis+cluster://USER:PASSWORD@HOST:PORT?addr=HOST:PORT&addr=…
//	redis+sentinel://USER:PASSWORD@HOST:PORT/DB?master_name=NAME&addr=HOST:PORT&…
//
// Of its query
//
//	prefix                what keys begin with
//	readable              false leaves guard, user and key out
//	accept_eviction       true accepts a server that may drop records
//	pipelining            true has calls share pipelines, as Pipelining
//	min_replicas          how many replicas must have a claim or an answer
//	min_replicas_timeout  how long they have for that; 1s unless given
//	tls                   true for TLS, with redis+cluster and redis+sentinel
//
// are idem's, and all others go-redis's.
func opener(dial dialer) backend.Opener {
	return func(ctx context.Context, text string) (backend.Handle, error) {
		place, opts, err := parseURL(text)
		if err != nil {
			return backend.Handle{}, fmt.Errorf("redisbackend: %w", err)
		}
		var client redis.UniversalClient
		if _, host, _ := strings.Cut(place, "://"); host != "" && !strings.ContainsAny(host[:1], "/?") {
			client, err = dial(place)
		}
		if client == nil || err != nil { // which may repeat the password
			return backend.Handle{}, fmt.Errorf("redisbackend: the URL cannot be read: write %s, with parameters that idem or go-redis knows", forms[schemeOf(text)])
		}
		store, err := New(ctx, client, opts...)
		if err != nil {
			return backend.Handle{}, errors.Join(err, client.Close())
		}
		return backend.Handle{Store: store, Close: func() error { return errors.Join(store.Close(), client.Close()) }}, nil
	}
}

var forms = map[string]string{
	"redis":          "redis://USER:PASSWORD@HOST:PORT/DB",
	"rediss":         "rediss://USER:PASSWORD@HOST:PORT/DB",
	"redis+cluster":  "redis+cluster://USER:PASSWORD@HOST:PORT?addr=HOST:PORT",
	"redis+sentinel": "redis+sentinel://USER:PASSWORD@HOST:PORT/DB?master_name=NAME&addr=HOST:PORT",
}

func schemeOf(text string) string {
	scheme, _, _ := strings.Cut(text, ":")
	return scheme
}

func dialServer(place string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(place)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), nil
}

func dialCluster(place string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(place)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled = true
	return redis.NewClusterClient(o), nil
}

func dialSentinel(place string) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(place)
	if err != nil {
		return nil, err
	}
	if o.MasterName == "" {
		return nil, errors.New("there is no master_name")
	}
	o.ContextTimeoutEnabled = true
	return redis.NewFailoverClient(o), nil
}

// asked are idem's own parameters.
type asked struct {
	opts    []Option
	tls     bool
	n       int
	timeout time.Duration
}

// parseURL takes idem's parameters out of the query, and leaves a URL that go-redis knows.
func parseURL(text string) (place string, opts []Option, err error) {
	scheme := schemeOf(text)
	place, query, _ := strings.Cut(text, "?")
	a := asked{timeout: time.Second}
	var rest []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		read, ours := parameters[name]
		if name == "tls" && !strings.Contains(scheme, "+") {
			ours = false
		}
		if !ours {
			if part != "" {
				rest = append(rest, part)
			}
			continue
		}
		if seen[name] {
			return "", nil, fmt.Errorf("the parameter %s is given twice", name)
		}
		seen[name] = true
		if value, err = url.QueryUnescape(value); err != nil {
			return "", nil, fmt.Errorf("the parameter %s cannot be read", name)
		}
		if err := read(&a, value); err != nil {
			return "", nil, fmt.Errorf("the parameter %s %w", name, err)
		}
	}
	if seen["min_replicas"] {
		a.opts = append(a.opts, MinReplicas(a.n, a.timeout))
	} else if seen["min_replicas_timeout"] {
		return "", nil, errors.New("the parameter min_replicas_timeout needs min_replicas")
	}
	return a.place(scheme, strings.TrimPrefix(place, scheme), rest), a.opts, nil
}

func (a *asked) place(scheme, place string, query []string) string {
	if strings.Contains(scheme, "+") {
		scheme = "redis"
		if a.tls {
			scheme = "rediss"
		}
	}
	place = scheme + place
	if len(query) > 0 {
		place += "?" + strings.Join(query, "&")
	}
	return place
}

var parameters = map[string]func(*asked, string) error{
	"prefix": func(a *asked, value string) error {
		a.opts = append(a.opts, Prefix(value))
		return nil
	},
	"readable": func(a *asked, value string) error {
		is, err := truth(value)
		if !is {
			a.opts = append(a.opts, WithoutReadable())
		}
		return err
	},
	"accept_eviction": func(a *asked, value string) error {
		is, err := truth(value)
		if is {
			a.opts = append(a.opts, AcceptEviction())
		}
		return err
	},
	"pipelining": func(a *asked, value string) error {
		is, err := truth(value)
		if is {
			a.opts = append(a.opts, Pipelining())
		}
		return err
	},
	"tls": func(a *asked, value string) (err error) {
		a.tls, err = truth(value)
		return err
	},
	"min_replicas": func(a *asked, value string) (err error) {
		if a.n, err = strconv.Atoi(value); err != nil {
			return errors.New("must be a number")
		}
		return nil
	},
	"min_replicas_timeout": func(a *asked, value string) (err error) {
		if a.timeout, err = time.ParseDuration(value); err != nil {
			return errors.New("must be a duration, such as 500ms")
		}
		return nil
	},
}

func truth(value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("must be true or false")
}
