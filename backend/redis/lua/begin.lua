-- Claims the record KEYS[1], or says what is in the way: T1, T1', T2, T3, T9, T10 and T11.
-- ARGV: token, fingerprint, lease in ms, retention in ms, hold (0 or 1), watched (0 or 1: somebody waits for the record),
-- again (0 or 1: a claim that is there already is written again), and guard, user, key unless they are left out.
local token, fingerprint, hold = ARGV[1], ARGV[2], ARGV[5]
local lease, retention = tonumber(ARGV[3]), tonumber(ARGV[4])
if not (lease and retention) or (#ARGV ~= 7 and #ARGV ~= 10) then
	return redis.error_reply('ERR idem: begin has wrong arguments')
end

local r = redis.call('HMGET', KEYS[1], 'state', 'fingerprint', 'token', 'attempt', 'since', 'lease_until', 'hold', 'answer')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = r[1]

local function expire()
	if hold ~= '1' then
		redis.call('PEXPIREAT', KEYS[1], now + lease + retention)
	end
end

if not state then
	if redis.call('EXISTS', KEYS[1]) == 1 then
		return {'corrupt', 'it has no state'}
	end
	local fields = {'state', 'pending', 'token', token, 'fingerprint', fingerprint, 'attempt', 1,
		'since', now, 'lease_until', now + lease, 'hold', hold}
	local n = #fields
	if #ARGV == 10 then
		fields[n + 1], fields[n + 2], fields[n + 3] = 'guard', ARGV[8], 'user'
		fields[n + 4], fields[n + 5], fields[n + 6] = ARGV[9], 'key', ARGV[10]
		n = n + 6
	end
	if ARGV[6] == '1' then
		fields[n + 1], fields[n + 2] = 'waited', 1
	end
	redis.call('HSET', KEYS[1], unpack(fields))
	expire()
	return {'claimed', 1}
end

local attempt, since, lease_until = tonumber(r[4]), tonumber(r[5]), tonumber(r[6])
if not (r[2] and r[3] and attempt and since and lease_until) then
	return {'corrupt', 'a field is missing'}
elseif r[2] ~= fingerprint then
	return {'mismatch'}
elseif state == 'done' then
	return {'replay', attempt, now - since, r[8] or ''}
elseif state == 'unknown' then
	return {'held', now - since}
elseif state ~= 'pending' then
	return {'corrupt', 'its state is none of pending, done and unknown'}
elseif r[3] == token then
	if ARGV[7] == '1' then
		redis.call('HSET', KEYS[1], 'token', token)
	end
	return {'claimed', attempt}
elseif now < lease_until then
	if ARGV[6] == '1' and not redis.call('HGET', KEYS[1], 'waited') then
		redis.pcall('HSET', KEYS[1], 'waited', 1)
	end
	return {'in flight', now - since, lease_until - now}
elseif r[7] == '1' or hold == '1' then
	redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now)
	redis.call('PERSIST', KEYS[1])
	if redis.call('HGET', KEYS[1], 'waited') then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return {'held', 0}
end
redis.call('HSET', KEYS[1], 'token', token, 'attempt', attempt + 1, 'since', now, 'lease_until', now + lease)
expire()
return {'claimed', attempt + 1}
