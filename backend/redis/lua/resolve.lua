-- Gives the unknown outcome of the claim ARGV[1] on the record KEYS[1] an answer: T13.
-- ARGV: claim, retention in ms, answer.
-- Answers 1: kept; 0: lost; else a list that begins with a word.
local retention = tonumber(ARGV[2])
if not (retention and ARGV[3]) then
	return redis.error_reply('ERR idem: resolve has wrong arguments')
end
local r = redis.call('GET', KEYS[1])
if not r then
	return 0
elseif string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif string.sub(r, CLAIM) ~= ARGV[1] then
	return 0
elseif #r ~= tonumber(string.sub(r, SIZE)) then
	return {'corrupt', 'its length is not what it says'}
end
redis.call('SET', KEYS[1], DONE .. string.sub(r, TOKEN_AT, LEASE_END) .. string.format('%014.0f', retention)
	.. string.sub(r, SINCE_AT) .. ARGV[3], 'PX', retention)
if string.sub(r, WAITED) == '1' then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
