"""When one schedule fires: its expression in its zone, between its dates, one occurrence after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from headrace_connectors.schedule.at import At
from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.expression import Expression
from headrace_connectors.schedule.rate import EPOCH, LATEST
from headrace_connectors.schedule.zones import Moment, moment

INSTANT: Final = timedelta(microseconds=1)

BEGINNING: Final = EPOCH - timedelta(days=2)
"""Before the first occurrence that there can be, in every zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A pure value: it reads no clock.

    Attributes:
        expression: what was written.
        anchor: when the schedule was first registered; a rate without a start date counts from it.
        zone: of cron's and at's local times; a rate needs none.
        start, end: the first and the last instant at which it may fire; an at heeds neither, as on AWS.
    """

    expression: Expression
    anchor: datetime
    zone: tzinfo = UTC
    start: datetime | None = None
    end: datetime | None = None

    def occurrences(self, after: datetime) -> Iterator[datetime]:
        """The instants, in UTC and ascending, that are later than *after*. The iterator ends, within the year 2199."""
        return (one.at for one in self.moments(after) if fires(self.expression, one))

    def moments(self, after: datetime) -> Iterator[Moment]:
        """The same with their local times, and with the local times that a change of the clocks skips."""
        if isinstance(self.expression, At):
            found = moment(self.expression.wall, self.zone)
            return iter([found] if found.at > after else [])
        if self.start is not None:
            after = max(after, max(self.start, BEGINNING) - INSTANT)
        return self._until_end(self._from(self.expression, after))

    def _from(self, expression: Expression, after: datetime) -> Iterator[Moment]:
        after = min(max(after, BEGINNING), LATEST)
        if isinstance(expression, Cron):
            since = after.astimezone(self.zone).replace(tzinfo=None, second=0, microsecond=0)
            for wall in expression.walls(since):
                found = moment(wall, self.zone)
                if found.at > after:
                    yield found
        elif not isinstance(expression, At):
            for at in expression.instants(self.start or self.anchor, after):
                yield Moment(wall=at.astimezone(self.zone).replace(tzinfo=None), at=at, kind="once")

    def _until_end(self, moments: Iterator[Moment]) -> Iterator[Moment]:
        for one in moments:
            if self.end is None or one.at <= self.end:
                yield one
            elif one.kind != "skipped":  # what follows a skipped one may be earlier
                return


def fires(expression: Expression, one: Moment) -> bool:
    """A local time that does not exist is left out, but never the only one of an at."""
    return one.kind != "skipped" or isinstance(expression, At)
