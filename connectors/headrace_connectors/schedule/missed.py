"""What becomes of occurrences that are due: which fire, and which are recorded as missed, with the reason. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

Policy: TypeAlias = Literal["latest", "all", "skip"]

Reason: TypeAlias = Literal["skip", "catchup_window", "max_catchup", "latest", "overlap", "state_lost"]
"""The setting by which an occurrence does not fire; or its store was lost with it."""

ON_TIME: Final = timedelta(seconds=60)
"""Up to this lateness an occurrence fires whatever the policy: AWS's own precision, and longer than a lease is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """The settings `missed`, `catchup_window` and `max_catchup` of a schedule.

    `always` is an at's: its only occurrence fires however late.
    """

    missed: Policy = "latest"
    window: timedelta = timedelta(hours=24)
    most: int = 100
    always: bool = False


@dataclass(frozen=True, slots=True)
class Missed:
    """Occurrences in a row that do not fire, for one reason."""

    first: datetime
    last: datetime
    count: int
    reason: Reason


@dataclass(slots=True)
class _Tally:
    """What is missed so far; occurrences are added in order."""

    runs: list[Missed] = field(default_factory=list)

    def add(self, at: datetime, reason: Reason) -> None:
        last = self.runs[-1] if self.runs else None
        if last is not None and last.reason == reason:
            self.runs[-1] = Missed(last.first, at, last.count + 1, reason)
        else:
            self.runs.append(Missed(at, at, 1, reason))


@dataclass(frozen=True, slots=True)
class Due:
    """Each occurrence is in one of the two: those that fire, ascending, and those that are missed, ascending."""

    fire: tuple[datetime, ...]
    missed: tuple[Missed, ...]


def decide(due: Iterable[datetime], now: datetime, settings: CatchUp) -> Due:
    """What becomes of *due*: all occurrences, ascending, that are not settled and not later than *now*.

    What is on time fires. Of what is late: `skip` fires none; `latest` the last one, unless something is on time, which
    then comes in its place; `all` the last `max_catchup`; none of them fires what is later than `catchup_window`.
    Memory is bounded by `max_catchup` and by what is on time, however long nothing ran.
    """
    if settings.always:
        return Due(tuple(due), ())
    missed, fire = _Tally(), deque[datetime]()
    room = settings.most if settings.missed == "all" else 1
    reason: Reason = "max_catchup" if settings.missed == "all" else "latest"
    on_time: list[datetime] = []
    for at in due:
        if now - at <= ON_TIME:
            on_time.append(at)
        elif settings.missed == "skip":
            missed.add(at, "skip")
        elif now - at > settings.window:
            missed.add(at, "catchup_window")
        else:
            fire.append(at)
            if len(fire) > room:
                missed.add(fire.popleft(), reason)
    if settings.missed == "latest" and on_time:
        for at in fire:
            missed.add(at, reason)
        fire.clear()
    return Due((*fire, *on_time), tuple(missed.runs))
