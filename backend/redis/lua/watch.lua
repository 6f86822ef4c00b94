-- Marks the record KEYS[1] as waited for: whatever ends its state is then published.
local r = redis.call('HMGET', KEYS[1], 'state', 'waited')
if r[1] and not r[2] then
	redis.call('HSET', KEYS[1], 'waited', '1')
end
return 1
