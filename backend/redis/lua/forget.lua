-- Removes the record KEYS[1] in whatever state it is, also one that is damaged; with ARGV guard and user only if it is
-- theirs.
-- Answers 1: there was one; 0: there was none; else a list that begins with a word.
local guard, user = ARGV[1], ARGV[2]
local r = redis.call('GETRANGE', KEYS[1], 0, HEAD_END - 1)
if r == '' and redis.call('EXISTS', KEYS[1]) == 0 then
	return 0
elseif string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif guard then
	local texts = redis.call('GETRANGE', KEYS[1], HEAD_END, HEAD_END + #guard + #user - 1)
	if #r < HEAD_END then
		return {'corrupt', 'it is too short'}
	elseif tonumber(string.sub(r, GUARD)) ~= #guard or tonumber(string.sub(r, USER)) ~= #user or texts ~= guard .. user then
		return 0
	end
end
redis.call('DEL', KEYS[1])
if string.sub(r, WAITED) == '1' then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
