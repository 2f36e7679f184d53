"""The verbs of what is kept of records as Lua, one script each: what `storedoutcomes` does, done inside Redis.

Beside a mapping's hash, in its slot; OUTCOME and RECORD are JSON lists of a lane and a name:

    outcomes     a hash: oOUTCOME has the text, iOUTCOME a JSON list of its records, rRECORD its outcome
    outcomeends  a sorted set of the outcomes, by when they end, in seconds of Redis' TIME with their fractions

No key of Redis has an expiry of its own: see `verdictscripts`.
"""

from __future__ import annotations

from headrace_connectors.redis.prelude import PRELUDE

OUTCOMES = """
local outcomes, outcomeends = KEYS[9], KEYS[10]

-- the records that still have it
local function records(outcome)
    local found = {}
    for _, one in ipairs(cjson.decode(redis.call('HGET', outcomes, 'i' .. outcome) or '[]')) do
        if redis.call('HGET', outcomes, 'r' .. one) == outcome then found[#found + 1] = one end
    end
    return found
end

local function drop(outcome)
    for _, one in ipairs(records(outcome)) do redis.call('HDEL', outcomes, 'r' .. one) end
    redis.call('HDEL', outcomes, 'o' .. outcome, 'i' .. outcome)
    redis.call('ZREM', outcomeends, outcome)
end

-- these records have none any more
local function let_go(named)
    local former = {}
    for _, one in ipairs(named) do
        local outcome = redis.call('HGET', outcomes, 'r' .. one)
        if outcome then former[outcome] = true end
        redis.call('HDEL', outcomes, 'r' .. one)
    end
    for outcome in pairs(former) do
        if #records(outcome) == 0 then drop(outcome) end
    end
end

-- those of a lane, named by how their JSON begins, that have not ended
local function of_lane(begins)
    local found = {}
    for _, one in ipairs(redis.call('ZRANGEBYSCORE', outcomeends, '(' .. text(clock), '+inf')) do
        if string.sub(one, 1, #begins) == begins then found[#found + 1] = one end
    end
    return found
end
"""

_BODIES = {
    # epoch, lane, seconds, how many to forget at most, OUTCOME, text, JSON of the list of RECORD
    "keep": """
local epoch = redis.call('HGET', key, 'epoch:' .. ARGV[2])
if epoch and epoch ~= ARGV[1] then return 0 end
local ended = redis.call('ZRANGEBYSCORE', outcomeends, '-inf', text(clock), 'LIMIT', 0, ARGV[4])
for _, one in ipairs(ended) do drop(one) end
local outcome, named = ARGV[5], cjson.decode(ARGV[7])
drop(outcome)
let_go(named)
for _, one in ipairs(named) do redis.call('HSET', outcomes, 'r' .. one, outcome) end
redis.call('HSET', outcomes, 'o' .. outcome, ARGV[6], 'i' .. outcome, ARGV[7])
redis.call('ZADD', outcomeends, text(clock + ARGV[3]), outcome)
redis.call('HSETNX', key, 'format', FORMAT)
return 1
""",
    # how the JSON of the lane's lists begins; answers OUTCOME, text, list of RECORD of each
    "kept_of_lane": """
local answer = {}
for _, one in ipairs(of_lane(ARGV[1])) do
    answer[#answer + 1] = {one, redis.call('HGET', outcomes, 'o' .. one), records(one)}
end
return answer
""",
    # RECORD of each; answers as above
    "kept": """
local answer, seen = {}, {}
for _, record in ipairs(ARGV) do
    local one = redis.call('HGET', outcomes, 'r' .. record)
    if one and not seen[one] and tonumber(redis.call('ZSCORE', outcomeends, one)) > clock then
        seen[one] = true
        answer[#answer + 1] = {one, redis.call('HGET', outcomes, 'o' .. one), records(one)}
    end
end
return answer
""",
    # RECORD of each
    "drop": """
let_go(ARGV)
return 1
""",
}

SCRIPTS = {verb: PRELUDE + OUTCOMES + body for verb, body in _BODIES.items()}
