-- Removes the record KEYS[1] if it is that of the claim ARGV[1], in the state that stands in it: T8 of a pending one, T13
-- of an unknown one.
-- Answers 1: kept; 0: lost; else a list that begins with a word.
local r = redis.call('GETRANGE', KEYS[1], 0, WAITED_END - 1)
if string.sub(r, CLAIM) ~= ARGV[1] then
	if r ~= '' and string.sub(r, FORMAT) ~= IDEM then
		return {'unread', string.sub(r, FORMAT)}
	end
	return 0
end
redis.call('DEL', KEYS[1])
if string.sub(r, WAITED) == '1' then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
