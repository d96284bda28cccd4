-- Mark a family as ended, also when it is not there.
-- KEYS: family. ARGV: until when the mark is needed.

local family, why = read_family(KEYS[1])
if why == 'unreadable' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'x', '1')
expire_not_before(KEYS[1], math.max(tonumber(ARGV[1]), clock() + CLOSED_US, family and family.ends or 0))
return 1
