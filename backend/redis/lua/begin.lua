-- Claims the record KEYS[1], or says what is in the way: T1, T1', T2, T3, T9, T10 and T11.
-- ARGV: token, fingerprint, lease in ms, lease and retention in ms, hold (0 or 1), marks (w: somebody waits for the record;
-- a: a claim that is there already is written again), and further fields of a new record with their values.
-- Answers a number, the attempt of the claim; else a list that begins with a word.
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'retention', 'answer', 'fingerprint')
local state = r[1]
if state == 'done' and r[5] == ARGV[2] then
	r[5] = redis.call('PTTL', KEYS[1]) -- in place of what need not be sent
	return r
elseif r[5] and r[5] ~= ARGV[2] then
	return {'mismatch'}
elseif not (tonumber(ARGV[3]) and tonumber(ARGV[4]) and ARGV[5] and ARGV[6]) or #ARGV % 2 == 1 then
	return redis.error_reply('ERR idem: begin has wrong arguments')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not state then
	if r[2] or r[3] or r[4] or r[5] then
		return {'corrupt', 'it has no state'}
	end
	redis.call('HSET', KEYS[1], 'state', 'pending', 'token', ARGV[1], 'fingerprint', ARGV[2], 'attempt', '1',
		'since', now, 'lease', ARGV[3], 'hold', ARGV[5], unpack(ARGV, 7))
	if ARGV[5] ~= '1' then
		redis.call('PEXPIRE', KEYS[1], ARGV[4])
	end
	return 1
end

local p = redis.call('HMGET', KEYS[1], 'token', 'since', 'lease', 'hold', 'waited')
local attempt, since, lease = tonumber(r[2]), tonumber(p[2]), tonumber(p[3])
if not (r[5] and p[1] and attempt and since and lease) then
	return {'corrupt', 'a field is missing'}
elseif state == 'unknown' then
	return {'held', now - since}
elseif state ~= 'pending' then
	return {'corrupt', 'its state is none of pending, done and unknown'}
elseif p[1] == ARGV[1] then
	if string.find(ARGV[6], 'a') then
		redis.call('HSET', KEYS[1], 'token', ARGV[1])
	end
	return attempt
elseif now < since + lease then
	if string.find(ARGV[6], 'w') and not p[5] then
		redis.pcall('HSET', KEYS[1], 'waited', '1')
	end
	return {'in flight', now - since, since + lease - now}
elseif p[4] == '1' or ARGV[5] == '1' then
	redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now)
	redis.call('PERSIST', KEYS[1])
	if p[5] then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return {'held', 0}
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'attempt', attempt + 1, 'since', now, 'lease', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return attempt + 1
