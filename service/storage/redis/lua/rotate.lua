-- Spend one generation of a family.
-- KEYS: family, the user's epoch. ARGV: client id, generation, epoch, client epoch, grace, idle.
-- Answers {outcome, ...}: see families.py.

local family, why = read_family(KEYS[1])
if not family then return {'unsure', why} end

local presented, grace = tonumber(ARGV[2]), tonumber(ARGV[5])
local now = clock()

-- A clock that was set back far must not stretch the window, so the distance counts in both directions.
local function inside_grace()
  return presented == family.generation - 1 and math.abs(now - family.since) < grace
end

if family.client and family.client ~= ARGV[1] then return {'foreign'} end

if family.closed then
  if family.readable and presented < family.generation and not inside_grace() then
    return {'reused', family.generation}
  end
  return {'closed'}
end

local known = redis.pcall('GET', KEYS[2])
if is_wrong_type(known) then return {'unsure', 'unreadable'} end
if type(known) == 'table' and known.err then return known end
-- A family's epoch key outlives it (restore.lua), so one that is not there was lost, and a raise may be lost with it.
known = whole(known)
if not known
  or family.epoch < math.max(known, tonumber(ARGV[3]))
  or family.client_epoch < tonumber(ARGV[4])
  or family.run ~= this_run()
then
  return {'unsure', 'stale'}
end

if now >= family.idle_end or now >= family.ends then return {'closed'} end

if presented > family.generation then return {'unsure', 'ahead'} end

if presented == family.generation then
  local idle_end = now + tonumber(ARGV[6])
  redis.call('HSET', KEYS[1], 'g', text(presented + 1), 't', text(now), 'i', text(idle_end))
  expire(KEYS[1], math.min(idle_end, family.ends))
  return {'rotated', presented + 1, family.packed, family.epoch, family.client_epoch}
end

if inside_grace() then
  return {'repeated', family.generation, family.packed, family.epoch, family.client_epoch}
end

redis.call('HSET', KEYS[1], 'x', '1')
expire(KEYS[1], math.max(family.ends, now + CLOSED_US))
return {'reused', family.generation}
