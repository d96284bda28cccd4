-- The generation that a family stands at, past all of them when it is closed, nil when there is none to read.
-- KEYS: family.

local family = read_family(KEYS[1])
if not family then return nil end
if family.closed then return LAST_GENERATION + 1 end
return family.generation
