-- Extends the lease of the claim ARGV[1] on the record KEYS[1]: T4.
-- ARGV: claim, lease in ms, lease and retention in ms, note (empty: keep the one that is there).
-- Answers 1: kept; 0: lost; else a list that begins with a word.
local lease, expires, note = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if not (lease and expires and note) then
	return redis.error_reply('ERR idem: renew has wrong arguments')
end
local r = redis.call('GET', KEYS[1])
if not r then
	return 0
elseif string.sub(r, FORMAT) ~= IDEM then
	return {'unread', string.sub(r, FORMAT)}
elseif string.sub(r, CLAIM) ~= ARGV[1] then
	return 0
end
local was, retention, since = tonumber(string.sub(r, LEASE)), tonumber(string.sub(r, RETENTION)), tonumber(string.sub(r, SINCE))
local guard, user, key = tonumber(string.sub(r, GUARD)), tonumber(string.sub(r, USER)), tonumber(string.sub(r, KEY))
if not (was and retention and since and guard and user and key) then
	return {'corrupt', 'a number in it is none'}
elseif #r ~= tonumber(string.sub(r, SIZE)) then
	return {'corrupt', 'its length is not what it says'}
end

local rest = string.sub(r, GUARD_AT)
if note ~= '' then
	local size = HEAD_END + guard + user + key
	rest = string.sub(r, GUARD_AT, KEY_END) .. string.format('%09.0f', size + #note) .. string.sub(r, HEAD_END + 1, size) .. note
end
if string.sub(r, HOLD) == '1' then
	local time = redis.call('TIME')
	local now = time[1] * 1000 + math.floor(time[2] / 1000)
	redis.call('SET', KEYS[1], string.sub(r, 1, ATTEMPT_END)
		.. string.format('%014.0f', math.max(0, now - since + lease)) .. string.sub(r, RETENTION_AT, SINCE_END) .. rest)
	return 1
end
local expiry = redis.call('PTTL', KEYS[1])
if expiry >= 0 then
	since = math.max(0, since + was - (expiry - retention)) -- how old it is now
end
redis.call('SET', KEYS[1], string.sub(r, 1, ATTEMPT_END) .. string.format('%014.0f%014.0f%014.0f', lease, expires - lease, since)
	.. rest, 'PX', expires)
return 1
