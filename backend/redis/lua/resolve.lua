-- Gives the unknown outcome of the claim ARGV[1] on the record KEYS[1] an answer: T13.
-- ARGV: token, retention in ms, answer.
local retention, answer = tonumber(ARGV[2]), ARGV[3]
if not (retention and answer) then
	return redis.error_reply('ERR idem: resolve has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
if r[1] ~= 'unknown' or r[2] ~= ARGV[1] then
	return {'lost'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', 'done', 'since', now, 'answer', answer)
redis.call('PEXPIREAT', KEYS[1], now + retention)
if r[3] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return {'kept'}
