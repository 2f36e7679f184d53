"""Schedules for programs: the connector as a poller object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from headrace.functions.invocation import Handler
from headrace.ledger import Ledger
from headrace.poller import Poller
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.schedule.definition import Parse
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.registration import read_by


class SchedulePollerOptions(TypedDict, total=False):
    """A mapping's settings that a schedule takes; same names, types and defaults as in the config file."""

    scaling_config: dict[str, int]
    retry_backoff: dict[str, float]
    maximum_retry_attempts: int
    maximum_record_age_in_seconds: int
    destination_config: dict[str, Any]


class SchedulePoller(Poller):
    """Hands over each occurrence of a schedule once, whichever of several processes with the same *state* does it.

    ```python
    async with SchedulePoller(schedule_expression="rate(5 minutes)", handler=handler, name="sweep") as poller:
        await poller.run()
    ```

    Arguments are those of `source: {type: schedule}` and of a mapping in the config file. *name* is the schedule's, and
    the key of what is remembered of it; *schedules* are several, as MAPPING/NAME. *state* is where that is kept.
    *parse* reads expressions in AWS's place: a test gives it a `headrace.testing.Every`, which fires more often.
    """

    def __init__(
        self,
        *,
        handler: Handler,
        name: str,
        schedule_expression: str | None = None,
        schedule_expression_timezone: str | None = None,
        dialect: Dialect | None = None,
        start_date: str | float | datetime | None = None,
        end_date: str | float | datetime | None = None,
        flexible_time_window: Mapping[str, Any] | None = None,
        input: Any = None,  # noqa: A002 - EventBridge Scheduler's word
        missed: Literal["latest", "all", "skip"] | None = None,
        catchup_window: float | None = None,
        max_catchup: int | None = None,
        overlap: Literal["allow", "skip", "buffer_one"] | None = None,
        jitter: float | None = None,
        schedules: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float = 30,
        drain_timeout: float = 30,
        state: str | Ledger | None = None,
        region: str | None = None,
        parse: Parse = parse,
        **settings: Unpack[SchedulePollerOptions],
    ) -> None:
        arguments = {
            "schedule_expression": schedule_expression,
            "schedule_expression_timezone": schedule_expression_timezone,
            "dialect": dialect,
            "start_date": start_date,
            "end_date": end_date,
            "flexible_time_window": flexible_time_window,
            "input": input,
            "missed": missed,
            "catchup_window": catchup_window,
            "max_catchup": max_catchup,
            "overlap": overlap,
            "jitter": jitter,
            "schedules": schedules,
            **settings,
        }
        super().__init__(
            read_by(parse),
            handler,
            arguments,
            name=name,
            timeout=timeout,
            drain_timeout=drain_timeout,
            state=state,
            catalog=catalog,
            sections={"aws": AwsSettings.model_construct(region=region, endpoint_url=None, role_arn=None)},
        )
