-- Claims the record KEYS[1], or says what is in the way: T1, T1', T2, T3, T9, T10 and T11.
-- ARGV: the new record, lease and retention in ms, marks (w: somebody waits for the record; a: a claim that is there already
-- is written again).
-- Answers a number, the attempt of the claim; or a text, the stored record and 14 characters with the ms until it expires;
-- else a list that begins with a word.
local c, r = ARGV[1], redis.call('GET', KEYS[1])
if r and string.sub(r, FORMAT_AT, STATE_END) == DONE and string.sub(r, FINGERPRINT) == string.sub(c, FINGERPRINT) then
	return r .. string.format('%014.0f', redis.call('PTTL', KEYS[1]))
end
local expires, marks = tonumber(ARGV[2]), ARGV[3]
if not (expires and marks) or #c < HEAD_END then
	return redis.error_reply('ERR idem: begin has wrong arguments')
end
local holds = string.sub(c, HOLD) == '1'
if not r and not holds then
	redis.call('SET', KEYS[1], c, 'PX', expires)
	return 1
elseif r and string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif r then
	local size = tonumber(string.sub(r, SIZE))
	if not size or size < HEAD_END or size > #r then
		return {'corrupt', 'its length is not what it says'}
	elseif string.sub(r, FINGERPRINT) ~= string.sub(c, FINGERPRINT) then
		return {'mismatch'}
	elseif size ~= #r then
		return {'corrupt', 'its length is not what it says'}
	end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not r then
	redis.call('SET', KEYS[1], string.sub(c, 1, RETENTION_END) .. string.format('%014.0f', now) .. string.sub(c, GUARD_AT))
	return 1
end

local attempt, lease = tonumber(string.sub(r, ATTEMPT)), tonumber(string.sub(r, LEASE))
local retention, since = tonumber(string.sub(r, RETENTION)), tonumber(string.sub(r, SINCE))
local state, held = string.sub(r, STATE), string.sub(r, HOLD) == '1'
if not (attempt and lease and retention and since) then
	return {'corrupt', 'a number in it is none'}
elseif state == 'u' then
	return {'held', now - since}
elseif state ~= 'p' then
	return {'corrupt', 'its state is none of pending, done and unknown'}
elseif string.sub(r, TOKEN) == string.sub(c, TOKEN) then
	if string.find(marks, 'a') then
		redis.call('SETRANGE', KEYS[1], TOKEN_AT - 1, string.sub(r, TOKEN))
	end
	return attempt
end

local left, age = since + lease - now, now - since
if not held then
	local expiry = redis.call('PTTL', KEYS[1])
	if expiry < 0 then
		return {'corrupt', 'its expiry is gone'}
	end
	left = expiry - retention
	age = since + lease - left
end
if left > 0 then
	if string.find(marks, 'w') and string.sub(r, WAITED) == '0' then
		redis.pcall('SETRANGE', KEYS[1], WAITED_AT - 1, '1')
	end
	return {'in flight', age, left}
elseif held or holds then
	redis.call('SET', KEYS[1], UNKNOWN .. string.sub(r, TOKEN_AT, RETENTION_END) .. string.format('%014.0f', now) .. string.sub(r, GUARD_AT))
	if string.sub(r, WAITED) == '1' then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return {'held', 0}
end
redis.call('SET', KEYS[1], string.sub(c, 1, HOLD_END) .. string.sub(r, WAITED) .. string.format('%010.0f', attempt + 1)
	.. string.sub(c, LEASE_AT, SINCE_END) .. string.sub(r, GUARD_AT), 'PX', expires)
return attempt + 1
