-- Shows the record KEYS[1], without its answer.
-- Answers 0: there is none; else a list that begins with a word: record, then all but the answer, its length in all, ms
-- until it expires (-1: never), and the server's time in ms since 1970.
local r = redis.call('GETRANGE', KEYS[1], 0, HEAD_END - 1)
if r == '' and redis.call('EXISTS', KEYS[1]) == 0 then
	return 0
end
local size = tonumber(string.sub(r, SIZE))
if size and size > HEAD_END then
	r = r .. redis.call('GETRANGE', KEYS[1], HEAD_END, size - 1)
end
local time = redis.call('TIME')
return {'record', r, redis.call('STRLEN', KEYS[1]), redis.call('PTTL', KEYS[1]), time[1] * 1000 + math.floor(time[2] / 1000)}
