-- Removes the record KEYS[1] if the outcome of the claim ARGV[1] is unknown: T13.
-- Answers 1: kept; 0: lost.
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'waited')
if r[1] ~= 'unknown' or r[2] ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1])
if r[3] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
