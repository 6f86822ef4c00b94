-- Shows the record KEYS[1]: its fields, and its times as they are now.
-- Answers 0: there is none; else state, fingerprint, token, attempt, hold, ms since the claim or since it was given up,
-- ms of lease from there on, retention in ms (of an answer), ms until it expires (-1: never), length of the answer, note,
-- guard, user and key.
local r = redis.call('HMGET', KEYS[1], 'state', 'fingerprint', 'token', 'attempt', 'hold', 'since', 'lease', 'retention',
	'note', 'guard', 'user', 'key')
if not r[1] then
	if redis.call('EXISTS', KEYS[1]) == 1 then
		return {'corrupt', 'it has no state'}
	end
	return 0
end
local since, lease = tonumber(r[6]), tonumber(r[7])
if not (r[2] and r[3] and r[4] and r[5] and since and lease) then
	return {'corrupt', 'a field is missing'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {r[1], r[2], r[3], r[4], r[5], now - since, lease, r[8] or '0', redis.call('PTTL', KEYS[1]),
	redis.call('HSTRLEN', KEYS[1], 'answer'), r[9] or '', r[10] or '', r[11] or '', r[12] or ''}
