-- Take what an authorization code stands for: it is given to the first who comes in time.
-- KEYS: code. ARGV: life, how long it is remembered as spent. Answers {packed}, or {} to all others.

local fields = redis.pcall('HMGET', KEYS[1], 'p', 't')
if is_wrong_type(fields) then
  redis.call('DEL', KEYS[1])
  fields = {}
elseif fields.err then
  return fields
end

local now, since = clock(), whole(fields[2])
local packed = fields[1]
redis.call('HDEL', KEYS[1], 'p', 't')
redis.call('HSET', KEYS[1], packed and 'x' or 'r', '1')
redis.call('PEXPIREAT', KEYS[1], text(math.ceil((now + tonumber(ARGV[2])) / 1000)))
-- A clock that was set back must not give a code more life, so the distance counts in both directions.
if packed and since and math.abs(now - since) < tonumber(ARGV[1]) then return {packed} end
return {}
