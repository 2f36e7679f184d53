"""The history of a service under faults: what was sent, what its handlers noted in files of their own, what that shows.

A handler notes each record as its call begins and as it ends, one JSON line a record, appended with one write a call:

    {"phase": "begun", "n": 17, "group": "g1", "id": "…", "rc": 1, "pid": 4711, "call": "…", "at": 123.45}

`phase` is begun, then done, or how it failed (listed in the answer, raised: any other word). `n` is the number that the
producer gave the record, growing within its group; `rc` counts deliveries, `call` is the request id; `at` is seconds of
any one clock that all processes and all faults are read by, the boot clock for choice. A process that is killed leaves
begun lines without an end.

`check` finds what is lost, made up, or repeated without a named cause; `headrace.testing.order` looks at the order.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Protocol, TypeAlias

UNCONFIRMED = 3.0
"""Seconds before a fault in which a record was handled and its delete may not have reached the source; generous."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One record handed to a handler once. `end` is done, how it failed, or "" when no line tells of an end."""

    number: int
    message_id: str
    count: int
    pid: int
    call: str
    begun: float
    group: str = ""
    lane: str = ""
    epoch: int = 0
    end: str = ""
    ended: float = math.inf


class Fate(StrEnum):
    """What an attempt means for its record."""

    SETTLED = "settled"
    RETURNS = "returns"
    UNKNOWN = "unknown"


Judge: TypeAlias = Callable[[Attempt], Fate]


def by_end(attempt: Attempt) -> Fate:
    """As the handler said: done is settled, anything else comes again."""
    if not attempt.end:
        return Fate.UNKNOWN
    return Fate.SETTLED if attempt.end == "done" else Fate.RETURNS


class Cause(Protocol):
    """Something that was done to the service on purpose, or that it reported."""

    @property
    def name(self) -> str: ...

    def explains(self, before: Attempt, after: Attempt) -> bool:
        """That *after* was begun although *before* had been, and was not known to have failed."""
        ...


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL: what was at the handler then, or was handled so shortly before that its delete was still on its way."""

    pid: int
    at: float
    name: str = "kill"

    def explains(self, before: Attempt, after: Attempt) -> bool:
        in_flight = before.begun <= self.at and self.at - before.ended < UNCONFIRMED
        return before.pid == self.pid and in_flight and after.begun > self.at


@dataclass(frozen=True, slots=True)
class Outage:
    """The server could not be reached: what was in hand then could be neither renewed nor deleted.

    Answers that were on their way come in when it ends, some of them too late.
    """

    begin: float
    end: float
    name: str = "outage"

    def explains(self, before: Attempt, after: Attempt) -> bool:
        in_hand = before.begun < self.end + UNCONFIRMED and before.ended > self.begin - UNCONFIRMED
        return in_hand and after.begun > self.begin


@dataclass(frozen=True, slots=True)
class Stopped:
    """SIGSTOP of one process: what had begun in it before, and was not known to be deleted, could not be renewed."""

    pid: int
    begin: float
    name: str = "begun before the stop"

    def explains(self, before: Attempt, after: Attempt) -> bool:
        across = before.pid == self.pid and before.begun < self.begin < before.ended + UNCONFIRMED
        return across and after.begun > self.begin - UNCONFIRMED


@dataclass(frozen=True, slots=True)
class Reported:
    """The service's log names the message: a delete that was refused or given up, a renewal that failed."""

    ids: frozenset[str]
    name: str

    def explains(self, before: Attempt, after: Attempt) -> bool:  # noqa: ARG002 - the protocol's
        return before.message_id in self.ids


@dataclass(slots=True)
class Findings:
    """What a history shows."""

    lost: set[int]
    strangers: set[int]
    unexplained: list[tuple[Attempt, Attempt]]
    causes: Counter[str]
    by_cause: dict[Cause, int] = field(default_factory=dict)
    done: int = 0
    accepted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accepted} accepted, {self.done} handled, lost {sorted(self.lost)[:10]}, unexplained "
            f"{len(self.unexplained)}, repeated {dict(self.causes)}"
        )


def attempts(lines: Iterable[str]) -> list[Attempt]:
    """Every attempt that *lines* tell of, by the time of its begin; those of one call as they stood in its event."""
    found: dict[tuple[str, str], Attempt] = {}
    for line in lines:
        one = json.loads(line)
        if one["phase"] == "begun":
            found[one["call"], one["id"]] = Attempt(
                number=one["n"],
                group=one.get("group", ""),
                lane=one.get("lane", ""),
                epoch=one.get("epoch", 0),
                message_id=one["id"],
                count=one["rc"],
                pid=one["pid"],
                call=one["call"],
                begun=one["at"],
            )
        else:
            attempt = found[one["call"], one["id"]]
            attempt.end, attempt.ended = one["phase"], one["at"]
    return sorted(found.values(), key=lambda attempt: attempt.begun)


def by_number(history: Iterable[Attempt]) -> dict[int, list[Attempt]]:
    """The attempts of each number, as they come in *history*."""
    grouped: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in history:
        grouped[attempt.number].append(attempt)
    return dict(grouped)


def explain(before: Attempt, after: Attempt, causes: Sequence[Cause]) -> Cause | None:
    """The first of *causes* for which *after* may have begun although *before* had."""
    return next((cause for cause in causes if cause.explains(before, after)), None)


def check(
    history: Iterable[Attempt],
    accepted: Collection[int],
    *,
    unsure: Collection[int] = (),
    dead: Collection[int] = (),
    causes: Sequence[Cause] = (),
    judge: Judge = by_end,
) -> Findings:
    """Compare what a producer sent with what was handled and what lies among the dead letters.

    *unsure* are numbers that may or may not have been taken. An attempt that failed explains the next one of its
    record; any other repeat needs one of *causes*, and one that was settled for good must have none.
    """
    numbers = by_number(history)
    done = {number for number, all_of_it in numbers.items() if any(judge(one) is Fate.SETTLED for one in all_of_it)}
    found = Findings(
        lost=set(accepted) - done - set(dead),
        strangers=(set(numbers) | set(dead)) - set(accepted) - set(unsure),
        unexplained=[],
        causes=Counter(),
        by_cause=dict.fromkeys(causes, 0),
        done=len(done),
        accepted=len(accepted),
    )
    for all_of_it in numbers.values():
        for before, after in pairwise(all_of_it):
            if judge(before) is Fate.RETURNS:
                found.causes["failed"] += 1
            elif cause := explain(before, after, causes):
                found.causes[cause.name] += 1
                found.by_cause[cause] += 1
            else:
                found.unexplained.append((before, after))
    return found
