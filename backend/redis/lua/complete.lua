-- Stores the answer of the claim ARGV[1] on the record KEYS[1], or says what is stored: T5, T6 and T7.
-- ARGV: token, fingerprint, retention in ms, answer, again (0 or 1: an answer that is there already is written again).
local token, retention, answer = ARGV[1], tonumber(ARGV[3]), ARGV[4]
if not (retention and answer and ARGV[5]) then
	return redis.error_reply('ERR idem: complete has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if r[1] == 'pending' and r[2] == token then
	redis.call('HSET', KEYS[1], 'state', 'done', 'since', now, 'answer', answer)
	redis.call('PEXPIREAT', KEYS[1], now + retention)
	if r[3] then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return {'kept'}
elseif r[1] ~= 'done' then
	return {'lost'}
end

local d = redis.call('HMGET', KEYS[1], 'fingerprint', 'attempt', 'since', 'answer')
local attempt, since = tonumber(d[2]), tonumber(d[3])
if not (r[2] and d[1] and attempt and since) then
	return {'corrupt', 'a field is missing'}
elseif r[2] == token then
	if ARGV[5] == '1' then
		redis.call('HSET', KEYS[1], 'token', token)
	end
	return {'kept', d[4] or ''}
elseif d[1] == ARGV[2] then
	return {'replay', attempt, now - since, d[4] or ''}
end
return {'lost'}
