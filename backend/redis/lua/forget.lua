-- Removes the record KEYS[1] in whatever state it is; with ARGV guard and user only if it is theirs.
-- Answers 1: there was one; 0: there was none.
local r = redis.call('HMGET', KEYS[1], 'waited', 'guard', 'user')
if #ARGV > 0 and (r[2] ~= ARGV[1] or r[3] ~= ARGV[2]) then
	return 0
end
local removed = redis.call('DEL', KEYS[1])
if r[1] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return removed
