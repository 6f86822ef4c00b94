-- Marks the record KEYS[1] as waited for: whatever ends its state is then published.
-- Answers 1: it is, or there is none; else a list that begins with a word.
local r = redis.call('GETRANGE', KEYS[1], 0, WAITED_END - 1)
if r ~= '' and string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif string.sub(r, WAITED) == '0' then
	redis.call('SETRANGE', KEYS[1], WAITED_AT - 1, '1')
end
return 1
