"""Verdicts in memory."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field, replace

from headrace.remembering import Entry


@dataclass(slots=True)
class _Remembered:
    """`ends` has, by whether it is done, when each entry expires by the clock of its kind; gone ones stay in it."""

    entries: dict[str, tuple[Entry, float]] = field(default_factory=dict)
    ends: dict[bool, list[tuple[float, str]]] = field(default_factory=lambda: {True: [], False: []})


class MemoryVerdictRows:
    """`VerdictRows`; `now` and `wall` are set when a verb begins."""

    now: float
    wall: float

    def __init__(self) -> None:
        self._remembered: defaultdict[str, _Remembered] = defaultdict(_Remembered)

    def _clock(self, *, done: bool) -> float:
        return self.wall if done else self.now

    def entry(self, mapping: str, key: str) -> Entry | None:
        found = self._remembered[mapping].entries.get(key)
        return found and replace(found[0], left=found[1] - self._clock(done=found[0].done))

    def put_entry(self, mapping: str, key: str, entry: Entry) -> None:
        remembered, ends = self._remembered[mapping], self._clock(done=entry.done) + entry.left
        remembered.entries[key] = entry, ends
        heapq.heappush(remembered.ends[entry.done], (ends, key))

    def drop_entry(self, mapping: str, key: str) -> None:
        del self._remembered[mapping].entries[key]

    def forget_entries(self, mapping: str, limit: int) -> None:
        remembered = self._remembered[mapping]
        for done, heap in remembered.ends.items():
            clock = self._clock(done=done)
            for _ in range(limit):
                if not heap or heap[0][0] > clock:
                    break
                ends, key = heapq.heappop(heap)
                entry, last = remembered.entries.get(key, (None, 0.0))
                if entry is not None and (entry.done, last) == (done, ends):
                    del remembered.entries[key]
