package redisbackend

import (
	"context"
	"strconv"
	"strings"

	"github.com/idem-go/idem/backend"
)

// Check says which settings weaken or break what a record promises, as backend.Checker says. It asks every master; where
// a Cluster has several, a finding's value names the one that it is about.
func (s *Store) Check(ctx context.Context) ([]backend.Finding, error) {
	all, err := s.masters(ctx)
	if err != nil {
		return nil, failure(ctx, "check", err)
	}
	var found []backend.Finding
	for _, on := range all {
		now, err := readSettings(ctx, on)
		if err != nil {
			return nil, failure(ctx, "check", err)
		}
		for _, f := range s.config.judge(now) {
			if len(all) > 1 {
				f.Value += " on " + on.Options().Addr
			}
			found = append(found, f)
		}
	}
	return found, nil
}

// judge says what is to be said about one server's settings.
func (c *config) judge(s settings) []backend.Finding {
	var found []backend.Finding
	add := func(is bool, severity backend.Severity, setting, value, advice string) {
		if is {
			found = append(found, backend.Finding{Severity: severity, Setting: setting, Value: value, Advice: advice})
		}
	}
	add(s.info["role"] == "slave", backend.Error, "role", "slave", "the server is a replica and refuses every claim: connect to its master")
	major, _, _ := strings.Cut(s.info["redis_version"], ".")
	old, err := strconv.Atoi(major)
	add(err == nil && old < 7, backend.Warning, "redis_version", s.info["redis_version"],
		"where the memory is full, not even a tombstone can be stored, nor a claim renewed: use Redis 7.0 or newer")
	c.judgeMemory(s, add)
	c.judgeDisk(s, add)
	c.judgeReplicas(s, add)
	add(s.info == nil, backend.Warning, "INFO", "not permitted", "its settings cannot be checked: permit INFO to idem's user")
	add(s.config == nil, backend.Warning, "CONFIG GET", "not permitted",
		"not every setting can be checked: permit CONFIG GET to idem's user, or compare the server's settings with what idem's operations page asks for")
	return found
}

type adder = func(is bool, severity backend.Severity, setting, value, advice string)

func (c *config) judgeMemory(s settings, add adder) {
	policy := s.evictionPolicy()
	add(policy == "", backend.Warning, "maxmemory-policy", "unknown", "the server does not say whether it drops records when its memory is full: set it to noeviction")
	add(policy != "" && policy != "noeviction", backend.Error, "maxmemory-policy", policy,
		"when the memory is full, records are dropped, and what they stand for can run again: set it to noeviction")
}

// judgeDisk says what a restart forgets.
func (c *config) judgeDisk(s settings, add adder) {
	if s.info == nil && s.config == nil {
		return
	}
	appends := s.config["appendonly"]
	if appends == "" {
		appends = map[string]string{"1": "yes", "0": "no"}[s.info["aof_enabled"]]
	}
	save, known := s.config["save"]
	switch {
	case appends == "no" && known && save == "":
		add(true, backend.Error, "appendonly, save", "no, none", "a restart forgets every record, and what they stand for can run again: set appendonly to yes")
	case appends == "no":
		add(true, backend.Warning, "appendonly", "no", "a crash forgets what was written since the last snapshot, and that can run again: set it to yes")
	default:
		sync := s.config["appendfsync"]
		add(sync == "everysec", backend.Warning, "appendfsync", sync, "a crash can lose the claims and answers of the last second or two, so that what they stand for may run again: "+
			"set it to always where that matters more than speed")
		add(sync == "no", backend.Warning, "appendfsync", sync, "a crash of the machine can lose the claims and answers of many seconds, so that what they stand for may run again: set it to always, or to everysec")
	}
}

// judgeReplicas says what a failover forgets.
func (c *config) judgeReplicas(s settings, add adder) {
	connected, err := strconv.Atoi(s.info["connected_slaves"])
	if err != nil {
		return
	}
	needed := c.replicas.n
	add(connected < needed, backend.Error, "connected_slaves", strconv.Itoa(connected),
		"MinReplicas asks for "+strconv.Itoa(needed)+", so every claim fails: connect more replicas")
	add(connected > 0 && s.config["min-replicas-to-write"] == "0", backend.Warning, "min-replicas-to-write", "0",
		"a master that is cut off goes on claiming until it finds out that it was replaced, and what it wrote meanwhile is lost: set it to 1 or more")
	add(connected > 0 && needed == 0, backend.Warning, "MinReplicas", "not set",
		"a failover forgets what no replica had yet, so that it may run again: the option MinReplicas makes that rarer, at the price of waiting for replicas")
}
