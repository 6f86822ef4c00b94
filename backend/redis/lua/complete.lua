-- Stores the answer of the claim ARGV[1] on the record KEYS[1], or says what is stored: T5, T6 and T7.
-- ARGV: token, fingerprint, retention in ms, answer, marks (a: an answer that is there already is written again).
-- Answers 1: kept; 0: lost; else a list that begins with a word.
if not (tonumber(ARGV[3]) and ARGV[5]) then
	return redis.error_reply('ERR idem: complete has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
if r[1] == 'pending' and r[2] == ARGV[1] then
	redis.call('HSET', KEYS[1], 'state', 'done', 'retention', ARGV[3], 'answer', ARGV[4])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
	if r[3] then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return 1
elseif r[1] ~= 'done' then
	return 0
end

local d = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'retention', 'answer', 'fingerprint')
if r[2] == ARGV[1] then
	if string.find(ARGV[5], 'a') then
		redis.call('HSET', KEYS[1], 'token', ARGV[1])
	end
	return {'kept', d[4]}
elseif d[5] == ARGV[2] then
	d[5] = redis.call('PTTL', KEYS[1])
	return d
end
return 0
