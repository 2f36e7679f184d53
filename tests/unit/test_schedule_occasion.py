"""What the handler of an occurrence is given: exactly the events of either dialect, or its input."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.event import arn
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.occasion import event_of, packed
from headrace_connectors.schedule.options import ScheduleSettings
from headrace_connectors.schedule.zones import zone

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def definition(dialect: Any = "scheduler", name: str = "my-schedule", given: Any = None) -> Definition:
    expression = "cron(0 12 * * ? *)"
    return Definition(
        name=name,
        settings=ScheduleSettings(schedule_expression=expression, dialect=dialect, input=given),
        expression=parse(expression, dialect),
        zone=zone("UTC", ""),
        arn=arn(dialect, name, region="us-east-1", account="000000000000"),
        region="us-east-1",
    )


def test_a_rules_event() -> None:
    """Shape as confirmed on AWS. Mutation: `detail` as a text, which is Scheduler's."""
    shown = event_of(packed(definition("rule"), AT), 1)
    assert shown.pop("id") == event_of(packed(definition("rule"), AT), 2)["id"], "the same however often it is made"
    assert shown == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2026-01-01T12:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:000000000000:rule/my-schedule"],
        "detail": {},
    }


def test_schedulers_event() -> None:
    """Its `detail` is a text. Mutation: an object."""
    shown = event_of(packed(definition(name="shop/night"), AT), 1)
    assert shown["source"] == "aws.scheduler"
    assert shown["resources"] == ["arn:aws:scheduler:us-east-1:000000000000:schedule/shop/night"]
    assert shown["detail"] == "{}"


def test_ids_differ_by_schedule_and_time() -> None:
    later = datetime(2026, 1, 2, 12, tzinfo=UTC)
    ids = {event_of(packed(definition(name=name), at), 1)["id"] for name in "ab" for at in (AT, later)}
    assert len(ids) == 4


def test_tokens_are_replaced_wherever_they_stand() -> None:
    """Mutation: an execution id that is the same at each attempt."""
    given = (
        '{"a": "<aws.scheduler.schedule-arn>", "t": "at <aws.scheduler.scheduled-time>.", '
        '"n": <aws.scheduler.attempt-number>, "e": "<aws.scheduler.execution-id>"}'
    )
    text = packed(definition(given=given), AT)
    first, second = event_of(text, 1), event_of(text, 2)
    assert first["a"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/my-schedule"
    assert first["t"] == "at 2026-01-01T12:00:00Z."
    assert (first["n"], second["n"]) == (1, 2)
    assert len(first["e"]) == 16
    assert first["e"] != second["e"]


def test_a_rules_input_is_taken_as_it_is() -> None:
    """It has no tokens, and may be any JSON. Mutation: a text where a list was meant."""
    assert event_of(packed(definition("rule", given="[1, 2]"), AT), 1) == [1, 2]
    text = '{"t": "<aws.scheduler.scheduled-time>"}'
    assert event_of(packed(definition("rule", given=text), AT), 1) == json.loads(text)


def test_an_input_may_be_written_as_a_mapping() -> None:
    assert event_of(packed(definition(given={"größe": [1, None]}), AT), 1) == {"größe": [1, None]}
