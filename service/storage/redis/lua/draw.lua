-- Draw permits of a budget by the generic cell rate algorithm: what is stored is the time at which all are back.
-- KEYS: budget. ARGV: permits, period, how many are wanted, how many come back.
-- Answers {drawn, left, all are back in, the next is there in}.

local permits, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local want, back = tonumber(ARGV[3]), tonumber(ARGV[4])
local interval = period / permits

if redis.call('TYPE', KEYS[1]).ok ~= 'string' then redis.call('DEL', KEYS[1]) end
local now = clock()
local full_at = whole(redis.call('GET', KEYS[1])) or now
full_at = math.min(math.max(full_at - back * interval, now), now + period)

-- A permit that is whole but for a rounding is a permit.
local there = math.floor((now + period - full_at) / interval + 0.001)
local drawn = math.min(want, there)
full_at = full_at + drawn * interval
if full_at > now then
  redis.call('SET', KEYS[1], text(math.ceil(full_at)), 'PX', text(math.ceil((full_at - now) / 1000)))
else
  redis.call('DEL', KEYS[1])
end
local next_in = drawn > 0 and 0 or math.max(full_at + interval - now - period, 1)
return {drawn, there - drawn, math.ceil(full_at - now), math.ceil(next_in)}
