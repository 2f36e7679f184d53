"""The verbs of the verdicts as Lua, one script each: what `headrace.remembering` decides, decided inside Redis.

Beside a mapping's hash, in its slot:

    verdicts  a hash: for each key `d` (done) or `h` (held), and its holder
    ends      a sorted set of the keys, by when that expires, in seconds of Redis' TIME with their fractions

No key of Redis has an expiry of its own: a server whose memory is full would drop such keys first (volatile-*), and
work would be done twice.
"""

from __future__ import annotations

from headrace_connectors.redis.prelude import PRELUDE

_ENTRIES = """
local verdicts, ends = KEYS[7], KEYS[8]

-- state (false where there is none), holder, seconds left
local function entry(name)
    local expires = redis.call('ZSCORE', ends, name)
    if not expires or tonumber(expires) <= clock then return false, '', 0 end
    local kept = redis.call('HGET', verdicts, name)
    return string.sub(kept, 1, 1), string.sub(kept, 2), expires - clock
end

local function put(name, state, holder, seconds)
    redis.call('HSET', verdicts, name, state .. holder)
    redis.call('ZADD', ends, text(clock + seconds), name)
end

local function drop(name)
    redis.call('HDEL', verdicts, name)
    redis.call('ZREM', ends, name)
end
"""

_BODIES = {
    # holder, seconds, how many to forget at most, keys; answers for each its state (b, h, d) and the seconds left
    "begin": """
local holder, seconds, answer = ARGV[1], tonumber(ARGV[2]), {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', text(clock), 'LIMIT', 0, ARGV[3])) do drop(name) end
for i = 4, #ARGV do
    local state, whose, left = entry(ARGV[i])
    if not state or (state == 'h' and whose == holder) then
        put(ARGV[i], 'h', holder, seconds)
        state, left = 'b', seconds
    end
    answer[#answer + 1] = state
    answer[#answer + 1] = text(left)
end
redis.call('HSETNX', key, 'format', FORMAT)
return answer
""",
    # holder, seconds that it is remembered, keys; answers for each whether it was written
    "finish": """
local answer = {}
for i = 3, #ARGV do
    local state, whose = entry(ARGV[i])
    local good = not state or whose == ARGV[1]
    if good then put(ARGV[i], 'd', ARGV[1], tonumber(ARGV[2])) end
    answer[#answer + 1] = good and 1 or 0
end
redis.call('HSETNX', key, 'format', FORMAT)
return answer
""",
    # holder, keys
    "let_go": """
for i = 2, #ARGV do
    local state, whose = entry(ARGV[i])
    if state == 'h' and whose == ARGV[1] then drop(ARGV[i]) end
end
return 1
""",
}

SCRIPTS = {verb: PRELUDE + _ENTRIES + body for verb, body in _BODIES.items()}
