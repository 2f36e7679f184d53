"""The verbs of the ledger as Lua, one script each: what `headrace.leasing` decides, decided inside Redis.

A mapping's graph is one hash, so one key, one slot and one atomic write; `callscripts` has its queue,
`outcomescripts` what is kept of its records. Its fields:

    format, identity, generation, paused, epoch, shards (a JSON array a write, in order, joined by newlines)
    FIELD:SHARD for position, parents, ended, owner, epoch, expires (ms of Redis' TIME), memo, crashes, mark, asked,
    state, serial, since (ms, too)

`serial` numbers the writes of an owner: one that comes late, from a connection that was given up, changes nothing.
A script looks at all that it needs before its first write, so that it never stops half way.
"""

from __future__ import annotations

from headrace_connectors.redis import callscripts, outcomescripts
from headrace_connectors.redis.prelude import PRELUDE

_ROWS = """
local NAMES = {'position', 'ended', 'owner', 'epoch', 'expires', 'memo', 'crashes', 'mark', 'asked', 'serial'}

local function read(shard)
    local fields = {}
    for i, name in ipairs(NAMES) do fields[i] = name .. ':' .. shard end
    local values = redis.call('HMGET', key, unpack(fields))
    if not values[1] then return nil end
    local row = {}
    for i, name in ipairs(NAMES) do row[name] = values[i] or '' end
    row.epoch = tonumber(row.epoch) or 0
    row.crashes = tonumber(row.crashes) or 0
    row.serial = tonumber(row.serial) or 0
    row.expires = tonumber(row.expires) or 0
    row.ended = row.ended == '1'
    row.held = row.owner ~= '' and row.expires > now and not row.ended
    return row
end

local function write(shard, changes)
    local fields = {}
    for name, value in pairs(changes) do
        fields[#fields + 1] = name .. ':' .. shard
        if type(value) == 'number' then value = string.format('%.0f', value) end
        fields[#fields + 1] = value
    end
    redis.call('HSET', key, 'format', FORMAT, unpack(fields))
end

local function matches(row, owner, epoch)
    return row and row.owner == owner and row.epoch == tonumber(epoch)
end

local function listed()
    local names = {}
    for line in string.gmatch(redis.call('HGET', key, 'shards') or '', '[^\\n]+') do
        for _, name in ipairs(cjson.decode(line)) do names[#names + 1] = name end
    end
    return names
end

local function list(names)
    if #names == 0 then return end
    local before = redis.call('HGET', key, 'shards')
    local line = cjson.encode(names)
    redis.call('HSET', key, 'shards', before and before .. '\\n' .. line or line)
end

local function beginning()
    return tonumber(redis.call('HGET', key, 'epoch') or 0)
end

local function append(from, epochs)
    local names, begins = {}, beginning()
    for i = from, #ARGV, 4 do
        local shard = ARGV[i]
        if redis.call('HEXISTS', key, 'position:' .. shard) == 0 then
            write(shard, {position = ARGV[i + 1], parents = ARGV[i + 2], ended = ARGV[i + 3],
                epoch = epochs and epochs[shard] or begins, since = now})
            names[#names + 1] = shard
        end
    end
    list(names)
    return names
end
"""

