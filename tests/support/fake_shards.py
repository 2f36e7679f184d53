"""A shard of the fakes: entries by increasing sequence number, trimmed from the front, closed at the end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record: `body` is what an answer says of it, `nbytes` what it counts against a page, `at` Unix seconds."""

    number: int
    at: float
    nbytes: int
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class Shard:
    """Entries are addressed by their index since the shard began, so that an index outlives trimming.

    Attributes:
        number: the shard's own sequence number, below all of its records'.
        trimmed: how many entries are gone from the front; `horizon`: the number of the last of them.
        ending: the last number that it may hold, and `closed`: when it was closed; None while it is open.
        low, high: its range of hash keys, both included.
    """

    name: str
    number: int
    created: float
    parents: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    entries: list[Entry] = field(default_factory=list)
    trimmed: int = 0
    horizon: int = 0
    ending: int | None = None
    closed: float | None = None
    children: list[Shard] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The index behind the last entry."""
        return self.trimmed + len(self.entries)

    def close(self, number: int, at: float) -> None:
        self.ending, self.closed = number, at

    def holds(self, number: int) -> bool:
        """Whether *number* can be one of this shard's, trimmed or not."""
        return self.number <= number <= (self.ending if self.ending is not None else number)

    def at_number(self, number: int) -> int:
        """The index of the first kept entry of this number or above."""
        return self.trimmed + bisect_left(self.entries, number, key=lambda entry: entry.number)

    def after_number(self, number: int) -> int:
        return self.trimmed + bisect_right(self.entries, number, key=lambda entry: entry.number)

    def at_time(self, time: float) -> int:
        """The index of the first kept entry that arrived at *time* or later."""
        return self.trimmed + bisect_left(self.entries, time, key=lambda entry: entry.at)

    def page(self, index: int, limit: int, nbytes: int) -> list[Entry]:
        """At most *limit* entries of together at most *nbytes*, from *index*; one, however large, if there is one."""
        page: list[Entry] = []
        room = nbytes
        for entry in self.entries[index - self.trimmed : index - self.trimmed + limit]:
            room -= entry.nbytes
            if page and room < 0:
                break
            page.append(entry)
        return page

    def trim(self, index: int) -> None:
        """Forget every entry before *index*."""
        gone = self.entries[: max(index - self.trimmed, 0)]
        if gone:
            self.horizon = gone[-1].number
            del self.entries[: len(gone)]
            self.trimmed += len(gone)

    def outlived(self, since: float) -> bool:
        """Whether it was closed before *since*, and so has lost all: its stream no longer lists it."""
        return self.closed is not None and self.closed < since
