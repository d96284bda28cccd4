-- Put before every script. MARGIN_MS and CLOSED_US are set by scripts.py from keyspace.py.
-- Times are whole microseconds by this server's clock; numbers up to 2^53 are exact.

local LARGEST = 9007199254740991
local LAST_GENERATION = 4294967294

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Lua would print large numbers as 1.8e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- A whole number from a stored field, or nil when it is anything else.
local function whole(field)
  if not field or #field == 0 or #field > 16 or string.find(field, '%D') then return nil end
  local number = tonumber(field)
  if number > LARGEST then return nil end
  return number
end

-- The run of the very server that executes this: its process (run_id), its life as a master (master_replid: a replica
-- that is promoted begins a new one), and in a cluster its configuration epoch (it rises when a slot is moved in).
local function this_run()
  local info = redis.call('INFO', 'server', 'replication')
  local _, run = string.find(info, 'run_id:', 1, true)
  local _, life = string.find(info, 'master_replid:', run, true)
  local stamp = string.sub(info, run + 1, run + 16) .. string.sub(info, life + 1, life + 16)
  if string.find(info, '_mode:cluster', 1, true) then
    stamp = stamp .. string.match(redis.call('CLUSTER', 'INFO'), 'cluster_my_epoch:(%d+)')
  end
  return stamp
end

local function digest(ends, client, packed)
  return string.sub(redis.sha1hex(ends .. '\n' .. client .. '\n' .. packed), 1, 16)
end

local function expire(key, at_us)
  redis.call('PEXPIREAT', key, text(math.ceil(at_us / 1000) + MARGIN_MS))
end

-- Like expire, but never sooner than the key would have gone anyway.
local function expire_not_before(key, at_us)
  local left = redis.call('PEXPIRETIME', key)
  redis.call('PEXPIREAT', key, text(math.max(left, math.ceil(at_us / 1000) + MARGIN_MS)))
end

local function is_wrong_type(reply)
  return type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true)
end

-- The family at `key`: a table, or nil and why not. A closed one is a table however damaged the rest of it is.
local function read_family(key)
  local fields = redis.pcall('HMGET', key, 'p', 'c', 'a', 'd', 'g', 't', 'i', 's', 'e', 'k', 'x')
  if is_wrong_type(fields) then return nil, 'unreadable' end
  if fields.err then error(fields) end
  local family = {
    packed = fields[1], client = fields[2], ends = whole(fields[3]), generation = whole(fields[5]),
    since = whole(fields[6]), idle_end = whole(fields[7]), run = fields[8], epoch = whole(fields[9]),
    client_epoch = whole(fields[10]), closed = fields[11] and true or false,
  }
  family.readable = family.packed and family.client and family.ends and family.generation and family.since
    and family.idle_end and family.run and family.epoch and family.client_epoch
    and family.generation <= LAST_GENERATION
    and fields[4] == digest(fields[3], family.client, family.packed)
  if family.closed or family.readable then return family end
  for place = 1, 11 do
    if fields[place] then return nil, 'unreadable' end
  end
  return nil, 'absent'
end
