-- Keep what an authorization code stands for.
-- KEYS: code. ARGV: packed, life.

local now = clock()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'p', ARGV[1], 't', text(now))
redis.call('PEXPIREAT', KEYS[1], text(math.ceil((now + tonumber(ARGV[2])) / 1000)))
return 1
