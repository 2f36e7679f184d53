"""What a program gives a poller: Python's own times work, and what no config file could hold is told as a fault."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace_connectors import KinesisPoller, SchedulePoller, SqsPoller

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT_NOON = {"handler": print, "name": "x", "schedule_expression": "cron(0 12 * * ? *)"}
STREAM = {"handler": print, "name": "x", "stream": "arn:aws:kinesis:eu-central-1:000000000000:stream/s"}


def told(poller: Any, **arguments: Any) -> dict[str, str]:
    """The faults, by path."""
    with pytest.raises(ConfigError) as caught:
        poller(**arguments)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_a_time_may_be_a_datetime() -> None:
    """As in a file its text. Mutation: a TypeError of json."""
    SchedulePoller(**AT_NOON, start_date=NOON, end_date=date(2027, 1, 1))  # type: ignore[arg-type]
    SchedulePoller(handler=print, name="x", schedules={"a": {"schedule_expression": "rate(1 hour)", "end_date": NOON}})
    KinesisPoller(**STREAM, starting_position="AT_TIMESTAMP", starting_position_timestamp=NOON)  # type: ignore[arg-type]
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert told(SchedulePoller, **AT_NOON, start_date=NOON, end_date=east - timedelta(seconds=1)) == {
        "end_date": "is before start_date"
    }


def test_one_without_a_zone_names_no_time() -> None:
    """Mutation: it is read as UTC, or by the machine's zone."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - as meant
    said = told(KinesisPoller, **STREAM, starting_position="AT_TIMESTAMP", starting_position_timestamp=naive)
    assert list(said) == ["starting_position_timestamp"]
    assert "has no time zone" in said["starting_position_timestamp"]
    said = told(SchedulePoller, handler=print, name="x", schedules={"a": {"start_date": naive}})
    assert "has no time zone" in said["schedules.a.start_date"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (timedelta(minutes=2), "got a timedelta; write 120, its seconds"),
        (Decimal(1), "got a Decimal"),
        (b"1", "got a bytes"),
        ({1, 2}, "got a set"),
        ({(1, 2): 3}, "has keys that are no texts"),
    ],
)
def test_what_no_file_could_hold_is_told_beside_every_other_fault(value: object, words: str) -> None:
    """Mutations: a TypeError of json; the fault is told twice; others are told the next time."""
    said = told(SchedulePoller, **{**AT_NOON, "schedule_expression": "rate(0 hours)"}, jitter=value, overlap="never")
    assert said.keys() == {"jitter", "overlap", "schedule_expression"}
    assert words in said["jitter"]
    assert words in told(SchedulePoller, **AT_NOON, input={"a": [value]})["input.a[0]"]
    assert words in told(SqsPoller, handler=print, queue_url=value)["queue_url"]
    assert words in told(SchedulePoller, **AT_NOON, timeout=value)["timeout"]


def test_a_timeout_is_checked_as_in_the_file() -> None:
    """Mutation: pydantic's own error."""
    assert told(SchedulePoller, **AT_NOON, timeout=0, jitter=-1).keys() == {"timeout", "jitter"}
