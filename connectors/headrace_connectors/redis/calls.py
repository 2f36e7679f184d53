"""Queues of calls in Redis: every verb is one call of one script for each mapping."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, starmap

from headrace.calls import Call, Taken, Waiting
from headrace.storedcalls import NUMBERS
from headrace_connectors.redis.running import Argument, Running


class RedisCalls:
    """`Calls`. A failover may lose what the primary acknowledged.

    A call that was settled is made again then; one that was put with a position is gone with it, and comes with it.
    """

    def __init__(self, running: Running) -> None:
        self._running = running

    async def now(self) -> float:
        seconds, microseconds = await self._running.call("now", "")
        return int(seconds) + int(microseconds) / 1_000_000

    async def put(self, mapping: str, calls: Sequence[Call]) -> frozenset[str]:
        answer = await self._running.call("put", mapping, *written(calls))
        return frozenset(id_.decode() for id_ in answer)

    async def take(self, mapping: str, owner: str, limit: int, ttl: float) -> Sequence[Taken]:
        answer = await self._running.call("take", mapping, owner, limit, ttl, secrets.randbelow(NUMBERS))
        return [_taken(mapping, one) for one in answer]

    async def hold(self, taken: Sequence[Taken], ttl: float) -> frozenset[Taken]:
        return await self._fenced("hold", taken, [ttl], _named)

    async def begin_alone(self, taken: Taken) -> bool:
        return not await self._fenced("begin_alone", [taken], [], _named)

    async def settle(self, taken: Sequence[Taken], notes: Mapping[str, str] | None = None) -> frozenset[Taken]:
        told = notes or {}

        def noted(one: Taken) -> list[Argument]:
            return [*_named(one), f"={told[one.call.id]}" if one.call.id in told else ""]

        return await self._fenced("settle", taken, [], noted)

    async def put_back(self, taken: Sequence[Taken], delay: float, *, begun: bool) -> frozenset[Taken]:
        return await self._fenced("put_back", taken, [delay, int(begun)], _named)

    async def waiting(self, mapping: str) -> Waiting:
        due, later, taken = await self._running.call("waiting", mapping)
        return Waiting(due=due, later=later, taken=taken)

    async def unfinished(self, mapping: str, groups: Sequence[str]) -> Mapping[str, int]:
        counts = await self._running.call("unfinished", mapping, *groups)
        return {group: count for group, count in zip(groups, counts, strict=True) if count}

    async def unsettled(self, mapping: str, ids: Sequence[str]) -> frozenset[str]:
        answer = await self._running.call("unsettled", mapping, *ids)
        return frozenset(id_ for id_, there in zip(ids, answer, strict=True) if there)

    async def notes(self, mapping: str) -> Mapping[str, str]:
        flat = [part.decode() for part in await self._running.call("notes", mapping)]
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def _fenced(
        self, verb: str, taken: Sequence[Taken], first: list[Argument], each: Callable[[Taken], list[Argument]]
    ) -> frozenset[Taken]:
        """Those that were not ours. The verb's arguments are *first*, and what *each* says of a taking."""
        mappings: dict[str, list[Taken]] = {}
        for one in taken:
            mappings.setdefault(one.mapping, []).append(one)

        async def lost(mapping: str, some: list[Taken]) -> list[Taken]:
            answer = await self._running.call(verb, mapping, *first, *(part for one in some for part in each(one)))
            return [one for one, good in zip(some, answer, strict=True) if not good]

        return frozenset(chain.from_iterable(await asyncio.gather(*starmap(lost, mappings.items()))))


def written(calls: Sequence[Call]) -> list[Argument]:
    """As the scripts have calls."""
    return [part for call in calls for part in (call.id, call.event, call.due, call.group, int(call.alone))]


def _named(taken: Taken) -> list[Argument]:
    return [taken.call.id, taken.number]


def _taken(mapping: str, answer: Sequence[bytes]) -> Taken:
    id_, event, due, group, alone, accepted, number, attempt, was_alone = (part.decode() for part in answer)
    return Taken(
        mapping=mapping,
        call=Call(id=id_, event=event, due=float(due), group=group, alone=alone == "1"),
        number=int(number),
        attempt=int(attempt),
        accepted=float(accepted),
        was_alone=was_alone == "1",
    )
