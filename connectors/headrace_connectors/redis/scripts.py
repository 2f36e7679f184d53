"""The verbs of the ledger as Lua, one script each: what `headrace.leasing` decides, decided inside Redis.

A mapping is one hash, so one key, one slot and one atomic write. Its fields:

    format, identity, generation, paused, shards (a JSON array a write, in order, joined by newlines)
    FIELD:SHARD for position, parents, ended, owner, epoch, expires (ms of Redis' TIME), memo, crashes, mark, asked,
    state, serial

`serial` numbers the writes of an owner: one that comes late, from a connection that was given up, changes nothing.
A script looks at all that it needs before its first write, so that it never stops half way.
"""

from __future__ import annotations

FORMAT = 1

_PRELUDE = f"""
local key = KEYS[1]
local FORMAT = '{FORMAT}'
local format = redis.call('HGET', key, 'format')
if format and format ~= FORMAT then return redis.error_reply('LEDGERFORMAT ' .. format) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local NAMES = {{'position', 'ended', 'owner', 'epoch', 'expires', 'memo', 'crashes', 'mark', 'asked', 'serial'}}

local function read(shard)
    local fields = {{}}
    for i, name in ipairs(NAMES) do fields[i] = name .. ':' .. shard end
    local values = redis.call('HMGET', key, unpack(fields))
    if not values[1] then return nil end
    local row = {{}}
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
    local fields = {{}}
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

local function append(from)
    local names = {{}}
    for i = from, #ARGV, 4 do
        if redis.call('HEXISTS', key, 'position:' .. ARGV[i]) == 0 then
            write(ARGV[i], {{position = ARGV[i + 1], parents = ARGV[i + 2], ended = ARGV[i + 3]}})
            names[#names + 1] = ARGV[i]
        end
    end
    if #names > 0 then
        local before = redis.call('HGET', key, 'shards')
        local line = cjson.encode(names)
        redis.call('HSET', key, 'shards', before and before .. '\\n' .. line or line)
    end
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
    # shard, owner, epoch, serial, position, end, 'memo' or 'keep', memo
    "commit": """
local row = read(ARGV[1])
if not matches(row, ARGV[2], ARGV[3]) then return 0 end
local finish = ARGV[6] == '1'
if row.ended then return finish and row.position == ARGV[5] and 1 or 0 end
if not row.held then return 0 end
if tonumber(ARGV[4]) < row.serial then return 1 end
local changes = {position = ARGV[5], ended = ARGV[6], serial = ARGV[4]}
if ARGV[7] == 'memo' then changes.memo = ARGV[8] end
if row.position ~= ARGV[5] then
    changes.crashes = 0
    changes.mark = ''
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
    write(ARGV[1], {owner = '', expires = 0, asked = '', state = ''})
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
    # shard, position of each; answers the shards that are not there
    "seek": """
local unknown = {}
for i = 1, #ARGV, 2 do
    if redis.call('HEXISTS', key, 'position:' .. ARGV[i]) == 0 then unknown[#unknown + 1] = ARGV[i] end
end
if #unknown > 0 then return unknown end
for i = 1, #ARGV, 2 do
    local row = read(ARGV[i])
    local changes = {position = ARGV[i + 1], epoch = row.epoch + 1, ended = '0', memo = '', crashes = 0, mark = ''}
    if not row.held then changes.owner = '' end
    write(ARGV[i], changes)
end
return unknown
""",
    # paused
    "pause": """
redis.call('HSET', key, 'format', FORMAT, 'paused', ARGV[1])
return 1
""",
}

SCRIPTS = {verb: _PRELUDE + body for verb, body in _BODIES.items()}
