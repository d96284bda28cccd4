-- Keep what a person decided about the request of a device, unless somebody has decided before.
-- KEYS: request. ARGV: life, user id, packed grant (both empty: no).

local fields = redis.pcall('HMGET', KEYS[1], 't', 's')
if is_wrong_type(fields) then return 0 end
if fields.err then return fields end
local since = whole(fields[1])
if not since or fields[2] ~= 'pending' or math.abs(clock() - since) >= tonumber(ARGV[1]) then return 0 end
if ARGV[3] == '' then
  redis.call('HSET', KEYS[1], 's', 'denied')
else
  redis.call('HSET', KEYS[1], 's', 'granted', 'u', ARGV[2], 'g', ARGV[3])
end
return 1
