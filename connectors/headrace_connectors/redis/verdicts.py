"""Verdicts in Redis: every verb is one call of one script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.storedverdicts import forgotten
from headrace.verdicts import Standing, State
from headrace_connectors.redis.running import Running

_STATES = {b"b": State.BEGUN, b"h": State.HELD, b"d": State.DONE}


class RedisVerdicts:
    """`Verdicts`. A failover may lose what the primary acknowledged: such a record is run again."""

    _running: Running

    async def begin(self, mapping: str, keys: Sequence[str], holder: str, seconds: float) -> Mapping[str, Standing]:
        answer = await self._running.call("begin", mapping, holder, seconds, forgotten(keys), *keys)
        told = zip(answer[::2], answer[1::2], strict=True)
        return {key: Standing(_STATES[state], float(left)) for key, (state, left) in zip(keys, told, strict=True)}

    async def finish(self, mapping: str, keys: Sequence[str], holder: str, expires_after: float) -> frozenset[str]:
        answer = await self._running.call("finish", mapping, holder, expires_after, *keys)
        return frozenset(key for key, good in zip(keys, answer, strict=True) if not good)

    async def let_go(self, mapping: str, keys: Sequence[str], holder: str) -> None:
        await self._running.call("let_go", mapping, holder, *keys)
