"""What was read of a partition and waits for its time, or for its group. Pure.

Both kinds of shelf give out what is due, in the order in which it was read, and take back nothing by themselves.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from headrace.model import Record

MOST = 10_000
"""Records that wait at most; more is read when some of them have gone."""

RECEIVE = 10
"""Messages of one receive, and so of one batch, of a FIFO queue."""


class Shelf(Protocol):
    """Times are in Unix seconds."""

    @property
    def full(self) -> bool: ...

    def put(self, record: Record, due: float) -> None: ...

    def take(self, limit: int, now: float) -> list[Record]:
        """What is due, at most *limit*; nothing where none is."""
        ...

    def done(self, records: Sequence[Record]) -> None:
        """They were taken, and are settled or to be put back."""
        ...

    def next_due(self, now: float) -> float:
        """Seconds until time alone makes something due; infinite where it never will."""
        ...


class Unordered:
    """Of a standard queue."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Record]] = []

    @property
    def full(self) -> bool:
        return len(self._waiting) >= MOST

    def put(self, record: Record, due: float) -> None:
        heapq.heappush(self._waiting, (due, record.number, record))

    def take(self, limit: int, now: float) -> list[Record]:
        found: list[Record] = []
        while self._waiting and len(found) < limit and self._waiting[0][0] <= now:
            found.append(heapq.heappop(self._waiting)[2])
        return found

    def done(self, records: Sequence[Record]) -> None:
        """Nothing waits for them."""

    def next_due(self, now: float) -> float:
        return max(0.0, self._waiting[0][0] - now) if self._waiting else math.inf


class Grouped:
    """Of a FIFO queue: while some of a group is out, or waits to come again, no more of it is given out."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, float, Record]] = []
        self._out: Counter[str | None] = Counter()

    @property
    def full(self) -> bool:
        return len(self._waiting) >= MOST

    def put(self, record: Record, due: float) -> None:
        insort(self._waiting, (record.number, due, record), key=lambda entry: entry[0])

    def take(self, limit: int, now: float) -> list[Record]:
        found: list[Record] = []
        left: list[tuple[int, float, Record]] = []
        locked = {key for key, count in self._out.items() if count}
        for number, due, record in self._waiting:
            if record.key in locked or len(found) >= min(limit, RECEIVE) or due > now:
                locked.add(record.key)
                left.append((number, due, record))
            else:
                found.append(record)
        self._waiting = left
        self._out.update(record.key for record in found)
        return found

    def done(self, records: Sequence[Record]) -> None:
        self._out.subtract(record.key for record in records)

    def next_due(self, now: float) -> float:
        later = [due - now for _, due, _ in self._waiting if due > now]
        return min(later, default=math.inf)
