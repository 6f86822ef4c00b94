-- Gives the record KEYS[1] up without an answer: T8'.
-- ARGV: token, note (empty: keep the one that is there).
-- Answers 1: kept; 0: lost.
local note = ARGV[2]
if not note then
	return redis.error_reply('ERR idem: hold has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
if r[2] ~= ARGV[1] then
	return 0
elseif r[1] == 'unknown' then
	return 1
elseif r[1] ~= 'pending' then
	return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if note == '' then
	redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now)
else
	redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now, 'note', note)
end
redis.call('PERSIST', KEYS[1])
if r[3] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
