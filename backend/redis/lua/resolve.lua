-- Gives the unknown outcome of the claim ARGV[1] on the record KEYS[1] an answer: T13.
-- ARGV: token, retention in ms, answer.
-- Answers 1: kept; 0: lost.
if not (tonumber(ARGV[2]) and ARGV[3]) then
	return redis.error_reply('ERR idem: resolve has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
if r[1] ~= 'unknown' or r[2] ~= ARGV[1] then
	return 0
end
redis.call('HSET', KEYS[1], 'state', 'done', 'retention', ARGV[2], 'answer', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if r[3] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
