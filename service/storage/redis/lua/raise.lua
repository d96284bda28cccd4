-- Raise an owner's epoch; it is never lowered.
-- KEYS: epoch. ARGV: epoch, until when the raise matters.

local known = redis.pcall('GET', KEYS[1])
if type(known) == 'table' then
  if not is_wrong_type(known) then return known end
  known = nil
end
known = whole(known)
local left = known and redis.call('PEXPIRETIME', KEYS[1]) or 0
redis.call('SET', KEYS[1], text(math.max(known or 0, tonumber(ARGV[1]))),
  'PXAT', text(math.max(left, math.ceil(tonumber(ARGV[2]) / 1000) + MARGIN_MS)))
return 1
