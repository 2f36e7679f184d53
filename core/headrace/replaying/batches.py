"""Records of one lane put together as letters: up to a size, and as they were once they were begun. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from headrace.batcher import EVENT_BYTES
from headrace.letters import NoLetter
from headrace.model import Keep, Record, Unreadable


class Spot(NamedTuple):
    """A record's place in its lane: its position, and how many before it have the same."""

    position: int
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.position}.{self.nth}" if self.nth else str(self.position)


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last record of a letter; its text is the letter's name."""

    lane: str
    first: Spot
    last: Spot

    def __str__(self) -> str:
        return f"{self.lane}:{self.first}-{self.last}"

    @classmethod
    def read(cls, name: str) -> Self | None:
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        first, first_nth, last, last_nth = (int(one or 0) for one in found.groups()[1:])
        return cls(found[1], Spot(first, first_nth), Spot(last, last_nth))


_NAME: Final = re.compile(r"(.*):([0-9]+)(?:\.([0-9]+))?-([0-9]+)(?:\.([0-9]+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Batch:
    """A letter's name, and its records; the first is one that nothing can show, if any is."""

    name: str
    records: Sequence[Record]


class Batches:
    """Of the records of *lane* that are *taken*, in their order: *size* of them, or as many as an event may hold.

    *begun* are the names of letters that were made before: they keep their bounds, whatever is not there any more
    before them or comes behind them now, so that none is handled again under another name. What no event can show, or
    *taken* cannot judge (NoLetter), is a letter of its own; in one that was begun before, that is the whole letter.
    """

    def __init__(self, lane: str, size: int, taken: Keep, begun: Iterable[str]) -> None:
        self._lane, self._size, self._taken = lane, size, taken
        spans = (Span.read(name) for name in begun)
        self._begun = deque(sorted((one for one in spans if one and one.lane == lane), key=lambda one: one.first))
        self._spot = Spot(-1)
        self._start()

    def _start(self) -> None:
        self._records: list[Record] = []
        self._nbytes = 0
        self._first = self._last = Spot(-1)
        self._span: Span | None = None  # that was begun before, and has the records

    def add(self, record: Record) -> Sequence[Batch]:
        """The letters that are whole now."""
        position = int(record.token)
        self._spot = spot = Spot(position, self._spot.nth + 1 if self._spot.position == position else 0)
        try:
            if not self._taken(record):
                return ()
        except NoLetter as why:
            record = Unreadable(
                record.id, str(why), None, at=record.at, size=record.size, key=record.key, token=record.token
            )
        whole: list[Batch] = []
        span = self._span_of(spot)
        alone = isinstance(record, Unreadable) and span is None
        if span != self._span or alone or self._nbytes + record.size > EVENT_BYTES:
            whole += self.rest()
        if not self._records:
            self._first, self._span = spot, span
        self._records.insert(0 if isinstance(record, Unreadable) else len(self._records), record)
        self._nbytes, self._last = self._nbytes + record.size, spot
        if alone or (span is None and len(self._records) == self._size):
            whole += self.rest()
        return whole

    def rest(self) -> Sequence[Batch]:
        """What is at hand, as a letter; none where there is nothing."""
        if not self._records:
            return ()
        name = str(self._span or Span(self._lane, self._first, self._last))
        batch = Batch(name, self._records)
        self._start()
        return (batch,)

    def _span_of(self, spot: Spot) -> Span | None:
        while self._begun and self._begun[0].last < spot:
            self._begun.popleft()
        return self._begun[0] if self._begun and self._begun[0].first <= spot else None
