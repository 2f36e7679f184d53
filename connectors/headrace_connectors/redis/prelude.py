"""What every script in Redis begins with: is the ledger of our format, and what time is it there?

`now` is in milliseconds, `clock` in seconds with their fractions.
"""

from __future__ import annotations

FORMAT = 1
"""Of a mapping's hash, and of the keys beside it: of its queue, its verdicts, and what is kept of its records."""

PRELUDE = f"""
local key = KEYS[1]
local FORMAT = '{FORMAT}'
local format = redis.call('HGET', key, 'format')
if format and format ~= FORMAT then return redis.error_reply('LEDGERFORMAT ' .. format) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = time[1] + time[2] / 1000000

-- with all its digits
local function text(number)
    return string.format('%.17g', number)
end
"""
