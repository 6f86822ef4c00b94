-- Removes the record KEYS[1] in whatever state it is; with ARGV guard and user only if it is theirs.
local r = redis.call('HMGET', KEYS[1], 'waited', 'guard', 'user')
if #ARGV > 0 and (r[2] ~= ARGV[1] or r[3] ~= ARGV[2]) then
	return {'lost'}
end
if redis.call('DEL', KEYS[1]) == 0 then
	return {'lost'}
end
if r[1] then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return {'kept'}
