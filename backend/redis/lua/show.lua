-- Shows the record KEYS[1]: its fields, the length of its answer, and its times as they are now.
local r = redis.call('HMGET', KEYS[1], 'state', 'fingerprint', 'token', 'attempt', 'since', 'lease_until', 'hold', 'note', 'guard', 'user', 'key')
if not r[1] then
	if redis.call('EXISTS', KEYS[1]) == 1 then
		return {'corrupt', 'it has no state'}
	end
	return {'lost'}
end
local attempt, since, lease_until = tonumber(r[4]), tonumber(r[5]), tonumber(r[6])
if not (r[2] and r[3] and attempt and since and lease_until) then
	return {'corrupt', 'a field is missing'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {'kept', r[1], r[2], r[3], attempt, now - since, lease_until - now, r[7] or '0', redis.call('PTTL', KEYS[1]),
	redis.call('HSTRLEN', KEYS[1], 'answer'), r[8] or '', r[9] or '', r[10] or '', r[11] or ''}
