"""Which of a schedule's occurrences fire now, and which are missed, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from headrace_connectors.schedule import missed, spread
from headrace_connectors.schedule.at import At
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.missed import CatchUp, Missed
from headrace_connectors.schedule.overlap import begin
from headrace_connectors.schedule.remembered import Remembered
from headrace_connectors.schedule.timetable import Timetable

COUNTED: Final = 20_000
"""Occurrences that are looked at one by one, twice the most that fire; where there are more, the older ones are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of the occurrences that are due.

    Attributes:
        fire: those that fire, ascending.
        missed: those that do not, each run of them with the reason.
        remembered: what is known once those that fire are written.
        next: the first that is not due yet; None: there is none.
    """

    fire: Sequence[datetime]
    missed: Sequence[Missed]
    remembered: Remembered
    next: datetime | None


def decide(definition: Definition, known: Remembered, now: datetime, unfinished: int) -> Decided:
    """*unfinished*: its occurrences that fired and have not ended yet."""
    settings, timetable = definition.settings, definition.timetable(known.anchor)
    catch_up = CatchUp(
        missed=settings.missed,
        window=timedelta(seconds=settings.catchup_window),
        most=settings.max_catchup,
        always=isinstance(definition.expression, At),
    )
    since, too_old = _bounded(timetable, known.last, now, catch_up)
    due, following = _due(timetable, since, now)
    settled = missed.decide(due, now, catch_up)
    fire, beside = _beside(definition, settled.fire, unfinished)
    gone = [*too_old, *settled.missed, *beside]
    last = max([known.last, *due[-1:], *(run.last for run in gone)])
    return Decided(fire=fire, missed=gone, remembered=known.after(last, gone, fire), next=following)


def _bounded(timetable: Timetable, last: datetime, now: datetime, catch_up: CatchUp) -> tuple[datetime, list[Missed]]:
    """Where to look from, so that no search is longer for a long absence; and what lies before that, and is missed.

    What is looked at is halved until it is few: always more than fire.
    """
    since = last
    while not catch_up.always:
        few = list(takewhile(lambda at: at <= now, islice(timetable.occurrences(since), COUNTED)))
        if len(few) < COUNTED:
            break
        since = max(now - catch_up.window, since + (now - since) / 2)
        if since <= few[0]:
            break
    if since == last:
        return last, []
    first = next(timetable.occurrences(last))
    return since, [Missed(first, since, COUNTED, "catchup_window")]


def _due(timetable: Timetable, since: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """Those that are due, and the first that is not."""
    due: list[datetime] = []
    for at in timetable.occurrences(since):
        if at > now:
            return due, at
        due.append(at)
    return due, None


def _beside(
    definition: Definition, fire: Sequence[datetime], unfinished: int
) -> tuple[Sequence[datetime], Sequence[Missed]]:
    """Those that fire though the ones before have not ended, and those that do not."""
    if isinstance(definition.expression, At):  # it always fires
        return list(fire), []
    kept: list[datetime] = []
    for at in fire:
        open_ = unfinished + len(kept)
        if begin(definition.settings.overlap, running=min(open_, 1), waiting=max(open_ - 1, 0)) != "never":
            kept.append(at)
    gone = fire[len(kept) :]
    return kept, [Missed(gone[0], gone[-1], len(gone), "overlap")] if gone else []


def delay(definition: Definition, at: datetime) -> float:
    """Seconds after *at* at which it fires, within its window and jitter."""
    settings = definition.settings
    window, jitter = timedelta(seconds=settings.flexible_time_window.seconds), timedelta(seconds=settings.jitter)
    return spread.delay(definition.name, at, window=window, jitter=jitter).total_seconds()
