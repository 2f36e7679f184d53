"""A lane whose owners were lost one after another: the record that kills them is found, and only it pays.

Such a lane has one record at the handler, and every attempt is written down before it begins. So whoever takes the lane
after the next crash knows which record was alone at the handler, and how often; the others spend nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from headrace.ledger import Mark
from headrace.model import Position, Record

SUSPICIOUS = 2
"""Owners lost in a row at one position, from which on the next is careful: one may have died of anything."""

WriteMark: TypeAlias = Callable[[Mark], Awaitable[None]]
"""Makes a mark durable, and everything that was settled before it: a commit that came later would clear it."""


def needed(crashes: int, mark: Mark | None) -> bool:
    """Whether a lane must be careful that is taken after *crashes*.

    One crash is enough where a mark is left: its owner was careful, had moved the position, and died all the same.
    """
    return crashes >= SUSPICIOUS or (crashes > 0 and mark is not None and mark.attempt > 0)


class Careful:
    """What a careful lane knows of its records. `over` is set when its position has moved over *records* of them."""

    one_by_one = True

    def __init__(self, left: Mark | None, write: WriteMark, records: int) -> None:
        self.over = asyncio.Event()
        self._left, self._write, self._records = left, write, records
        self._marked: Position | None = None
        self._places: dict[int, int] = {}  # among those that share a position, by number
        self._first: Position | None = None
        self._suspects: dict[int, int] = {}  # attempts by place, of the first position

    def read(self, records: Sequence[Record]) -> None:
        """These come next. A mark that was left means the first position, or nothing that is still to come."""
        place, last = 0, None
        for record in records:
            place = place + 1 if record.token == last else 0
            last = record.token
            self._places[record.number] = place
        if records and self._first is None:
            self._first = records[0].token
            self._suspects = _suspects(self._left, self._first) if self._left else {}

    def settled(self, records: Sequence[Record], passed: int) -> None:
        """The position has now moved over *passed* records."""
        for record in records:
            self._places.pop(record.number, None)
        if passed >= self._records:
            self.over.set()

    def tried(self, record: Record) -> int:
        """As `Care.tried`."""
        return self._suspects.get(self._places[record.number], 0) if record.token == self._first else 0

    def at_stake(self, record: Record, attempt: int) -> int:  # noqa: ARG002 - as the protocol has it
        """As `Care.at_stake`."""
        return attempt

    async def mark(self, record: Record, attempt: int) -> None:
        """As `Care.mark`."""
        others = self._suspects if record.token == self._first else {}
        self._marked = _label(record.token, self._places[record.number], others)
        await self._write(Mark(position=self._marked, attempt=attempt))

    async def unmark(self) -> None:
        """As `Care.unmark`; so also when the lane is let go with nothing at the handler."""
        if self._marked is not None:
            await self._write(Mark(position=self._marked, attempt=0))
            self._marked = None


def _label(position: Position, place: int, suspects: Mapping[int, int]) -> Position:
    """Which record a mark means: one that shares its position with others by its place among them, `P#2`.

    What was tried of those before it, whose verdicts moved no position, goes on: `P#2,0x4` had 4 attempts at the first.
    """
    others = "".join(f",{other}x{attempts}" for other, attempts in sorted(suspects.items()) if other != place)
    return f"{position}#{place}{others}" if place or others else position


def _suspects(mark: Mark, position: Position) -> dict[int, int]:
    """The attempts that *mark* tells of records at *position*, by their places; of another position it tells none."""
    if not mark.position.startswith(position):
        return {}
    parts = re.fullmatch(r"(?:#(\d+))?((?:,\d+x\d+)*)", mark.position.removeprefix(position))
    if parts is None:
        return {}
    others = re.findall(r"(\d+)x(\d+)", parts[2])
    return {int(place): int(attempts) for place, attempts in [*others, (parts[1] or 0, mark.attempt)]}
