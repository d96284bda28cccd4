-- One step of one counter of failures: service/limits/meter.py says what the figures mean.
-- KEYS: counter. ARGV: step, 1 when attempts under way count, free, stop, first, longest, memory, longest memory, pace.
-- Answers {failures, closed for, 1 when attempts under way take all the room}. A stopped one is closed for the longest.

-- An attempt of which nothing was heard for this long has failed.
local PATIENCE = 10000000
local STOPPED_FOR = 366 * 86400 * 1000000

local step, reserves = ARGV[1], ARGV[2] == '1'
local free, stop, first, longest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local memory, longest_memory, pace = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

if step == 'reset' then
  redis.call('DEL', KEYS[1])
  return {0, 0, 0}
end

local now = clock()
local fields = redis.pcall('HMGET', KEYS[1], 'n', 'u', 'p', 'q', 't')
if is_wrong_type(fields) then
  redis.call('DEL', KEYS[1])
  fields = {}
end
if fields.err then return fields end
local failures, closed_until = whole(fields[1]) or 0, whole(fields[2]) or 0
local under_way, since, forgiven_at = whole(fields[3]) or 0, whole(fields[4]) or 0, whole(fields[5]) or now

local function doubled(span, times, most)
  return math.min(span * 2 ^ math.min(times, 40), most)
end

local function add(count)
  failures = math.min(failures + count, 1000000)
  if failures >= free then closed_until = now + doubled(first, failures - free, longest) end
end

local function is_stopped()
  return stop > 0 and failures >= stop
end

local function keep()
  if failures == 0 and under_way == 0 then
    redis.call('DEL', KEYS[1])
    return
  end
  redis.call('HSET', KEYS[1], 'n', text(failures), 'u', text(closed_until), 't', text(forgiven_at))
  redis.call('HSET', KEYS[1], 'p', text(under_way), 'q', text(since))
  local life = is_stopped() and STOPPED_FOR or doubled(memory, math.max(failures - 1, 0), longest_memory)
  redis.call('PEXPIRE', KEYS[1], text(math.ceil(math.max(life, longest) / 1000)))
end

if pace > 0 and now > forgiven_at then
  local forgiven = math.floor((now - forgiven_at) / pace)
  failures = math.max(failures - forgiven, 0)
  forgiven_at = forgiven_at + forgiven * pace
end
if under_way > 0 and math.abs(now - since) > PATIENCE then
  add(under_way)
  under_way = 0
end
if closed_until - now > longest then closed_until = now + longest end

if step == 'fail' then
  under_way = math.max(under_way - 1, 0)
  add(1)
  keep()
elseif step == 'release' then
  under_way = math.max(under_way - 1, 0)
  keep()
elseif is_stopped() then
  closed_until = now + longest
elseif now >= closed_until and reserves then
  if under_way >= math.max(free - failures, 1) then return {failures, 0, 1} end
  under_way, since = under_way + 1, now
  keep()
end
if is_stopped() then closed_until = now + longest end
return {failures, math.max(closed_until - now, 0), 0}
