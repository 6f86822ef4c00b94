-- Makes the record KEYS[1] unknown if it is a claim that holds and whose lease is over: T12.
-- Answers 1: it did; 0: it is none; else a list that begins with a word.
local r = redis.call('GETRANGE', KEYS[1], 0, HOLD_END - 1)
if string.sub(r, FORMAT_AT, STATE_END) ~= PENDING or string.sub(r, HOLD) ~= '1' then
	if r ~= '' and string.sub(r, FORMAT) ~= IDEM then
		return {'unread', string.sub(r, FORMAT)}
	end
	return 0
end
r = redis.call('GET', KEYS[1])
local since, lease = tonumber(string.sub(r, SINCE)), tonumber(string.sub(r, LEASE))
if not (since and lease) or #r ~= tonumber(string.sub(r, SIZE)) then
	return {'corrupt', 'a number in it is none, or its length is not what it says'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < since + lease then
	return 0
end
redis.call('SET', KEYS[1], UNKNOWN .. string.sub(r, TOKEN_AT, RETENTION_END) .. string.format('%014.0f', now) .. string.sub(r, GUARD_AT))
if string.sub(r, WAITED) == '1' then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
