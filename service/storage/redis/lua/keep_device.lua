-- Keep the request of a device.
-- KEYS: request. ARGV: client id, packed, life, interval.

local now = clock()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'c', ARGV[1], 'p', ARGV[2], 't', text(now), 'i', ARGV[4], 's', 'pending')
expire(KEYS[1], now + tonumber(ARGV[3]))
return 1
