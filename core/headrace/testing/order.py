"""Whether a history kept order per group, and settled exactly what it should: for queues that lock groups, as SQS FIFO.

A **turn** is what one call got of one group. A group is in order when all of this holds:

* no turn **overtakes**: when a turn begins with number n, each number of its group below n is part of the turn, or has
  been settled by an attempt that had ended by then, or is a dead letter that is never begun again;
* nothing comes again **behind**: a number that a later turn has gone past (there was a turn with a higher number and
  without it) is not begun any more;
* no two turns **overlap**: the next begins after the handler of the one before has really ended, its time-out
  notwithstanding;
* no attempt is **stale**: of one record, each is begun with a higher count of deliveries than the one before;
* no turn is **jumbled**: its numbers rise.

So order is that of attempts *begun*, and that of one turn is its event's. What settles a number is the rule of the
mapping (`fates`): what an answer lists comes again and must; what it does not list must not, whatever stands before it
in its group ("aws"), or comes again with it ("strict").

A fault excuses overlaps and repeats, by its name: an attempt begun before a SIGSTOP of its process and running across
it, or at the handler at a SIGKILL. Nothing excuses the rest: a locked group keeps its order through any fault.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from headrace.testing.history import Attempt, Cause, Fate, Findings, Judge, check, explain


@dataclass(frozen=True, slots=True)
class Turn:
    """What one call got of one group, in the order of its event."""

    group: str
    attempts: tuple[Attempt, ...]

    @property
    def numbers(self) -> list[int]:
        return [attempt.number for attempt in self.attempts]

    @property
    def begun(self) -> float:
        return min(attempt.begun for attempt in self.attempts)

    @property
    def ended(self) -> float:
        return max(attempt.ended for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Disorder:
    """One breach: its kind (overtaken, behind, overlap, stale, jumbled), and the attempts that show it."""

    kind: str
    group: str
    number: int
    shown_by: tuple[Attempt, ...]


@dataclass(slots=True)
class Order:
    """What a history shows, order included. `excused` counts overlaps by the name of their cause."""

    found: Findings
    disorder: list[Disorder] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    turns: int = 0

    def __str__(self) -> str:
        kinds = sorted({one.kind for one in self.disorder})
        return f"{self.found}, {self.turns} turns, disorder {len(self.disorder)} {kinds}, overlaps {dict(self.excused)}"

    @property
    def holds(self) -> bool:
        return not (self.found.lost or self.found.strangers or self.found.unexplained or self.disorder)


def turns(history: Iterable[Attempt]) -> list[Turn]:
    """The turns of every group, by the time of their begin."""
    shares: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in history:
        shares[attempt.group, attempt.call].append(attempt)
    return sorted((Turn(group, tuple(share)) for (group, _), share in shares.items()), key=lambda turn: turn.begun)


def fates(history: Iterable[Attempt], *, strict: bool, timeout: float) -> Judge:
    """What each attempt means for its record, as a function of the attempt.

    A call that took longer than *timeout* seconds failed, whatever its handler noted in the end; else what it noted
    done is settled, with *strict* only before the first failure of its turn.
    """
    spoiled: set[tuple[str, str]] = set()
    for turn in turns(history) if strict else ():
        failed = False
        for one in turn.attempts:
            failed = failed or one.end not in ("done", "")
            if failed:
                spoiled.add((one.call, one.message_id))

    def judge(attempt: Attempt) -> Fate:
        if not attempt.end:
            return Fate.UNKNOWN
        late = attempt.ended - attempt.begun > timeout
        if attempt.end != "done" or late or (attempt.call, attempt.message_id) in spoiled:
            return Fate.RETURNS
        return Fate.SETTLED

    return judge


def check_order(
    history: Sequence[Attempt],
    sent: Mapping[str, Sequence[int]],
    *,
    strict: bool,
    timeout: float,
    dead: Collection[int] = (),
    causes: Sequence[Cause] = (),
) -> Order:
    """Compare *history* with what was sent, and look at the order of every group.

    *sent*: the numbers of each group as its queue took them, rising; no number in two groups. *timeout*: seconds that a
    call may take. See `history.check` for the rest.
    """
    judge = fates(history, strict=strict, timeout=timeout)
    accepted = [number for numbers in sent.values() for number in numbers]
    order = Order(check(history, accepted, dead=dead, causes=causes, judge=judge))
    by_group: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns(history):
        by_group[turn.group].append(turn)
    for group, its_turns in by_group.items():
        order.turns += len(its_turns)
        order.disorder += _follow(its_turns, sent.get(group, ()), judge, dead)
        order.disorder += _overlaps(its_turns, causes, order.excused)
    return order


@dataclass(slots=True)
class _Walk:
    """One group's turns, one after the other; each number is gone past once."""

    settled: Mapping[int, float]
    dead: Collection[int]
    ahead: list[int]
    """Numbers that no turn has reached, the lowest last."""
    waiting: list[int] = field(default_factory=list)
    passed: set[int] = field(default_factory=set)
    last: dict[int, Attempt] = field(default_factory=dict)

    def go(self, turn: Turn) -> Iterator[Disorder]:
        numbers = turn.numbers
        if any(one >= two for one, two in pairwise(numbers)):
            yield Disorder("jumbled", turn.group, numbers[0], turn.attempts)
        for number in self._go_past(numbers):
            if number not in self.dead and self.settled.get(number, math.inf) > turn.begun:
                yield Disorder("overtaken", turn.group, number, (*self._before(number), turn.attempts[-1]))
        for one in turn.attempts:
            before = self._before(one.number)
            if one.number in self.passed:
                yield Disorder("behind", turn.group, one.number, (*before, one))
            if before and one.count <= before[0].count:
                yield Disorder("stale", turn.group, one.number, (*before, one))
            self.last[one.number] = one

    def _go_past(self, numbers: Sequence[int]) -> list[int]:
        highest = max(numbers)
        while self.ahead and self.ahead[-1] <= highest:
            self.waiting.append(self.ahead.pop())
        past = [number for number in self.waiting if number < highest and number not in numbers]
        self.waiting = [number for number in self.waiting if number not in past]
        self.passed.update(past)
        return past

    def _before(self, number: int) -> tuple[Attempt, ...]:
        return (self.last[number],) if number in self.last else ()


def _follow(its_turns: Sequence[Turn], sent: Sequence[int], judge: Judge, dead: Collection[int]) -> Iterator[Disorder]:
    """Overtaken, behind, stale, jumbled."""
    settled: dict[int, float] = {}
    for one in (one for turn in its_turns for one in turn.attempts if judge(one) is Fate.SETTLED):
        settled[one.number] = min(one.ended, settled.get(one.number, one.ended))
    walk = _Walk(settled, dead, list(reversed(sent)))
    for turn in its_turns:
        yield from walk.go(turn)


def _overlaps(its_turns: Sequence[Turn], causes: Sequence[Cause], excused: Counter[str]) -> Iterator[Disorder]:
    """Every turn that began beside another; each that is excused is counted once, and forgotten."""
    running: list[Turn] = []
    for turn in its_turns:
        beside, running = [other for other in running if other.ended > turn.begun], []
        for other in beside:
            if cause := next(filter(None, (explain(one, turn.attempts[0], causes) for one in other.attempts)), None):
                excused[cause.name] += 1
                continue
            running.append(other)
            yield Disorder("overlap", turn.group, turn.numbers[0], (other.attempts[-1], turn.attempts[0]))
        running.append(turn)
