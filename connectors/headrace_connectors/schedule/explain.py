"""What is told of one timetable: its next occurrences, what changes of the clocks do to them, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby

from headrace_connectors.schedule.fields import YEAR
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.timetable import BEGINNING, Timetable, fires
from headrace_connectors.schedule.words import day
from headrace_connectors.schedule.zones import Change, Moment, change


@dataclass(frozen=True, slots=True)
class Row:
    """One occurrence, or local times in a row that clocks skip: these have no instant."""

    local: str
    at: datetime | None
    note: str = ""


def rows(timetable: Timetable, after: datetime, count: int) -> list[Row]:
    """The next *count* occurrences, with the local times before each of them that do not exist."""
    found: list[Row] = []
    skipped: list[Moment] = []
    for one in timetable.moments(after):
        if not fires(timetable.expression, one):
            skipped.append(one)
            continue
        found += [*_gaps(skipped, timetable.zone), _occurrence(one, timetable.zone)]
        skipped, count = [], count - 1
        if not count:
            break
    return found


def never(timetable: Timetable, after: datetime) -> str:
    """Why *timetable*, which has no occurrence after *after*, has none."""
    if next(timetable.moments(after), None) is not None:
        return f"never fires: after {utc(after)} clocks go forward over each local time that it names"
    if next(timetable.moments(BEGINNING), None) is not None:
        return f"never fires: all its times are before {utc(after)}"
    if isinstance(timetable.expression, Rate):
        end = None if timetable.end is None else f"its end date, {utc(timetable.end)}"
        return f"never fires: its first time comes after {end or f'the year {YEAR.high}'}"
    dated = timetable.start is not None or timetable.end is not None
    return f"never fires: no day up to the year {YEAR.high} is such a one{' between its dates' if dated else ''}"


def _occurrence(one: Moment, zone: tzinfo) -> Row:
    shown = one.at.astimezone(zone)
    note = ""
    if one.kind == "twice":
        note = f"comes twice, as {_clocks(change(one, zone))}: fires the first time"
    elif one.kind == "skipped":  # an at
        note = f"{one.wall:%H:%M:%S} does not exist, as {_clocks(change(one, zone))}: fires by the offset before"
    return Row(f"{day(shown)} {shown:%H:%M:%S} {shown.tzname()}", one.at, note)


def _gaps(skipped: Sequence[Moment], zone: tzinfo) -> Iterator[Row]:
    """One row for each change of the clocks that goes over some of them."""
    for gap, members in groupby(skipped, key=lambda one: change(one, zone)):
        first, *more = members
        local = f"{day(first.wall)} {first.wall:%H:%M:%S}"
        if more:
            yield Row(f"{local} to {more[-1].wall:%H:%M:%S}", None, f"{len(more) + 1} do not exist, as {_clocks(gap)}")
        else:
            yield Row(local, None, f"does not exist, as {_clocks(gap)}")


def _clocks(gap: Change) -> str:
    form = "%H:%M" if gap.before.date() == gap.behind.date() else "%Y-%m-%d %H:%M"
    return f"clocks go from {gap.before:{form}} to {gap.behind:{form}}"
