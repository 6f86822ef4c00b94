package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

// settings are what a server says of itself: of INFO its fields, and what CONFIG GET adds where that is permitted.
type settings struct {
	info   map[string]string // nil where INFO is not permitted
	config map[string]string // nil where CONFIG GET is not permitted
}

// configured are the settings that matter here, by the names that CONFIG has for them.
var configured = []string{
	"maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "min-replicas-to-write", "proto-max-bulk-len",
}

// readSettings asks a server. Managed services often refuse CONFIG, and some users may not run INFO: both count as not
// known.
func readSettings(ctx context.Context, on *redis.Client) (settings, error) {
	var info *redis.StringCmd
	config := make([]*redis.MapStringStringCmd, len(configured))
	_, err := on.Pipelined(ctx, func(p redis.Pipeliner) error {
		info = p.Info(ctx)
		for i, name := range configured {
			config[i] = p.ConfigGet(ctx, name)
		}
		return nil
	})
	if err != nil && !refused(err) {
		return settings{}, err
	}
	var s settings
	if info.Err() == nil {
		s.info = fields(info.Val())
	}
	for _, cmd := range config {
		for name, value := range cmd.Val() {
			if s.config == nil {
				s.config = map[string]string{}
			}
			s.config[name] = value
		}
	}
	return s, nil
}

// refused reports whether the server answered, and did not do what was asked.
func refused(err error) bool {
	var told redis.Error
	return errors.As(err, &told) && !says(err, "LOADING ") && !says(err, "NOAUTH ") && !says(err, "WRONGPASS ")
}

// fields reads the lines of INFO.
func fields(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}

// evictionPolicy returns maxmemory-policy, and "" where the server does not say it.
func (s settings) evictionPolicy() string {
	if policy := s.config["maxmemory-policy"]; policy != "" {
		return policy
	}
	return s.info["maxmemory_policy"]
}

// limits are what the servers cannot take.
type limits struct{ answer int }

// bulk is the longest string that a server takes unless it is configured otherwise.
const bulk = 512 << 20

func (l limits) fits(answer []byte) error {
	if len(answer) > l.answer {
		return fmt.Errorf("%w: %d bytes are more than the %d of proto-max-bulk-len", backend.ErrTooLarge, len(answer), l.answer)
	}
	return nil
}

// open asks every master whether records can be kept there, and gives it the scripts.
func (s *Store) open(ctx context.Context) error {
	all, err := s.masters(ctx)
	if err != nil {
		return failure(ctx, "open", err)
	}
	s.limits = limits{answer: bulk}
	header := allowOOM
	for _, on := range all {
		knows, err := s.inspect(ctx, on)
		if err != nil {
			return failure(ctx, "open", err)
		}
		if !knows {
			header = ""
		}
	}
	s.scripts = newScripts(header)
	for _, on := range all {
		if err := s.scripts.load(ctx, on); err != nil {
			return failure(ctx, "open: load the scripts", err)
		}
	}
	return nil
}

// inspect reports whether a server knows the header of scripts, and why records must not be kept on it.
func (s *Store) inspect(ctx context.Context, on *redis.Client) (knowsHeader bool, err error) {
	now, err := readSettings(ctx, on)
	if err != nil {
		return false, err
	}
	if now.info["role"] == "slave" {
		return false, errors.New("the server is a replica: connect to its master, or by way of Sentinel or the Cluster")
	}
	if err := s.config.permits(now.evictionPolicy()); err != nil {
		return false, err
	}
	if n, err := strconv.Atoi(now.config["proto-max-bulk-len"]); err == nil && n > 0 {
		s.limits.answer = min(s.limits.answer, n)
	}
	err = on.ScriptLoad(ctx, allowOOM+"return 1").Err()
	if err != nil && refused(err) && !says(err, "NOPERM") {
		return false, nil
	}
	return err == nil, err
}

// permits reports why a server with that eviction policy must not be used.
func (c *config) permits(policy string) error {
	switch {
	case policy == "noeviction" || c.acceptEvicted:
		return nil
	case policy == "":
		return errors.New("the server says neither by INFO nor by CONFIG GET what its maxmemory-policy is: " +
			"see to it that it is noeviction and permit one of them, or use the option AcceptEviction")
	default:
		return fmt.Errorf("the server's maxmemory-policy is %s, so it drops records when its memory is full, and what they stand for "+
			"can run again: set it to noeviction, or use the option AcceptEviction", policy)
	}
}
