"""Whether a history of a sharded stream kept its promises: nothing lost, order by key, parents first, positions behind.

It is handed what was produced and what the handlers noted (`headrace.testing.history` says how), each from its own
files, and, where they are known, the writes that a ledger took. Numbers grow within a key; a record's place is its
shard and sequence number.

* **lost**: produced, and neither handled to the end nor given up.
* **repeat**: handled to the end, and begun again: explained when its call failed (in a sequence, what follows a failure
  comes again with it), when its lease was not let go of in order, by the name of what was done to it, or when an
  earlier record of its shard was not settled under that lease as it was let go of (several keys at a time: the position
  stays below the gap). Nothing else explains one. A store that was emptied may give an epoch out twice, to two
  processes.
* **overtaken**: begun while an earlier number of its key was not settled, and would still be.
* **early child**: begun before all of its shard's parents had every record settled.
* **gap**: a position that was committed above a record that was not settled.
* **behind**: begun although its shard's position was committed at or above it, with no seek between.
* **backward**: a position that was committed behind an earlier one, with no seek between.
* **stale**: a write that was taken under an epoch below one that had been given out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from headrace.testing.history import Attempt, Fate, Judge, by_end, by_number

INFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """One record as its producer knows it."""

    number: int
    key: str
    shard: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write that a ledger took, or a lease that it gave: `verb` is acquire, commit, release, end or seek.

    `position` is the sequence number of a commit; None where it is no record's.
    """

    at: float
    verb: str
    shard: str
    epoch: int
    position: int | None = None


@dataclass(slots=True)
class Lineage:
    """What a history shows: breaches by kind, each with the words that show it; repeats by cause."""

    breaches: list[tuple[str, str]] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    produced: int = 0
    settled: int = 0

    @property
    def holds(self) -> bool:
        return not self.breaches

    def __str__(self) -> str:
        kinds = Counter(kind for kind, _ in self.breaches)
        shown = "; ".join(f"{kind}: {words}" for kind, words in self.breaches[:5])
        return f"{self.produced} produced, {self.settled} settled, repeats {dict(self.repeats)}, {dict(kinds)} {shown}"


def check_stream(
    history: Sequence[Attempt],
    produced: Iterable[Produced],
    *,
    parents: Mapping[str, Collection[str]],
    given_up: Mapping[int, float] | None = None,
    broken: Mapping[tuple[str, int], str] | None = None,
    writes: Sequence[Write] = (),
    taken: Sequence[Write] | None = None,
    judge: Judge = by_end,
) -> Lineage:
    """Look for breaches.

    *parents* are those of each shard; *given_up* says when a destination took a record, or it was dropped; *broken*
    names what was done to each lease, by (shard, epoch), that was not let go of in order. *taken* are all writes, of a
    store that was emptied, of which *writes* can hold no more than those that do not go back: they explain repeats.
    """
    records = {one.number: one for one in produced}
    books = _Books(history, records, given_up or {}, judge)
    found = Lineage(produced=len(records), settled=len(books.settled_at))
    found.breaches += [("lost", str(number)) for number in sorted(records.keys() - books.settled_at.keys())]
    found.breaches += [("stranger", str(number)) for number in sorted(books.attempts.keys() - records.keys())]
    _repeats(books, broken or {}, writes if taken is None else taken, found)
    _order(books, found)
    _generations(books, parents, found)
    _positions(books, writes, found)
    _behind(books, writes, found)
    return found


class _Books:
    """What is known of each number: its attempts, and when it was settled first."""

    def __init__(
        self, history: Sequence[Attempt], records: Mapping[int, Produced], given_up: Mapping[int, float], judge: Judge
    ) -> None:
        self.history, self.records, self.judge = history, records, judge
        self.attempts = by_number(history)
        self.given_up = given_up
        self.settled_at: dict[int, float] = dict(given_up)
        for attempt in history:
            if judge(attempt) is Fate.SETTLED and attempt.number in records:
                known = self.settled_at.get(attempt.number, attempt.ended)
                self.settled_at[attempt.number] = min(known, attempt.ended)

    def settled_by(self, number: int, at: float) -> bool:
        return self.settled_at.get(number, INFINITE) <= at

    def settled_under(self, number: int, epoch: int | None, at: float) -> bool:
        """Given up, or handled to the end in that epoch of its shard (None: in any), by that time."""
        if epoch is None or number in self.given_up:
            return self.settled_by(number, at)
        return any(
            one.epoch == epoch and one.ended <= at and self.judge(one) is Fate.SETTLED
            for one in self.attempts.get(number, ())
        )


