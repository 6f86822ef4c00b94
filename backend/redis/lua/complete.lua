-- Stores the answer of the claim ARGV[1] on the record KEYS[1], or says what is stored: T5, T6 and T7.
-- ARGV: claim, fingerprint, retention in ms, answer, marks (a: an answer that is there already is written again).
-- Answers 1: kept; 0: lost; or a text, the stored record and 14 characters with the ms until it expires; else a list that
-- begins with a word.
local retention = tonumber(ARGV[3])
if not (retention and ARGV[5]) then
	return redis.error_reply('ERR idem: complete has wrong arguments')
end
local r = redis.call('GET', KEYS[1])
if not r then
	return 0
elseif string.sub(r, CLAIM) == ARGV[1] then
	if #r ~= tonumber(string.sub(r, SIZE)) then
		return {'corrupt', 'its length is not what it says'}
	end
	redis.call('SET', KEYS[1], DONE .. string.sub(r, TOKEN_AT, LEASE_END) .. string.format('%014.0f', retention)
		.. string.sub(r, SINCE_AT) .. ARGV[4], 'PX', retention)
	if string.sub(r, WAITED) == '1' then
		redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
	end
	return 1
elseif string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif string.sub(r, STATE) ~= 'd' then
	return 0
elseif string.sub(r, TOKEN) == string.sub(ARGV[1], TOKEN) then
	if string.find(ARGV[5], 'a') then
		redis.call('SETRANGE', KEYS[1], TOKEN_AT - 1, string.sub(r, TOKEN))
	end
	return {'kept', r}
elseif string.sub(r, FINGERPRINT) == ARGV[2] then
	return r .. string.format('%014.0f', redis.call('PTTL', KEYS[1]))
end
return 0
