"""What may be written about a DynamoDB Streams source, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headrace_connectors.aws import AwsSettings
from headrace_connectors.dynamodb import position
from headrace_connectors.dynamodb.options import DEFAULTS, REFUSES, DynamoDBOptions, check, warn
from support.dynamodb import opening_of

TABLE = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
STREAM = f"{TABLE}/stream/2025-11-25T16:39:00.123"


def faults(options: dict[str, Any], **settings: Any) -> list[str]:
    return [str(fault) for fault in check(opening_of(options, settings=settings))]


@pytest.mark.parametrize("options", [{"table": "orders"}, {"table": TABLE}, {"stream_arn": STREAM}])
def test_a_table_or_a_stream_is_named(options: dict[str, Any]) -> None:
    assert DynamoDBOptions(**options).table_name == "orders"
    assert faults(options) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "exactly one of table and stream_arn"),
        ({"table": "orders", "stream_arn": STREAM}, "exactly one of table and stream_arn"),
        ({"table": STREAM}, "write it as stream_arn"),
        ({"stream_arn": TABLE}, "write it as table"),
        ({"table": "no such name!"}, "must be a table's name"),
        ({"stream_arn": "arn:aws:kinesis:eu-west-1:111111111111:stream/x"}, "must be a stream's ARN"),
        ({"table": "orders", "on_trimmed": "go"}, "fail"),
    ],
)
def test_what_names_neither_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DynamoDBOptions(**options)


@pytest.mark.parametrize("options", [{"table": "orders"}, {"stream_arn": STREAM}])
def test_a_start_by_time_is_refused_as_aws_does(options: dict[str, Any]) -> None:
    (fault,) = faults(options, starting_position="AT_TIMESTAMP")
    (named,) = options.values()
    assert fault.startswith(f"starting_position: Unsupported starting position for arn type: {named}")
    assert "starting_position_timestamp" in REFUSES


def test_a_start_must_be_written_and_windows_go_alone() -> None:
    assert "Value null at 'startingPosition'" in faults({"table": "orders"}, starting_position=None)[0]
    settings = {"tumbling_window_in_seconds": 10, "parallelization_factor": 2}
    assert faults({"table": "orders"}, **settings)[0].startswith("tumbling_window_in_seconds")
    assert "scaling_config" in REFUSES
    assert DEFAULTS["batch_size"] == 100


def test_the_region_is_that_of_the_arn() -> None:
    section = {"aws": AwsSettings(region="us-east-1", endpoint_url="http://x")}
    opening = opening_of({"table": TABLE})
    assert DynamoDBOptions(table=TABLE).aws(opening).region == "eu-west-1"
    with_section = opening_of({"table": "orders"})
    object.__setattr__(with_section, "sections", section)
    assert with_section.options.aws(with_section).region == "us-east-1"
    assert "take region out" in faults({"stream_arn": STREAM, "region": "us-east-1"})[0]


def test_a_shard_that_may_be_blocked_is_warned_of() -> None:
    assert "a day" in next(iter(warn(opening_of({"table": "orders"})))).message


def test_positions() -> None:
    """Catches: a start rounded up, a sequence number that is none, a horizon that is not known as one."""
    assert position.since(1750000000.999) == "since:1750000000"
    assert position.floor_of("since:1750000000") == 1750000000
    assert position.floor_of("TRIM_HORIZON") is position.floor_of("123") is None
    assert position.sequence("123") == "from:123"
    assert [position.sequence(text) for text in ("", "12a", "-1", "١٢", "LATEST")] == [None] * 5
    assert position.iterator("TRIM_HORIZON") == position.iterator("since:5") == {"ShardIteratorType": "TRIM_HORIZON"}
    assert position.iterator("from:12") == {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "12"}
    assert position.iterator("12") == {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "12"}
    assert [position.from_horizon(text) for text in ("TRIM_HORIZON", "since:5", "from:1", "1")] == [
        True,
        True,
        False,
        False,
    ]