def _repeats(books: _Books, broken: Mapping[tuple[str, int], str], writes: Sequence[Write], found: Lineage) -> None:
    gaps = _gaps(books, writes)
    for number, record in books.records.items():
        for before, after in pairwise(books.attempts.get(number, ())):
            lease = (before.lane, before.epoch)
            cause = broken.get(lease)
            if books.judge(before) is Fate.RETURNS:
                found.repeats["failed"] += 1
            elif (before.pid, before.epoch) != (after.pid, after.epoch) and cause is not None:
                found.repeats[cause] += 1
            elif before.epoch != after.epoch and gaps.get(lease, INFINITE) < record.sequence:
                found.repeats["above a gap"] += 1
            else:
                found.breaches.append(("repeat", f"{number}: epoch {before.epoch}, then {after.epoch}"))


def _gaps(books: _Books, writes: Sequence[Write]) -> dict[tuple[str, int], float]:
    """By lease that was let go of: the lowest sequence number above its position which was not settled under it.

    Without any position in *writes*, one that was not settled at all.
    """
    commits = [(one.shard, one.at, one.position) for one in writes if one.position is not None]
    gaps = {}
    for write in writes:
        if write.verb == "release":
            reached = max((to for shard, at, to in commits if shard == write.shard and at <= write.at), default=-1)
            epoch = write.epoch if commits else None
            left = (
                one.sequence
                for one in books.records.values()
                if one.shard == write.shard
                and one.sequence > reached
                and not books.settled_under(one.number, epoch, write.at)
            )
            gaps[write.shard, write.epoch] = min(left, default=INFINITE)
    return gaps


def _order(books: _Books, found: Lineage) -> None:
    """Per key, whenever a number is begun, all below it are settled, or come before it in the same call."""
    keys: dict[str, list[int]] = defaultdict(list)
    for record in sorted(books.records.values(), key=lambda one: one.number):
        keys[record.key].append(record.number)
    calls: dict[str, set[int]] = defaultdict(set)
    for attempt in books.history:
        calls[attempt.call].add(attempt.number)
    for numbers in keys.values():
        for earlier, later in pairwise(numbers):
            for attempt in books.attempts.get(later, ()):
                if not books.settled_by(earlier, attempt.begun) and earlier not in calls[attempt.call]:
                    found.breaches.append(("overtaken", f"{earlier} by {later} in {attempt.lane}"))


def _generations(books: _Books, parents: Mapping[str, Collection[str]], found: Lineage) -> None:
    shards: dict[str, list[int]] = defaultdict(list)
    for record in books.records.values():
        shards[record.shard].append(record.number)
    begun: dict[str, float] = {}
    for attempt in books.history:
        shard = books.records[attempt.number].shard if attempt.number in books.records else ""
        begun[shard] = min(begun.get(shard, attempt.begun), attempt.begun)
    for shard, at in begun.items():
        for parent in parents.get(shard, ()):
            if late := [number for number in shards[parent] if not books.settled_by(number, at)]:
                found.breaches.append(("early child", f"{shard} before {late[:3]} of {parent}"))


def _positions(books: _Books, writes: Sequence[Write], found: Lineage) -> None:
    shards: dict[str, list[Produced]] = defaultdict(list)
    for record in sorted(books.records.values(), key=lambda one: one.sequence):
        shards[record.shard].append(record)
    epochs: dict[str, int] = {}
    reached: dict[str, int] = {}
    checked: Counter[str] = Counter()  # records of a shard that are known to be settled
    for write in sorted(writes, key=lambda one: one.at):
        if write.epoch < epochs.get(write.shard, 0):
            found.breaches.append(("stale", f"{write.verb} of {write.shard} under {write.epoch}"))
        epochs[write.shard] = max(epochs.get(write.shard, 0), write.epoch)
        if write.verb == "seek":
            reached.pop(write.shard, None)
        if write.position is None:
            continue
        if write.position < reached.get(write.shard, -1):
            found.breaches.append(("backward", f"{write.shard} to {write.position} from {reached[write.shard]}"))
        reached[write.shard] = write.position
        below = shards[write.shard]
        while checked[write.shard] < len(below) and below[checked[write.shard]].sequence <= write.position:
            record = below[checked[write.shard]]
            if not books.settled_by(record.number, write.at):
                found.breaches.append(("gap", f"{write.shard} at {write.position} above {record.number}"))
            checked[write.shard] += 1


def _behind(books: _Books, writes: Sequence[Write], found: Lineage) -> None:
    """Whatever befell a lease explains nothing here: a position is what outlives it."""
    shards: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in books.history:
        if attempt.number in books.records:
            shards[books.records[attempt.number].shard].append(attempt)
    reached: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for write in sorted(writes, key=lambda one: one.at):
        if write.verb == "seek":
            reached[write.shard].append((write.at, -1))
        elif write.position is not None:
            reached[write.shard].append((write.at, write.position))
    for shard, positions in reached.items():
        times = [at for at, _ in positions]
        for attempt in shards[shard]:
            index = bisect_left(times, attempt.begun) - 1
            if index >= 0 and books.records[attempt.number].sequence <= positions[index][1]:
                found.breaches.append(("behind", f"{attempt.number} in {shard} under {attempt.epoch}"))
