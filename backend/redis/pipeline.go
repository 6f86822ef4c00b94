package redisbackend

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/internal/together"
)

const (
	flushes  = 2                     // how many may be under way
	patience = 50 * time.Millisecond // what a command waits before it goes alone
	light    = 16 << 10              // bytes of an answer that others do not wait behind
)

// pipeline sends what several callers have to send in the same moment as one pipeline, on one connection. A lone caller
// sends its own command by itself.
//
// Its methods may be called concurrently.
type pipeline struct {
	client redis.UniversalClient
	off    bool // every command goes by itself
	line   together.Line[*redis.Cmd]
}

func (p *pipeline) open(client redis.UniversalClient, on bool) {
	p.client, p.off = client, !on
	p.line.Alone, p.line.Many, p.line.Known, p.line.Own = p.single, p.many, known, own
	p.line.Flushes, p.line.Patience, p.line.Stays = flushes, patience, true
}

// process carries a command out, alone or among others. Only without an error may the caller read the command or use its
// arguments again: who leaves at a deadline leaves it behind with those who send it.
func (p *pipeline) process(ctx context.Context, cmd *redis.Cmd) error {
	if p.off || heavy(cmd) {
		return p.single(ctx, cmd)
	}
	_, err := p.line.Do(ctx, cmd)
	return err
}

// heavy reports whether others would wait long behind a command.
func heavy(cmd *redis.Cmd) bool {
	return slices.ContainsFunc(cmd.Args(), func(arg any) bool {
		raw, ok := arg.([]byte)
		return ok && len(raw) > light
	})
}

// own copies what the caller may change once it has left.
func own(cmd *redis.Cmd) {
	for i, arg := range cmd.Args() {
		if raw, ok := arg.([]byte); ok {
			cmd.Args()[i] = slices.Clone(raw)
		}
	}
}

func (p *pipeline) single(ctx context.Context, cmd *redis.Cmd) error {
	return p.client.Process(ctx, cmd)
}

func (p *pipeline) many(ctx context.Context, cmds []*redis.Cmd) {
	_, _ = p.client.Pipelined(ctx, func(on redis.Pipeliner) error { // every command has its own error
		for _, cmd := range cmds {
			if err := on.Process(ctx, cmd); err != nil {
				return err
			}
		}
		return nil
	})
}

// known returns what became of a command in a pipeline. Every command can be told twice under its token, so one that has no
// answer may be sent again.
func known(cmd *redis.Cmd) (bool, error) {
	err := cmd.Err()
	return err == nil && cmd.Val() != nil || err != nil && unknownScript(err), err
}
