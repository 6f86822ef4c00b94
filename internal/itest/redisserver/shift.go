package redisserver

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// shift knows where a record has what package redisbackend keeps of its state, its hold and the beginning of that.
var shift = redis.NewScript(`#!lua flags=allow-oom
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return 0 end
local state, hold = string.match(redis.call('GETRANGE', KEYS[1], 0, 72), '^idem1([pdu]).*([01])$')
if not state then return 0 end
local expires = redis.call('PEXPIRETIME', KEYS[1])
if state == 'u' or state == 'p' and hold == '1' then
	redis.call('SETRANGE', KEYS[1], 112, string.format('%014.0f', redis.call('GETRANGE', KEYS[1], 112, 125) - ARGV[1]))
end
if expires > 0 then redis.call('PEXPIREAT', KEYS[1], expires - ARGV[1]) end
return 1`)

// Shift moves all times of the record under key back by d, which is all that a clock going forward does to it. What is no
// record stays as it is.
func Shift(ctx context.Context, client redis.Scripter, key string, d time.Duration) error {
	return shift.Run(ctx, client, []string{key}, d.Milliseconds()).Err()
}
