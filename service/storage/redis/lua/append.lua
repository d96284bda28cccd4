-- Append entries to the stream of revocations.
-- KEYS: stream. ARGV: about how many to keep, then one entry each.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
for place = 2, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'r', ARGV[place])
end
return #ARGV - 1
