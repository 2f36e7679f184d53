"""A catalog with one connector, `ticks`: schedules that fire each so many seconds, at tenths of them. For tests.

`source: {type: ticks, schedules: {NAME: {schedule_expression: "30 0.1"}}}`: each 30 s, a tenth of a second past. The
rest is the schedule source's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from headrace.plugins import Catalog
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.registration import schedule
from headrace_connectors.schedule.source import ScheduleSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks(Rate):
    """Each *period* seconds of Unix time, *offset* seconds past."""

    period: float
    offset: float

    def instants(self, anchor: datetime, after: datetime) -> Iterator[datetime]:
        number = int((after.timestamp() - self.offset) // self.period)
        while True:
            instant = datetime.fromtimestamp(number * self.period + self.offset, UTC)
            if instant > after:
                yield instant
            number += 1


def ticks(text: str, _: Dialect) -> Ticks:
    period, offset = map(float, text.split())
    return Ticks(value=1, unit="minute", at_once=False, period=period, offset=offset)


connector = replace(
    schedule,
    type="ticks",
    open=partial(ScheduleSource, parse=ticks),
    check=lambda _: (),
    warn=lambda _: (),
    remembers=None,
)

catalog = Catalog(connectors=[connector])


def install(folder: Path) -> None:
    """Make *folder* an import path on which this catalog is an installed package."""
    info = folder / "headrace_ticks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace-ticks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headrace.catalogs]\nticks = support.ticks:catalog\n")
