"""The queues of calls over any store that can run Python inside its transaction: read calls, decide, write them."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from headrace import calling
from headrace.calling import Kept
from headrace.calls import Call, Taken, Waiting
from headrace.ledger import Graph

T = TypeVar("T")

NUMBERS = 2**50
"""Numbers of takings are random below this, so that those of a store that was emptied, or put back to an older copy,
never come again; Lua's numbers are exact to beyond it."""


class CallRows(Protocol):
    """What a transaction can reach of the queues. Calls come with `left` as of now, and are written so."""

    @property
    def wall(self) -> float:
        """Unix seconds."""
        ...

    def head(self, mapping: str) -> Graph:
        """The mapping's graph without its rows; one without identity where there is none."""
        ...

    def call(self, mapping: str, id_: str) -> Kept | None: ...

    def due(self, mapping: str) -> Iterable[Kept]:
        """Those that are due and not taken, by `due` and then id; read as they are asked for, before any write."""
        ...

    def expired(self, mapping: str) -> Sequence[Kept]:
        """Those whose taking has expired."""
        ...

    def busy(self, mapping: str, group: str) -> bool:
        """Whether one of the group is taken."""
        ...

    def begun(self, mapping: str, group: str) -> bool:
        """Whether one of the group that was begun waits to be made again."""
        ...

    def put_call(self, mapping: str, kept: Kept) -> None: ...

    def drop_call(self, mapping: str, id_: str) -> None: ...

    def waiting(self, mapping: str) -> Waiting: ...

    def unfinished(self, mapping: str, group: str) -> int: ...

    def notes(self, mapping: str) -> Mapping[str, str]: ...

    def set_note(self, mapping: str, group: str, note: str) -> None: ...


class StoredCalls(ABC):
    """`Calls` for whose verbs a store has only to say how a transaction is run."""

    @abstractmethod
    async def _run(self, work: Callable[[CallRows], T]) -> T:
        """Run *work* alone and whole: what it wrote is durable when this returns, and gone when it raises."""

    async def _look(self, work: Callable[[CallRows], T]) -> T:
        """Run *work*, which only reads: a store that can do that for less does so here."""
        return await self._run(work)

    async def now(self) -> float:
        return await self._look(lambda rows: rows.wall)

    async def put(self, mapping: str, calls: Sequence[Call]) -> frozenset[str]:
        return await self._run(lambda rows: accept(rows, mapping, calls))

    async def take(self, mapping: str, owner: str, limit: int, ttl: float) -> Sequence[Taken]:
        first = secrets.randbelow(NUMBERS)

        def work(rows: CallRows) -> Sequence[Taken]:
            if rows.head(mapping).paused:
                return ()
            for kept in rows.expired(mapping):
                rows.put_call(mapping, calling.free(kept))
            may = calling.takeable(rows.due(mapping), partial(rows.busy, mapping), partial(rows.begun, mapping), limit)
            taken = [calling.take(kept, owner, number, ttl) for number, kept in enumerate(may, first)]
            for kept in taken:
                rows.put_call(mapping, kept)
            return [calling.taken(mapping, kept) for kept in taken]

        if await self._look(lambda rows: _anything(rows, mapping)):
            return await self._run(work)
        return ()  # who polls an empty queue waits for no lock

    async def hold(self, taken: Sequence[Taken], ttl: float) -> frozenset[Taken]:
        return await self._fenced(taken, lambda kept, _: replace(kept, left=ttl))

    async def begin_alone(self, taken: Taken) -> bool:
        return not await self._fenced([taken], lambda kept, _: replace(kept, was_alone=True))

    async def settle(self, taken: Sequence[Taken], notes: Mapping[str, str] | None = None) -> frozenset[Taken]:
        told = notes or {}

        def work(rows: CallRows) -> frozenset[Taken]:
            lost = set()
            for one in taken:
                kept = calling.ours(rows.call(one.mapping, one.call.id), one)
                if kept is None:
                    lost.add(one)
                    continue
                rows.drop_call(one.mapping, one.call.id)
                if one.call.id in told:
                    rows.set_note(one.mapping, kept.call.group, told[one.call.id])
            return frozenset(lost)

        return await self._run(work)

    async def put_back(self, taken: Sequence[Taken], delay: float, *, begun: bool) -> frozenset[Taken]:
        return await self._fenced(taken, lambda kept, now: calling.put_back(kept, now + delay, begun=begun))

    async def waiting(self, mapping: str) -> Waiting:
        return await self._look(lambda rows: rows.waiting(mapping))

    async def unfinished(self, mapping: str, groups: Sequence[str]) -> Mapping[str, int]:
        def work(rows: CallRows) -> Mapping[str, int]:
            return {group: count for group in groups if (count := rows.unfinished(mapping, group))}

        return await self._look(work)

    async def unsettled(self, mapping: str, ids: Sequence[str]) -> frozenset[str]:
        return await self._look(lambda rows: frozenset(id_ for id_ in ids if rows.call(mapping, id_) is not None))

    async def notes(self, mapping: str) -> Mapping[str, str]:
        return await self._look(lambda rows: rows.notes(mapping))

    async def _fenced(self, taken: Sequence[Taken], change: Callable[[Kept, float], Kept]) -> frozenset[Taken]:
        """Write what *change* makes, at a moment, of those that are ours; the others."""

        def work(rows: CallRows) -> frozenset[Taken]:
            lost = set()
            for one in taken:
                kept = calling.ours(rows.call(one.mapping, one.call.id), one)
                if kept is None:
                    lost.add(one)
                else:
                    rows.put_call(one.mapping, change(kept, rows.wall))
            return frozenset(lost)

        return await self._run(work)


def accept(rows: CallRows, mapping: str, calls: Sequence[Call]) -> frozenset[str]:
    """Write those that are not there yet; their ids."""
    new = set()
    for call in calls:
        if rows.call(mapping, call.id) is None:
            rows.put_call(mapping, calling.accept(call, rows.wall))
            new.add(call.id)
    return frozenset(new)


def _anything(rows: CallRows, mapping: str) -> bool:
    return bool(rows.expired(mapping)) or any(True for _ in rows.due(mapping))
