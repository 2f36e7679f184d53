"""What is wrong or dangerous in a schedule source, and what else of a mapping it refuses. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from headrace.errors import ConfigError, Fault
from headrace.plugins import Opening
from headrace.times import unix
from headrace_connectors.schedule.definition import Definition, Parse, definitions
from headrace_connectors.schedule.explain import never
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.options import ScheduleOptions, ScheduleSettings
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.tokens import checked

LAMBDAS_AGE: Final = 21600
"""Seconds that Lambda keeps trying an asynchronous invocation: six hours."""

DEFAULTS: Mapping[str, object] = {
    "batch_size": 1,
    "maximum_batching_window_in_seconds": 0,
    "maximum_retry_attempts": 2,
    "maximum_record_age_in_seconds": LAMBDAS_AGE,
    "retry_backoff": {"initial": 60, "maximum": 300},
}
"""Lambda's for asynchronous invocations (lambda-semantics 8): two retries, a minute and then two minutes later."""

_ALONE = "a schedule invokes its function for one occurrence at a time; take it out"
_QUEUE = "occurrences are invocations of their own, in no order; take it out"
REFUSES: Mapping[str, str] = {
    "maximum_batching_window_in_seconds": _ALONE,
    "function_response_types": _ALONE,
    "response_mode": _ALONE,
    "parallelization_factor": f"{_QUEUE}, or set scaling_config.maximum_concurrency",
    "bisect_batch_on_function_error": _ALONE,
    "tumbling_window_in_seconds": _ALONE,
    "starting_position": "a schedule begins when it is first run; what comes of a missed occurrence: source.missed",
    "starting_position_timestamp": "a schedule begins when it is first run; source.start_date says when it may fire",
    "on_missing_positions": "nobody can say where a schedule is to go on: a store without it begins anew, and says so",
    "failure_payload": "the record of an invocation always has its event",
    "idempotency": "an occurrence is queued once, and its event's id is the same at every attempt; take it out",
}

NAME: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
"""EventBridge Scheduler's names."""


def check(opening: Opening, parse: Parse = parse) -> Iterator[Fault]:
    """Every fault of every schedule; expressions are read by *parse*."""
    options: ScheduleOptions = opening.options
    if opening.settings.batch_size != 1:
        yield Fault("batch_size", _ALONE)
    if options.schedules and options.schedule_expression is not None:
        yield Fault("source.schedule_expression", "stands beside schedules: write it in one of them, or take them out")
        return
    for name in options.schedules:
        if not NAME.fullmatch(name):
            yield Fault(f"source.schedules.{name}", "a name has 1 to 64 letters, digits, - _ .")
    for name, (where, one) in options.each(opening.mapping).items():
        yield from _check(name, where, one, opening, parse)


def _check(name: str, where: str, one: ScheduleSettings, opening: Opening, parse: Parse) -> Iterator[Fault]:
    if one.schedule_expression is None:
        yield Fault(f"{where}.schedule_expression", "is required: cron(…), rate(…) or at(…)")
        return
    yield from _of_dialect(where, one)
    if one.start_date and one.end_date and unix(one.start_date) > unix(one.end_date):
        yield Fault(f"{where}.end_date", "is before start_date")
    try:
        definition = definitions({name: (where, one)}, opening, parse)[name]
    except ConfigError as error:
        yield from error.faults
        return
    if isinstance(definition.expression, Rate) and opening.state == "memory:":
        why = "a rate counts from when it was first run, which service.state: memory: forgets: it would fire anew at"
        yield Fault(f"{where}.schedule_expression", f"{why} each start; use sqlite: or redis://, or cron(…)")
    try:
        _strange_tokens(where, definition)
    except ConfigError as error:
        yield from error.faults


def _of_dialect(where: str, one: ScheduleSettings) -> Iterator[Fault]:
    """What a rule has not."""
    if one.dialect == "rule":
        for key in ("schedule_expression_timezone", "start_date", "end_date"):
            if getattr(one, key) is not None:
                yield Fault(f"{where}.{key}", "is of the dialect scheduler: a rule is in UTC and has no dates")
        if one.flexible_time_window.mode == "FLEXIBLE":
            yield Fault(f"{where}.flexible_time_window", "is of the dialect scheduler; jitter does the same here")


def _strange_tokens(where: str, definition: Definition) -> Sequence[Fault]:
    """Warnings of what looks like a token of Scheduler's and is none.

    Raises:
        ConfigError: the input is no JSON.
    """
    given, path = definition.given, f"{where}.input"
    if given is None:
        return []
    if definition.settings.dialect == "scheduler":
        return checked(given, path)
    try:
        json.loads(given)
    except ValueError as error:
        raise ConfigError([Fault(path, f"must be JSON: {error}")]) from None
    return []


def warn(opening: Opening, parse: Parse = parse) -> Iterator[Fault]:
    """Legal, but it never fires, or has an input that is not what it seems."""
    for where, definition in _legal(opening, parse):
        with suppress(ConfigError):
            yield from _strange_tokens(where, definition)
        now = datetime.fromtimestamp(opening.clock.wall(), UTC)
        timetable = definition.timetable(now)
        if next(timetable.occurrences(now), None) is None:
            yield Fault(f"{where}.schedule_expression", never(timetable, now))


def _legal(opening: Opening, parse: Parse) -> Iterator[tuple[str, Definition]]:
    options: ScheduleOptions = opening.options
    for name, (where, one) in options.each(opening.mapping).items():
        try:
            yield where, definitions({name: (where, one)}, opening, parse)[name]
        except ConfigError:
            continue
