package redisbackend

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"embed"
	"encoding/hex"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/idem-go/idem/backend"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one transition. Its text and its name are kept as arguments, so that no call makes them anew.
type script struct{ source, sha any }

// allowOOM, before a script, lets it write where the memory is full (Redis 7.0). Scripts without it are of the older
// kind, of which only the write is refused then: a replay is answered, a claim is not made.
const allowOOM = "#!lua flags=allow-oom\n"

func newScript(header, name string) script {
	body, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic("redisbackend: " + err.Error()) // the file is part of this package
	}
	source := header + spelled(string(body))
	sum := sha1.Sum([]byte(source)) //nolint:gosec // as above
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

// answering is a script that stores an answer.
type answering struct{ any, small script }

// smallAnswer is up to how many bytes an answer is stored whether or not the memory is full: a tombstone, which has at
// most 4 KiB and an envelope.
const smallAnswer = 8 << 10

func (a answering) storing(answer []byte) script {
	if len(answer) <= smallAnswer {
		return a.small
	}
	return a.any
}

// scripts are all of them.
type scripts struct {
	begin, renew, hold, remove, forget, abandon, watch, show script
	complete, resolve                                        answering
}

// newScripts returns the scripts for a server that knows the header, or for an older one, which gets none. What follows a
// claim must not fail for want of memory: it has the header, unless it stores a large answer or only removes.
func newScripts(header string) *scripts {
	return &scripts{
		begin:    newScript("", "begin"),
		renew:    newScript(header, "renew"),
		complete: answering{any: newScript("", "complete"), small: newScript(header, "complete")},
		hold:     newScript(header, "hold"),
		resolve:  answering{any: newScript("", "resolve"), small: newScript(header, "resolve")},
		remove:   newScript("", "remove"),
		forget:   newScript("", "forget"),
		abandon:  newScript("", "abandon"),
		watch:    newScript("", "watch"),
		show:     newScript("", "show"),
	}
}

func (s *scripts) all() []script {
	return []script{
		s.begin, s.renew, s.complete.any, s.complete.small, s.hold, s.resolve.any, s.resolve.small,
		s.remove, s.forget, s.abandon, s.watch, s.show,
	}
}

// load gives a server the scripts, so that the first calls find them there. It fails where the server cannot compile
// them.
func (s *scripts) load(ctx context.Context, on *redis.Client) error {
	_, err := on.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, sc := range s.all() {
			p.ScriptLoad(ctx, sc.source.(string))
		}
		return nil
	})
	return err
}

// blank begins the arguments of a call, of which there will be n, behind the room for the command.
func blank(n int) []any { return make([]any, 4, 4+n) }

// command is the call of a script, by its name or with its text. It takes the arguments, and may be given them again once
// its command is over.
func (sc script) command(ctx context.Context, whole bool, key any, args []any) *redis.Cmd {
	args[0], args[1], args[2], args[3] = "evalsha", sc.sha, 1, key
	if whole {
		args[0], args[1] = "eval", sc.source
	}
	return redis.NewCmd(ctx, args...)
}

// run runs a script on a record, in one round trip where the server knows it, which calls of the same moment share. A
// server that was started again, or whose scripts were flushed, is given the text.
func (s *Store) run(ctx context.Context, sc script, id backend.ID, args []any) (reply, error) {
	if ctx.Err() != nil {
		return reply{}, context.Cause(ctx)
	}
	var key any = s.key(id)
	cmd := sc.command(ctx, false, key, args)
	err := s.pipeline.process(ctx, cmd)
	if err != nil && unknownScript(err) {
		cmd = sc.command(ctx, true, key, args)
		err = s.client.Process(ctx, cmd)
	}
	if err != nil {
		return reply{}, err // the command may still be on its way
	}
	return newReply(cmd.Val(), nil)
}

func unknownScript(err error) bool { return redis.HasErrorPrefix(err, "NOSCRIPT") }

// answer is what a script said of one of many records, or why it could not.
type answer struct {
	reply
	err error
}

// runAll runs a script on many records in one round trip a server, and returns the answers in their order. A key that
// holds something else has an error of its own; any other error ends it, and some commands may have been carried out.
func (s *Store) runAll(ctx context.Context, sc script, ids []backend.ID, args []any) ([]answer, error) {
	answers := make([]answer, len(ids))
	places := make([]int, len(ids))
	for i := range ids {
		places[i] = i
	}
	for _, whole := range []bool{false, true} {
		cmds, err := s.pipelined(ctx, whole, sc, ids, places, args)
		if err == nil {
			err = sorted(cmds, answers, &places)
		}
		if err != nil {
			return nil, err
		}
		if len(places) == 0 {
			break
		}
	}
	return answers, nil
}

// sorted puts the answers in their places and leaves the places of those whose server does not know the script.
func sorted(cmds []*redis.Cmd, answers []answer, places *[]int) error {
	var missed []int
	for i, at := range *places {
		err := cmds[i].Err()
		switch {
		case err == nil || says(err, "WRONGTYPE"):
			answers[at].reply, answers[at].err = newReply(cmds[i].Val(), err)
		case unknownScript(err):
			missed = append(missed, at)
		default:
			return err
		}
	}
	*places = missed
	return nil
}

// pipelined sends a script for the ids at places. The commands have their own errors.
func (s *Store) pipelined(ctx context.Context, whole bool, sc script, ids []backend.ID, places []int, args []any) ([]*redis.Cmd, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cmds := make([]*redis.Cmd, len(places))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, at := range places {
			cmds[i] = sc.command(ctx, whole, s.key(ids[at]), slices.Clone(args))
			if err := p.Process(ctx, cmds[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !refused(err) {
		return nil, err
	}
	return cmds, nil
}
