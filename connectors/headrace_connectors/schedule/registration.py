"""The one line that the catalog needs of schedules."""

from __future__ import annotations

from functools import partial

from headrace.invocations import TRAITS
from headrace.masking import WHOLE
from headrace.plugins import Connector, Opening, Probe
from headrace_connectors.schedule.checking import DEFAULTS, REFUSES, check, warn
from headrace_connectors.schedule.definition import Parse
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.options import ScheduleOptions
from headrace_connectors.schedule.shown import rows
from headrace_connectors.schedule.source import ScheduleSource


async def probe(_: Opening) -> Probe:
    """Nobody is to be asked."""
    return Probe()


def read_by(parse: Parse) -> Connector:
    """The connector whose expressions *parse* reads."""
    return Connector(
        type="schedule",
        summary="Schedules as EventBridge knows them: cron, rate and at; each occurrence once across replicas.",
        options=ScheduleOptions,
        traits=TRAITS,
        open=partial(ScheduleSource, parse=parse),
        probe=probe,
        defaults=DEFAULTS,
        refuses=REFUSES,
        check=partial(check, parse=parse),
        warn=partial(warn, parse=parse),
        unseekable="a schedule has no positions to go back to: to run its function now, use headrace invoke",
        in_ledger=True,
        asynchronous=True,
        remembers=partial(rows, parse=parse),
        masking=WHOLE,
    )


schedule = read_by(parse)
