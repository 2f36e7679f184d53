"""The verdicts over any store that can run Python inside its transaction: read entries, decide, write them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from headrace import remembering
from headrace.remembering import Entry
from headrace.verdicts import Standing, State

T = TypeVar("T")

LEAST_FORGOTTEN = 20
"""Expired entries that a `begin` removes at most, beside two for each of its keys: more go than come."""


class VerdictRows(Protocol):
    """What a transaction can reach of the verdicts. Entries come with `left` as of now, and are written so."""

    def entry(self, mapping: str, key: str) -> Entry | None: ...

    def put_entry(self, mapping: str, key: str, entry: Entry) -> None: ...

    def drop_entry(self, mapping: str, key: str) -> None: ...

    def forget_entries(self, mapping: str, limit: int) -> None:
        """Remove at most so many that have expired, of either kind."""
        ...


class StoredVerdicts(ABC):
    """`Verdicts` for whose verbs a store has only to say how a transaction is run."""

    @abstractmethod
    async def _run(self, work: Callable[[VerdictRows], T]) -> T:
        """Run *work* alone and whole: what it wrote is durable when this returns, and gone when it raises."""

    async def begin(self, mapping: str, keys: Sequence[str], holder: str, seconds: float) -> Mapping[str, Standing]:
        def work(rows: VerdictRows) -> Mapping[str, Standing]:
            rows.forget_entries(mapping, forgotten(keys))
            found = {key: remembering.standing(rows.entry(mapping, key), holder, seconds) for key in keys}
            for key, one in found.items():
                if one.state is State.BEGUN:
                    rows.put_entry(mapping, key, Entry(holder=holder, done=False, left=seconds))
            return found

        return await self._run(work)

    async def finish(self, mapping: str, keys: Sequence[str], holder: str, expires_after: float) -> frozenset[str]:
        def work(rows: VerdictRows) -> frozenset[str]:
            ours = [key for key in keys if remembering.may_finish(rows.entry(mapping, key), holder)]
            for key in ours:
                rows.put_entry(mapping, key, Entry(holder=holder, done=True, left=expires_after))
            return frozenset(keys) - frozenset(ours)

        return await self._run(work)

    async def let_go(self, mapping: str, keys: Sequence[str], holder: str) -> None:
        def work(rows: VerdictRows) -> None:
            for key in keys:
                if remembering.may_let_go(rows.entry(mapping, key), holder):
                    rows.drop_entry(mapping, key)

        await self._run(work)


def forgotten(keys: Sequence[str]) -> int:
    """How many expired entries a `begin` of *keys* removes at most, in every store."""
    return LEAST_FORGOTTEN + 2 * len(keys)