_BODIES = {
    # identity, generation, then name, position, parents, ended of each shard
    "plan": """
local there = redis.call('HGET', key, 'generation')
if there then return there == ARGV[2] and 1 or 0 end
redis.call('HSET', key, 'format', FORMAT, 'identity', ARGV[1], 'generation', ARGV[2])
append(3)
return 1
""",
    # identity, then shards as above; answers the identity that is there instead, or a list of what was added
    "add": """
local there = redis.call('HGET', key, 'identity')
if there ~= ARGV[1] then return there or '' end
return append(2)
""",
    # shards; answers those that went
    "forget": """
local gone, names, epoch = {}, {}, beginning()
for _, shard in ipairs(ARGV) do
    local row = read(shard)
    if row and row.ended then
        gone[shard] = true
        names[#names + 1] = shard
        epoch = math.max(epoch, row.epoch + 1)
    end
end
if #names == 0 then return names end
local left = {}
for _, shard in ipairs(listed()) do
    if not gone[shard] then left[#left + 1] = shard end
end
redis.call('HSET', key, 'epoch', string.format('%.0f', epoch))
redis.call('HDEL', key, 'shards')
list(left)
for _, shard in ipairs(names) do
    local fields = {'parents:' .. shard, 'state:' .. shard, 'since:' .. shard}
    for _, name in ipairs(NAMES) do fields[#fields + 1] = name .. ':' .. shard end
    redis.call('HDEL', key, unpack(fields))
end
return names
""",
    # generation, identity, new generation, then shards as above
    "replan": """
local there = redis.call('HGET', key, 'generation')
if there ~= ARGV[1] then return there == ARGV[3] and 1 or 0 end
local epochs, epoch = {}, beginning()
for _, shard in ipairs(listed()) do
    local last = read(shard).epoch
    epochs[shard] = last + 1
    epoch = math.max(epoch, last)
end
local paused = redis.call('HGET', key, 'paused') or '0'
redis.call('DEL', key, KEYS[9], KEYS[10])
redis.call('HSET', key, 'format', FORMAT, 'paused', paused, 'identity', ARGV[2], 'generation', ARGV[3],
    'epoch', string.format('%.0f', epoch + 1))
append(4, epochs)
return 1
""",
    # identity, generation, then name, position, parents, ended, epoch, memo of each row; answers the generation that
    # is there instead, or a list of what was written
    "restore": """
local there = redis.call('HGET', key, 'generation')
if there and there ~= ARGV[2] then return there end
redis.call('HSET', key, 'format', FORMAT, 'identity', ARGV[1], 'generation', ARGV[2])
local names, new = {}, {}
for i = 3, #ARGV, 6 do
    local shard = ARGV[i]
    local row = read(shard)
    if not row or row.epoch < tonumber(ARGV[i + 4]) then
        write(shard, {position = ARGV[i + 1], parents = ARGV[i + 2], ended = ARGV[i + 3], epoch = ARGV[i + 4],
            memo = ARGV[i + 5], owner = '', expires = 0, crashes = 0, mark = '', asked = '', state = '',
            since = now})
        names[#names + 1] = shard
        if not row then new[#new + 1] = shard end
    end
end
list(new)
return names
""",
    "rows": """
return {string.format('%.0f', now), redis.call('HGETALL', key)}
""",
    # shard, owner, ttl in ms
    "acquire": """
local shard, owner, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local row = read(shard)
if not row or row.ended or (row.held and row.owner ~= owner) then return false end
if row.held then
    write(shard, {expires = now + ttl})
else
    if row.owner ~= owner then
        if row.owner ~= '' then row.crashes = row.crashes + 1 end
        row.serial = 0
    end
    row.epoch = row.epoch + 1
    write(shard, {owner = owner, epoch = row.epoch, expires = now + ttl, crashes = row.crashes, serial = row.serial,
        asked = '', state = ''})
end
return {row.epoch, row.position, row.memo, row.crashes, row.mark}
""",
    # ttl in ms, then shard, owner, epoch, state of each lease; answers paused, generation, and for each 0 or asked
    "renew": """
local answer = {redis.call('HGET', key, 'paused') == '1' and 1 or 0, redis.call('HGET', key, 'generation')}
for i = 2, #ARGV, 4 do
    local row = read(ARGV[i])
    if row and row.held and matches(row, ARGV[i + 1], ARGV[i + 2]) then
        write(ARGV[i], {expires = now + tonumber(ARGV[1]), state = ARGV[i + 3]})
        answer[#answer + 1] = row.asked
    else
        answer[#answer + 1] = 0
    end
end
return answer
""",
    # shard, owner, epoch, serial, position, end, 'memo' or 'keep', memo, '' or = and the position that it follows, then
    # calls as put has them
    "commit": """
local row = read(ARGV[1])
if not matches(row, ARGV[2], ARGV[3]) then return 0 end
local finish = ARGV[6] == '1'
if row.ended then return finish and row.position == ARGV[5] and 1 or 0 end
if not row.held then return 0 end
if tonumber(ARGV[4]) < row.serial then return 1 end
if ARGV[9] ~= '' and row.position ~= string.sub(ARGV[9], 2) and row.position ~= ARGV[5] then return 0 end
local changes = {position = ARGV[5], ended = ARGV[6], serial = ARGV[4]}
if ARGV[7] == 'memo' then changes.memo = ARGV[8] end
if finish then changes.since = now end
if row.position ~= ARGV[5] then
    changes.crashes = 0
    changes.mark = ''
    accept(10)
end
write(ARGV[1], changes)
return 1
""",
    # shard, owner, epoch, serial, mark
    "mark": """
local row = read(ARGV[1])
if not (matches(row, ARGV[2], ARGV[3]) and row.held) then return 0 end
if tonumber(ARGV[4]) < row.serial then return 1 end
write(ARGV[1], {mark = ARGV[5], serial = ARGV[4]})
return 1
""",
    # shard, owner, epoch
    "release": """
local row = read(ARGV[1])
if not row or row.epoch ~= tonumber(ARGV[3]) or (row.owner ~= '' and row.owner ~= ARGV[2]) then return 0 end
if not row.ended and row.owner ~= '' then
    write(ARGV[1], {owner = '', expires = 0, asked = '', state = '', since = now})
end
return 1
""",
    # shard, by
    "ask": """
local row = read(ARGV[1])
if not row or not row.held or row.owner == ARGV[2] then return 0 end
if row.asked ~= '' and row.asked ~= ARGV[2] then return 0 end
write(ARGV[1], {asked = ARGV[2]})
return 1
""",
    # shard, position, how the JSON of its outcomes begins, of each; answers the shards that are not there
    "seek": """
local unknown = {}
for i = 1, #ARGV, 3 do
    if redis.call('HEXISTS', key, 'position:' .. ARGV[i]) == 0 then unknown[#unknown + 1] = ARGV[i] end
end
if #unknown > 0 then return unknown end
for i = 1, #ARGV, 3 do
    local row = read(ARGV[i])
    local changes = {position = ARGV[i + 1], epoch = row.epoch + 1, ended = '0', memo = '', crashes = 0, mark = '',
        since = now}
    if not row.held then changes.owner = '' end
    write(ARGV[i], changes)
    for _, one in ipairs(of_lane(ARGV[i + 2])) do drop(one) end
end
return unknown
""",
    # paused
    "pause": """
redis.call('HSET', key, 'format', FORMAT, 'paused', ARGV[1])
return 1
""",
}

_USES = {"commit": callscripts.QUEUE, "seek": outcomescripts.OUTCOMES}

SCRIPTS = {verb: PRELUDE + _USES.get(verb, "") + _ROWS + body for verb, body in _BODIES.items()}
