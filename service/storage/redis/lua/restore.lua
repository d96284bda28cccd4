-- Write what SQL says over a family, or keep a new one, and stamp it with this run.
-- KEYS: family, the user's epoch.
-- ARGV: packed, client id, absolute end, epoch, client epoch, generation, reached at (empty: not known), idle.

local family, why = read_family(KEYS[1])
if family and family.closed then return 0 end
if why == 'unreadable' then redis.call('DEL', KEYS[1]) end

local now = clock()
local generation, reached = tonumber(ARGV[6]), tonumber(ARGV[7])
local ends = tonumber(ARGV[3])
local since = reached or 0
local idle_end = (reached or now) + tonumber(ARGV[8])
if family then
  if family.generation > generation then
    generation, since = family.generation, family.since
  elseif family.generation == generation then
    since = math.max(since, family.since)
  end
  idle_end = math.max(idle_end, family.idle_end)
end

-- The epoch key is made to outlive the family, so that its absence always means loss, never that nothing was raised.
local known = redis.pcall('GET', KEYS[2])
if type(known) == 'table' then known = nil end
known = whole(known)
local left = known and redis.call('PEXPIRETIME', KEYS[2]) or 0
redis.call('SET', KEYS[2], text(math.max(known or 0, tonumber(ARGV[4]))),
  'PXAT', text(math.max(left, math.ceil(math.max(ends, now) / 1000) + 2 * MARGIN_MS)))

redis.call('HSET', KEYS[1], 'p', ARGV[1], 'c', ARGV[2], 'a', ARGV[3], 'd', digest(ARGV[3], ARGV[2], ARGV[1]),
  'g', text(generation), 't', text(since), 'i', text(idle_end), 's', this_run(), 'e', ARGV[4], 'k', ARGV[5])
expire(KEYS[1], math.min(idle_end, ends))
return 1
