-- Extends the lease of the claim ARGV[1] on the record KEYS[1]: T4.
-- ARGV: token, lease in ms, retention in ms, note (empty: keep the one that is there).
local lease, retention, note = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if not (lease and retention and note) then
	return redis.error_reply('ERR idem: renew has wrong arguments')
end
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'hold')
if r[1] ~= 'pending' or r[2] ~= ARGV[1] then
	return {'lost'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if note == '' then
	redis.call('HSET', KEYS[1], 'lease_until', now + lease)
else
	redis.call('HSET', KEYS[1], 'lease_until', now + lease, 'note', note)
end
if r[3] ~= '1' then
	redis.call('PEXPIREAT', KEYS[1], now + lease + retention)
end
return {'kept'}
