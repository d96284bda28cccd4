-- A device asks: give it the grant once, or say how its request stands.
-- KEYS: request. ARGV: client id, life, how much longer the interval becomes, how long it is remembered as spent.
-- Answers {state, ...}: see device_codes.py.

-- What two clocks and a timer may differ by.
local LENIENCE = 250000

local fields = redis.pcall('HMGET', KEYS[1], 'c', 't', 'i', 'l', 's', 'u', 'g')
if is_wrong_type(fields) then return {'expired'} end
if fields.err then return fields end
local client, since, interval, last, state = fields[1], whole(fields[2]), whole(fields[3]), whole(fields[4]), fields[5]
if not client or not since or not interval or not state then return {'expired'} end
if client ~= ARGV[1] then return {'foreign'} end

if state == 'taken' then
  redis.call('HSET', KEYS[1], 'r', '1')
  return {'taken', fields[6] or ''}
end

local now = clock()
if math.abs(now - since) >= tonumber(ARGV[2]) then return {'expired'} end
if state == 'denied' then return {'denied'} end

if state == 'granted' and fields[7] then
  redis.call('HDEL', KEYS[1], 'g')
  redis.call('HSET', KEYS[1], 's', 'taken')
  expire_not_before(KEYS[1], now + tonumber(ARGV[4]))
  return {'granted', fields[7]}
end

redis.call('HSET', KEYS[1], 'l', text(now))
if last and math.abs(now - last) < interval - LENIENCE then
  redis.call('HSET', KEYS[1], 'i', text(interval + tonumber(ARGV[3])))
  return {'slow_down'}
end
return {'pending'}
