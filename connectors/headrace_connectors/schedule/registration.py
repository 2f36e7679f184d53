"""The one line that the catalog needs of schedules."""

from __future__ import annotations

from headrace.invocations import TRAITS
from headrace.plugins import Connector, Opening, Probe
from headrace_connectors.schedule.checking import DEFAULTS, REFUSES, check, warn
from headrace_connectors.schedule.options import ScheduleOptions
from headrace_connectors.schedule.shown import rows
from headrace_connectors.schedule.source import ScheduleSource


async def probe(_: Opening) -> Probe:
    """Nobody is to be asked."""
    return Probe()


schedule = Connector(
    type="schedule",
    summary="Schedules as EventBridge knows them: cron, rate and at; each occurrence once across replicas.",
    options=ScheduleOptions,
    traits=TRAITS,
    open=ScheduleSource,
    probe=probe,
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    unseekable="a schedule has no positions to go back to: to run its function now, use headrace invoke",
    in_ledger=True,
    asynchronous=True,
    remembers=rows,
)
