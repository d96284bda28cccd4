-- Count one more in a window that begins with the first, or take one back.
-- KEYS: counter. ARGV: 1 or -1, window. Answers {count, how much of the window is left in ms}.

if redis.call('TYPE', KEYS[1]).ok ~= 'string' then redis.call('DEL', KEYS[1]) end
local count = whole(redis.call('GET', KEYS[1]))
if ARGV[1] == '-1' then
  if count and count > 0 then redis.call('DECR', KEYS[1]) end
  return {0, 0}
end
if not count then
  redis.call('SET', KEYS[1], '1', 'PX', text(math.ceil(tonumber(ARGV[2]) / 1000)))
  return {1, math.ceil(tonumber(ARGV[2]) / 1000)}
end
return {redis.call('INCR', KEYS[1]), math.max(redis.call('PTTL', KEYS[1]), 0)}
