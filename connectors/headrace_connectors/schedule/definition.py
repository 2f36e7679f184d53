"""One schedule as it was defined: when it fires, and what then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Any, Final, TypeAlias
from zlib import crc32

from headrace.errors import ConfigError, Fault
from headrace.functions.context import ACCOUNT
from headrace.plugins import Opening
from headrace.region import region
from headrace.times import unix
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.event import arn
from headrace_connectors.schedule.expression import Expression, parse
from headrace_connectors.schedule.options import ScheduleSettings
from headrace_connectors.schedule.timetable import Timetable
from headrace_connectors.schedule.zones import zone

Parse: TypeAlias = Callable[[str, Dialect], Expression]

BUCKETS: Final = 64
"""Shards among which the schedules of a mapping are divided, by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """`name` is MAPPING, or MAPPING/NAME where a mapping has several; `arn` is what its events say that it is."""

    name: str
    settings: ScheduleSettings
    expression: Expression
    zone: tzinfo
    arn: str
    region: str

    def timetable(self, anchor: datetime) -> Timetable:
        """When it fires, first registered at *anchor*."""
        one = self.settings
        return Timetable(
            expression=self.expression,
            anchor=anchor,
            zone=self.zone,
            start=_instant(one.start_date),
            end=_instant(one.end_date),
        )

    @property
    def given(self) -> str | None:
        """Its input as JSON text, if it has one."""
        one = self.settings.input
        return one if one is None or isinstance(one, str) else json.dumps(one, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """Another one means that it fires at other times: it begins anew."""
        one = self.settings
        said = [one.schedule_expression, one.schedule_expression_timezone, one.dialect, one.start_date, one.end_date]
        return sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def bucket(self) -> str:
        return f"bucket-{crc32(self.name.encode()) % BUCKETS:02}"


def definitions(
    each: Mapping[str, tuple[str, ScheduleSettings]], opening: Opening, parse: Parse = parse
) -> dict[str, Definition]:
    """By name; *parse* is another where expressions are (a test's, with seconds).

    Raises:
        ConfigError: an expression or a zone means nothing; `path` is relative to the mapping.
    """
    where_we_are = region(opening.sections.values())
    return {name: _definition(name, where, one, where_we_are, parse) for name, (where, one) in each.items()}


def _definition(name: str, where: str, one: ScheduleSettings, region: str, parse: Parse) -> Definition:
    path = f"{where}.schedule_expression"
    try:
        expression = parse(one.schedule_expression or "", one.dialect)
    except ConfigError as error:
        raise ConfigError([_placed(fault, path) for fault in error.faults]) from None
    return Definition(
        name=name,
        settings=one,
        expression=expression,
        zone=zone(one.schedule_expression_timezone or "UTC", f"{where}.schedule_expression_timezone"),
        arn=arn(one.dialect, name, region=region, account=ACCOUNT),
        region=region,
    )


def _placed(fault: Fault, path: str) -> Fault:
    """A fault in an expression: its field and column go into the message."""
    said = ", ".join(part for part in (fault.place, fault.path) if part)
    return Fault(path, f"{said}: {fault.message}" if said else fault.message)


def _instant(moment: Any) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(unix(moment), UTC)
