-- Makes the record KEYS[1] unknown if it is a claim that holds and whose lease is over: T12.
-- Answers 1: it did; 0: it is none.
local r = redis.call('HMGET', KEYS[1], 'state', 'hold', 'since', 'lease', 'waited')
local since, lease = tonumber(r[3]), tonumber(r[4])
if r[1] ~= 'pending' or r[2] ~= '1' or not (since and lease) then
	return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < since + lease then
	return 0
end
redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now)
redis.call('PERSIST', KEYS[1])
if r[5] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
