-- Extends the lease of the claim ARGV[1] on the record KEYS[1]: T4.
-- ARGV: token, lease in ms, lease and retention in ms, note (empty: keep the one that is there).
-- Answers 1: kept; 0: lost.
local lease, note = tonumber(ARGV[2]), ARGV[4]
if not (lease and tonumber(ARGV[3]) and note) then
	return redis.error_reply('ERR idem: renew has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'hold', 'since')
local since = tonumber(r[4])
if r[1] ~= 'pending' or r[2] ~= ARGV[1] then
	return 0
elseif not since then
	return {'corrupt', 'a field is missing'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if note == '' then
	redis.call('HSET', KEYS[1], 'lease', now - since + lease)
else
	redis.call('HSET', KEYS[1], 'lease', now - since + lease, 'note', note)
end
if r[3] ~= '1' then
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
