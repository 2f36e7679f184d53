"""Queues of calls in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from headrace.calling import Kept
from headrace.calls import Waiting


@dataclass(slots=True)
class _Queue:
    """`waits` is sorted by due and id; `expires` has what is taken, by id; the counters are of groups."""

    kept: dict[str, Kept] = field(default_factory=dict)
    waits: list[tuple[float, str]] = field(default_factory=list)
    expires: dict[str, float] = field(default_factory=dict)
    all_of: Counter[str] = field(default_factory=Counter)
    taken_of: Counter[str] = field(default_factory=Counter)
    begun_of: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)

    def put(self, kept: Kept, now: float) -> None:
        id_, group = kept.call.id, kept.call.group
        self.drop(id_)
        self.kept[id_] = kept
        self.all_of[group] += 1
        if kept.owner is None:
            insort(self.waits, (kept.due, id_))
            self.begun_of[group] += kept.attempt > 0
        else:
            self.expires[id_] = now + kept.left
            self.taken_of[group] += 1

    def drop(self, id_: str) -> None:
        kept = self.kept.pop(id_, None)
        if kept is None:
            return
        _less(self.all_of, kept.call.group)
        if kept.owner is None:
            del self.waits[bisect_left(self.waits, (kept.due, id_))]
            self.begun_of[kept.call.group] -= kept.attempt > 0
        else:
            del self.expires[id_]
            _less(self.taken_of, kept.call.group)

    def seen(self, id_: str, now: float) -> Kept | None:
        kept = self.kept.get(id_)
        return replace(kept, left=self.expires[id_] - now) if kept and kept.owner is not None else kept

    def due(self, wall: float) -> int:
        """How many of those that wait are due."""
        return bisect_right(self.waits, wall, key=itemgetter(0))


def _less(counter: Counter[str], group: str) -> None:
    counter[group] -= 1
    if not counter[group]:
        del counter[group]


class MemoryCallRows:
    """`CallRows` but for the head; `now` and `wall` are set when a verb begins."""

    def __init__(self) -> None:
        self.now = self.wall = 0.0
        self._queues: defaultdict[str, _Queue] = defaultdict(_Queue)

    def call(self, mapping: str, id_: str) -> Kept | None:
        return self._queues[mapping].seen(id_, self.now)

    def due(self, mapping: str) -> Iterable[Kept]:
        queue = self._queues[mapping]
        for place in range(queue.due(self.wall)):
            yield queue.kept[queue.waits[place][1]]

    def expired(self, mapping: str) -> Sequence[Kept]:
        queue = self._queues[mapping]
        return [queue.kept[id_] for id_, expires in queue.expires.items() if expires <= self.now]

    def busy(self, mapping: str, group: str) -> bool:
        return group in self._queues[mapping].taken_of

    def begun(self, mapping: str, group: str) -> bool:
        return self._queues[mapping].begun_of[group] > 0

    def put_call(self, mapping: str, kept: Kept) -> None:
        self._queues[mapping].put(kept, self.now)

    def drop_call(self, mapping: str, id_: str) -> None:
        self._queues[mapping].drop(id_)

    def waiting(self, mapping: str) -> Waiting:
        queue = self._queues[mapping]
        taken = sum(expires > self.now for expires in queue.expires.values())
        due = queue.due(self.wall) + len(queue.expires) - taken
        return Waiting(due=due, later=len(queue.kept) - due - taken, taken=taken)

    def unfinished(self, mapping: str, group: str) -> int:
        return self._queues[mapping].all_of[group]

    def notes(self, mapping: str) -> Mapping[str, str]:
        return dict(self._queues[mapping].notes)

    def set_note(self, mapping: str, group: str, note: str) -> None:
        self._queues[mapping].notes[group] = note
