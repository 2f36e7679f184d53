"""Kinesis records as Lambda shows them: the event, what filters see, and what a failure record says."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import partial

import orjson
import pytest

from headrace.filters import compile_pattern, keeper
from headrace_connectors.kinesis.event import VIEW, records, render
from headrace_connectors.kinesis.origin import BLOCK, origin

SHARD, REGION = "shardId-000000000000", "eu-central-1"
ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks"
NUMBER = "49590338271490256608559692538361571095921575989136588898"
shape = partial(render, arn=ARN, region=REGION)
made = partial(records, shard=SHARD, arn=ARN, region=REGION)


def raw(data: bytes = b'{"n": 1}', key: str = "k", number: str = NUMBER, time: float = 1_545_084_650.987) -> dict:
    return {
        "SequenceNumber": number,
        "ApproximateArrivalTimestamp": time,
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": key,
        "EncryptionType": "NONE",
    }


def test_the_event_is_what_was_recorded_on_aws_and_in_its_order():
    """lambda-semantics 3.2. Catches: encryptionType, a time in milliseconds, keys in another order."""
    (shown,) = shape(made([raw(b"Hello")]))["Records"]
    assert json.dumps(shown) == json.dumps(
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "k",
                "sequenceNumber": NUMBER,
                "data": "SGVsbG8=",
                "approximateArrivalTimestamp": 1545084650.987,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{SHARD}:{NUMBER}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/headrace",
            "awsRegion": REGION,
            "eventSourceARN": ARN,
        }
    )


def test_a_full_answer_gives_the_same_event_as_a_lean_one():
    full = {**raw(), "Data": b'{"n": 1}', "ApproximateArrivalTimestamp": datetime.fromtimestamp(1545084650.987, UTC)}
    assert shape(made([full])) == shape(made([raw()]))


def test_an_event_is_fresh_at_every_call():
    (record,) = made([raw()])
    shape([record])["Records"][0]["kinesis"]["data"] = "changed by a handler"
    assert shape([record])["Records"][0]["kinesis"]["data"] == record.raw["Data"]


def test_the_record_is_named_by_its_sequence_number():
    (record,) = made([raw(key="k1")])
    assert (record.id, record.token, record.key, record.at) == (NUMBER, NUMBER, "k1", 1545084650.987)


@pytest.mark.parametrize("key", ["k", "é" * 256, '"\\' * 128, "\x01" * 256, "\U0001f600" * 64])
@pytest.mark.parametrize("data", [b"", b"\x00" * 1000, b"x" * 100_001])
def test_the_size_is_an_upper_bound_and_a_near_one(data, key):
    """Catches: a key counted in characters; a bound so wide that batches of small records go out half empty."""
    (record,) = made([raw(data, key, number="9" * 129)])
    taken = len(orjson.dumps(shape([record])["Records"][0])) + 1
    assert taken <= record.size <= taken + 20


def wanted(pattern: dict, **fields) -> bool:
    (record,) = made([raw(**fields)])
    return keeper([compile_pattern(pattern)], VIEW, shape)(record)


def test_filters_see_the_data_decoded_and_the_metadata_at_the_top():
    """Catches: data matched as base64; metadata looked for under kinesis."""
    assert wanted({"data": {"n": [1]}})
    assert not wanted({"data": {"n": [2]}})
    assert wanted({"partitionKey": ["k"], "data": {"n": [1]}})
    assert not wanted({"partitionKey": ["other"]})
    assert wanted({"eventSource": ["aws:kinesis"]})
    assert not wanted({"kinesis": {"partitionKey": ["k"]}})
    assert VIEW.unknown(compile_pattern({"kinesis": {"partitionKey": ["k"]}})) == ["kinesis"]


@pytest.mark.parametrize("data", [b"plain", b"\xff\xfe", b"", b"7"])
def test_data_of_another_format_is_dropped_by_a_pattern_for_json_alone(data):
    """lambda-semantics 7.4."""
    assert not wanted({"data": {"n": [1]}}, data=data)
    assert wanted({"partitionKey": ["k"]}, data=data)


def test_the_failure_record_says_which_stretch_of_which_shard():
    """lambda-semantics 6.1."""
    many = made([raw(number="9", time=1_764_088_798.835), raw(number="10"), raw(number="11", time=1_764_088_799.1)])
    told = origin(SHARD, many, arn=ARN)
    assert (told.block, BLOCK) == ("KinesisBatchInfo", "KinesisBatchInfo")
    assert list(told.info.items()) == [
        ("shardId", SHARD),
        ("startSequenceNumber", "9"),
        ("endSequenceNumber", "11"),
        ("approximateArrivalOfFirstRecord", "2025-11-25T16:39:58.835Z"),
        ("approximateArrivalOfLastRecord", "2025-11-25T16:39:59.100Z"),
        ("batchSize", 3),
        ("streamArn", ARN),
    ]
    assert told.payload is None, "it is the event, made only where it is sent"
