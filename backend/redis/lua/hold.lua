-- Gives the record KEYS[1] up without an answer: T8'.
-- ARGV: claim, note (empty: keep the one that is there).
-- Answers 1: kept; 0: lost; else a list that begins with a word.
local note = ARGV[2]
if not note then
	return redis.error_reply('ERR idem: hold has wrong arguments')
end
local r = redis.call('GET', KEYS[1])
if not r then
	return 0
elseif string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif string.sub(r, TOKEN) ~= string.sub(ARGV[1], TOKEN) then
	return 0
elseif string.sub(r, STATE) == 'u' then
	return 1
elseif string.sub(r, CLAIM) ~= ARGV[1] then
	return 0
end
local guard, user, key = tonumber(string.sub(r, GUARD)), tonumber(string.sub(r, USER)), tonumber(string.sub(r, KEY))
if not (guard and user and key) then
	return {'corrupt', 'a number in it is none'}
elseif #r ~= tonumber(string.sub(r, SIZE)) then
	return {'corrupt', 'its length is not what it says'}
end

local rest = string.sub(r, GUARD_AT)
if note ~= '' then
	local size = HEAD_END + guard + user + key
	rest = string.sub(r, GUARD_AT, KEY_END) .. string.format('%09.0f', size + #note) .. string.sub(r, HEAD_END + 1, size) .. note
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], UNKNOWN .. string.sub(r, TOKEN_AT, RETENTION_END) .. string.format('%014.0f', now) .. rest)
if string.sub(r, WAITED) == '1' then
	redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -65) .. 'changed', string.sub(KEYS[1], -64))
end
return 1
