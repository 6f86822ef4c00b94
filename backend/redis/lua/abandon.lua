-- Makes the record KEYS[1] unknown if it is a claim that holds and whose lease is over: T12.
local r = redis.call('HMGET', KEYS[1], 'state', 'hold', 'lease_until', 'waited')
local lease_until = tonumber(r[3])
if r[1] ~= 'pending' or r[2] ~= '1' or not lease_until then
	return {'lost'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < lease_until then
	return {'lost'}
end
redis.call('HSET', KEYS[1], 'state', 'unknown', 'since', now)
redis.call('PERSIST', KEYS[1])
if r[4] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return {'kept'}
