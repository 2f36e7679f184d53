"""What is kept of records in Redis: every verb is one call of one script."""

from __future__ import annotations

import json
from collections.abc import Sequence

from headrace.outcomes import KeptOutcome
from headrace.storedoutcomes import FORGOTTEN
from headrace_connectors.redis.running import Running


class RedisOutcomes:
    """`Outcomes`. A failover may lose what the primary acknowledged: such records are run again."""

    _running: Running

    async def keep(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float, *, epoch: int = 0) -> None:
        records = json.dumps([json.dumps([lane, record]) for record in outcome.records])
        named = json.dumps([lane, outcome.name])
        await self._running.call("keep", mapping, epoch, lane, seconds, FORGOTTEN, named, outcome.text, records)

    async def kept(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]:
        if records is None:
            answer = await self._running.call("kept_of_lane", mapping, beginning(lane))
        else:
            answer = await self._running.call("kept", mapping, *(json.dumps([lane, record]) for record in records))
        return [
            KeptOutcome(name=_name(outcome), records=[_name(one) for one in some], text=text.decode())
            for outcome, text, some in answer
        ]

    async def drop(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        await self._running.call("drop", mapping, *(json.dumps([lane, record]) for record in records))


def beginning(lane: str) -> str:
    """How every JSON list begins that names something of *lane*, and no other."""
    return json.dumps([lane])[:-1] + ", "


def _name(written: bytes) -> str:
    name: str = json.loads(written)[1]
    return name
