package redistest

import (
	"context"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// olderServer is what a client sees of a server that does not know the header of scripts: text that begins with it does
// not compile, as Redis 6.2 says it.
type olderServer struct{}

type compileError struct{}

func (compileError) RedisError() {}

func (compileError) Error() string {
	return "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'"
}

func refuseHeader(cmd redis.Cmder) error {
	for _, word := range cmd.Args() {
		if text, ok := word.(string); ok && strings.HasPrefix(text, "#!") {
			cmd.SetErr(compileError{})
			return compileError{}
		}
	}
	return nil
}

func (olderServer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (olderServer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := refuseHeader(cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func (olderServer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if err := refuseHeader(cmd); err != nil {
				return err
			}
		}
		return next(ctx, cmds)
	}
}
