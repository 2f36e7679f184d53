"""What a schedule's handler gets: the Scheduled Event of both dialects, and the scheduler's input with its tokens."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from headrace.errors import ConfigError
from headrace_connectors.schedule.event import arn, scheduled_event
from headrace_connectors.schedule.instants import occurrence_id, utc
from headrace_connectors.schedule.tokens import Attempt, checked, filled

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ID = UUID("12345678-1234-5678-1234-567812345678")
IN = {"region": "us-east-1", "account": "123456789012"}


def attempt(number: int = 1) -> Attempt:
    return Attempt(arn="arn:aws:scheduler:x", at=NOON, occurrence=ID, number=number)


def test_the_event_of_a_rule():
    """As recorded on AWS, key by key. Mutation, tried: a detail that is a text."""
    assert json.dumps(scheduled_event("rule", "my-schedule", NOON, ID, **IN)) == json.dumps(
        {
            "version": "0",
            "id": str(ID),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": "2026-01-01T12:00:00Z",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-schedule"],
            "detail": {},
        }
    )


def test_the_event_of_a_scheduler():
    """Its detail is a text. Mutation, tried: an object."""
    event = scheduled_event("scheduler", "my-schedule", NOON, ID, **IN)
    assert event == {
        **scheduled_event("rule", "my-schedule", NOON, ID, **IN),
        "source": "aws.scheduler",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/my-schedule"],
        "detail": "{}",
    }
    assert event["resources"] == [arn("scheduler", "my-schedule", **IN)]


def test_times_are_utc_in_whole_seconds():
    assert utc(datetime(2026, 1, 1, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-01T12:00:00Z"


def test_an_occurrences_id_never_changes():
    """By name and instant, whatever zone that is told in. Mutation, tried: the text of a local time."""
    assert str(occurrence_id("shop/report", NOON)) == "45291b07-c288-50e4-bb96-f7c3bab0a656"
    assert occurrence_id("shop/report", NOON.astimezone(timezone(timedelta(hours=9)))) == occurrence_id(
        "shop/report", NOON
    )
    others = {occurrence_id("shop/report2", NOON), occurrence_id("shop/report", NOON + timedelta(milliseconds=100))}
    assert len(others | {occurrence_id("shop/report", NOON)}) == 3


def test_tokens_are_replaced_wherever_they_stand():
    """Mutation, tried: the first of each alone."""
    text = """{"at": "<aws.scheduler.scheduled-time>", "<aws.scheduler.schedule-arn>": [<aws.scheduler.attempt-number>],
               "twice": "<aws.scheduler.execution-id> <aws.scheduler.execution-id>", "other": "<aws.scheduler.name>"}"""
    execution = attempt(2).execution_id
    assert filled(text, attempt(2)) == {
        "at": "2026-01-01T12:00:00Z",
        "arn:aws:scheduler:x": [2],
        "twice": f"{execution} {execution}",
        "other": "<aws.scheduler.name>",
    }


def test_each_attempt_has_an_execution_id_of_its_own():
    """And again the same. Mutation, tried: one for all attempts."""
    ids = [attempt(number).execution_id for number in (1, 2, 3, 1)]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]
    assert all(len(one) == 16 for one in ids)


@pytest.mark.parametrize(
    "text", ["", "hello", '{"a": <aws.scheduler.scheduled-time>}', "{'a': 1}", "NaN", "[" * 100_000]
)
def test_an_input_that_is_no_json_is_refused(text):
    """Mutation, tried: NaN, which no other reader takes, is JSON."""
    with pytest.raises(ConfigError, match="it must be JSON once its tokens are replaced"):
        checked(text, "source.input")


def test_a_token_that_there_is_none_of_is_a_warning():
    assert checked('{"n": <aws.scheduler.attempt-number>}', "source.input") == []
    (warning,) = checked('["<aws.scheduler.scheduled-tim>", "<aws.scheduler.scheduled-tim>"]', "source.input")
    assert (warning.path, warning.message) == (
        "source.input",
        "there is no token 'scheduled-tim', and it stays as it is; did you mean scheduled-time?",
    )
