"""A schedule that fires each tenth of a second: the rule of `headrace.testing`, as a user's own test has it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace.testing import Every
from headrace_connectors import SchedulePoller

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(rule: Every, count: int) -> list[float]:
    return [round((at - NOON).total_seconds(), 6) for at in islice(rule.instants(NOON, NOON), count)]


def test_it_fires_each_so_many_seconds_and_so_many_behind_them() -> None:
    """Mutation: the instant itself is later than itself; an anchor is counted from."""
    assert seconds(Every(0.1), 4) == [0.1, 0.2, 0.3, 0.4]
    assert seconds(Every(30, 0.1), 3) == [0.1, 30.1, 60.1]
    assert seconds(Every(30), 2) == [30, 60]
    late = next(Every(30).instants(NOON.replace(second=7), NOON))
    assert late == NOON.replace(second=30)


def test_it_is_read_from_an_expression() -> None:
    assert Every.read("every(0.1)") == Every(0.1)
    assert Every.read("every(30, 0.1)", "scheduler") == Every(30, 0.1)
    for text in ("every()", "each(1)", "every(1.2.3)", "every(0)", "every(0.0001)"):
        with pytest.raises(ConfigError):
            Every.read(text)


async def test_a_poller_takes_it_in_the_place_of_what_expressions_mean() -> None:
    """Mutation: the check reads the expression as AWS does; a rule that only the source knows."""
    times: list[datetime] = []

    async def handler(event: dict[str, Any], _: Any) -> None:
        times.append(datetime.fromisoformat(event["at"]))

    async def fires(**arguments: Any) -> None:
        times.clear()
        given = {"at": "<aws.scheduler.scheduled-time>"}
        async with SchedulePoller(name="m", handler=handler, state="memory:", input=given, **arguments) as poller:
            running = asyncio.ensure_future(poller.run())
            async with asyncio.timeout(30):
                while [*Counter(times).values()].count(10) < 2:
                    await asyncio.sleep(0.05)
            poller.stop()
            await running
        assert max(Counter(times).values()) == 10, "told in whole seconds"

    await fires(schedule_expression="cron(0 18 * * ? *)", parse=lambda *_: Every(0.1))
    await fires(schedules={"a": {"schedule_expression": "every(0.1)"}}, parse=Every.read)
    with pytest.raises(ConfigError, match=r"schedule_expression: .*is not as every\(0.1\)"):
        SchedulePoller(name="m", handler=handler, schedule_expression="cron(0 18 * * ? *)", parse=Every.read)
