"""The verbs of a queue of calls as Lua, one script each: what `headrace.calling` decides, decided inside Redis.

Beside a mapping's hash, in its slot:

    calls    a hash, FIELD:ID for event, put (when it was put to be due), group, alone, accepted, due, number, attempt,
             owner, was_alone
    due      a sorted set of the ids that are not taken, by when they are due
    taken    a sorted set of the ids that are taken, by when that expires
    groups   a hash: all:GROUP, taken:GROUP and begun:GROUP (that were begun, and wait), how many there are
    notes    a hash: the last note of each group

Times are seconds of Redis' TIME with their fractions; one that has expired lies in `taken` until somebody takes.
"""

from __future__ import annotations

from headrace_connectors.redis.prelude import PRELUDE

QUEUE = """
local calls, due, taken, groups, notes = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

local function get(id, ...)
    local fields = {...}
    for i, name in ipairs(fields) do fields[i] = name .. ':' .. id end
    return unpack(redis.call('HMGET', calls, unpack(fields)))
end

local function count(what, group, by)
    local field = what .. ':' .. group
    if redis.call('HINCRBY', groups, field, by) == 0 then redis.call('HDEL', groups, field) end
end

local function accept(from)
    local new = {}
    for i = from, #ARGV, 5 do
        local id, event, put, group, alone = unpack(ARGV, i, i + 4)
        if not get(id, 'accepted') then
            local begins = tonumber(put) == 0 and text(clock) or put
            redis.call('HSET', calls, 'event:' .. id, event, 'put:' .. id, put, 'group:' .. id, group,
                'alone:' .. id, alone, 'accepted:' .. id, text(clock), 'due:' .. id, begins)
            redis.call('ZADD', due, begins, id)
            count('all', group, 1)
            new[#new + 1] = id
        end
    end
    if #new > 0 then redis.call('HSETNX', key, 'format', FORMAT) end
    return new
end
"""

_TAKING = """
local function ours(id, number)
    local expires = redis.call('ZSCORE', taken, id)
    return expires and tonumber(expires) > clock and get(id, 'number') == number
end

local function let_go(id)
    redis.call('ZREM', taken, id)
    count('taken', get(id, 'group'), -1)
end
"""

_BODIES = {
    # answers seconds and microseconds
    "now": """
return time
""",
    # id, event, due, group, alone of each; answers the ids that were new
    "put": """
return accept(1)
""",
    # owner, limit, ttl, first number; answers id, event, due, group, alone, accepted, number, attempt,
    # was_alone of each
    "take": """
if redis.call('HGET', key, 'paused') == '1' then return {} end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', taken, '-inf', text(clock))) do
    let_go(id)
    redis.call('ZADD', due, get(id, 'due'), id)
    count('begun', get(id, 'group'), 1)
end
local PAGE = 100
local answer, limit, passed, busy = {}, tonumber(ARGV[2]), 0, {}

local function may(group, alone, begun)
    if alone ~= '1' then return true end
    if busy[group] == nil then busy[group] = redis.call('HEXISTS', groups, 'taken:' .. group) == 1 end
    return not busy[group] and (begun or redis.call('HEXISTS', groups, 'begun:' .. group) == 0)
end

local function take(id, group, begun)
    if begun then count('begun', group, -1) end
    local number = string.format('%.0f', tonumber(ARGV[4]) + #answer)
    redis.call('ZREM', due, id)
    redis.call('ZADD', taken, text(clock + tonumber(ARGV[3])), id)
    redis.call('HSET', calls, 'number:' .. id, number, 'owner:' .. id, ARGV[1])
    redis.call('HINCRBY', calls, 'attempt:' .. id, 1)
    count('taken', group, 1)
    busy[group] = true
    local one = {id, get(id, 'event', 'put', 'group', 'alone', 'accepted', 'number', 'attempt')}
    one[#one + 1] = get(id, 'was_alone') or '0'
    answer[#answer + 1] = one
end

while #answer < limit do
    local page = redis.call('ZRANGEBYSCORE', due, '-inf', text(clock), 'LIMIT', passed, PAGE)
    for _, id in ipairs(page) do
        if #answer == limit then break end
        local group, alone, attempt = get(id, 'group', 'alone', 'attempt')
        local begun = (tonumber(attempt) or 0) > 0
        if may(group, alone, begun) then take(id, group, begun) else passed = passed + 1 end
    end
    if #page < PAGE then break end
end
return answer
""",
    # ttl, then id, number of each; answers for each whether it was ours
    "hold": """
local answer = {}
for i = 2, #ARGV, 2 do
    local good = ours(ARGV[i], ARGV[i + 1])
    if good then redis.call('ZADD', taken, text(clock + tonumber(ARGV[1])), ARGV[i]) end
    answer[#answer + 1] = good and 1 or 0
end
return answer
""",
    # id, number; answers as hold
    "begin_alone": """
local good = ours(ARGV[1], ARGV[2])
if good then redis.call('HSET', calls, 'was_alone:' .. ARGV[1], '1') end
return {good and 1 or 0}
""",
    # id, number, note ('' for none, or = and the note) of each; answers as hold
    "settle": """
local FIELDS = {'event', 'put', 'group', 'alone', 'accepted', 'due', 'number', 'attempt', 'owner', 'was_alone'}
local answer = {}
for i = 1, #ARGV, 3 do
    local id, number, note = unpack(ARGV, i, i + 2)
    local good = ours(id, number)
    if good then
        local group = get(id, 'group')
        let_go(id)
        count('all', group, -1)
        for _, name in ipairs(FIELDS) do redis.call('HDEL', calls, name .. ':' .. id) end
        if note ~= '' then redis.call('HSET', notes, group, string.sub(note, 2)) end
    end
    answer[#answer + 1] = good and 1 or 0
end
return answer
""",
    # delay, begun, then id, number of each; answers as hold
    "put_back": """
local answer, again = {}, text(clock + tonumber(ARGV[1]))
for i = 3, #ARGV, 2 do
    local id = ARGV[i]
    local good = ours(id, ARGV[i + 1])
    if good then
        let_go(id)
        redis.call('ZADD', due, again, id)
        redis.call('HSET', calls, 'due:' .. id, again)
        redis.call('HDEL', calls, 'was_alone:' .. id)
        if ARGV[2] == '0' then redis.call('HINCRBY', calls, 'attempt:' .. id, -1) end
        if tonumber(get(id, 'attempt')) > 0 then count('begun', get(id, 'group'), 1) end
    end
    answer[#answer + 1] = good and 1 or 0
end
return answer
""",
    # answers how many are due, come due later, are taken
    "waiting": """
local expired = redis.call('ZCOUNT', taken, '-inf', text(clock))
local ripe = redis.call('ZCOUNT', due, '-inf', text(clock))
return {ripe + expired, redis.call('ZCARD', due) - ripe, redis.call('ZCARD', taken) - expired}
""",
    # groups; answers how many there are of each
    "unfinished": """
local answer = {}
for i, group in ipairs(ARGV) do answer[i] = tonumber(redis.call('HGET', groups, 'all:' .. group) or 0) end
return answer
""",
    # ids; answers for each whether it is there
    "unsettled": """
local answer = {}
for i, id in ipairs(ARGV) do answer[i] = get(id, 'accepted') and 1 or 0 end
return answer
""",
    "notes": """
return redis.call('HGETALL', notes)
""",
}

SCRIPTS = {verb: PRELUDE + QUEUE + _TAKING + body for verb, body in _BODIES.items()}
