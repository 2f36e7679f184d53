"""What a failure record says of Kafka messages, and how a topic is sent it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from headrace.destination import Message
from headrace.failure import failure_record
from headrace.model import Origin, Record
from headrace.outgoing import Outgoing
from headrace.policy import EXHAUSTED, EXPIRED
from headrace_connectors.destinations.s3 import key_of
from headrace_connectors.kafka.event import records, render
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.origin import in_topic, origin
from support.engine import error

SERVERS = "b-2:9092,b-1:9092"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:fn"
TIME = 1_573_691_884_835


def made(*offsets: int, key: bytes | None = b"k", time: int | None = TIME) -> list[Record]:
    messages = [
        PlainMessage("my-topic", 0, offset, None if time is None else time + number * 745, 0, key, b"Hello")
        for number, offset in enumerate(offsets)
    ]
    return records(messages, received=1.0)


def whence(some: list[Record]) -> Origin:
    return origin(some, bootstrap_servers=SERVERS)


def test_the_block_is_the_guides_and_in_its_order() -> None:
    """lambda-semantics 6.4. Mutations: offsets as numbers; times in seconds; the last for the first; sizes summed."""
    some = made(9, 10, 12)
    told = whence(some)
    assert told.block == "KafkaBatchInfo"
    event = orjson.dumps(render(some, bootstrap_servers=SERVERS))
    assert list(told.info.items()) == [
        ("batchSize", 3),
        ("bootstrapServers", SERVERS),
        ("payloadSize", len(event)),
        (
            "recordsInfo",
            {
                "my-topic-0": {
                    "firstRecordOffset": "9",
                    "lastRecordOffset": "12",
                    "firstRecordTimestamp": "2019-11-14T00:38:04.835Z",
                    "lastRecordTimestamp": "2019-11-14T00:38:06.325Z",
                }
            },
        ),
    ]
    assert told.payload is None, "it is the event, made only where it is sent"


def test_a_single_record_brings_its_key_along() -> None:
    """Mutations: the key of several; its text; the text of none."""
    assert [whence(made(1, key=key)).key for key in (b"\xff", b"", None)] == [b"\xff", b"", None]
    assert whence(made(1, 2)).key is None


@pytest.mark.parametrize(
    ("time", "said"),
    [(0, "1970-01-01T00:00:00.000Z"), (-1, None), (None, None), (2**63 - 1, str(2**63 - 1)), (10**15, str(10**15))],
)
def test_no_timestamp_of_a_producers_is_too_odd_for_a_failure_record(time: int | None, said: str | None) -> None:
    """It would be refused for ever, and hold its partition. Mutation: iso, which ends with the year 9999."""
    (place,) = whence(made(7, time=time)).info["recordsInfo"].values()
    assert place["firstRecordTimestamp"] == said


def gone(some: list[Record], reason: str = EXHAUSTED) -> dict[str, Any]:
    discarded = Outgoing(
        lane="my-topic-0",
        records=some,
        reason=reason,
        attempts=2,
        outcome=error(),
        request_id="r",
        at=1764088801.123,
    )
    payload = render(some, bootstrap_servers=SERVERS)
    return failure_record(discarded, whence(some), function_arn=ARN, full=True, payload=payload)


def test_a_topic_is_sent_one_record_in_the_guides_form() -> None:
    """lambda-semantics 6.5. Mutations: the stream's word for the condition; `recordsInfo` kept; the payload as text."""
    record = gone(made(9))
    shown = in_topic(record)
    assert list(shown) == list(record)
    assert shown["requestContext"] == {
        "requestId": "r",
        "functionArn": f"{ARN}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 2,
    }
    assert list(shown["KafkaBatchInfo"].items()) == [
        ("batchSize", 1),
        ("bootstrapServers", SERVERS),
        ("payloadSize", len(orjson.dumps(record["payload"]))),
        ("recordInfo", {"offset": "9", "timestamp": "2019-11-14T00:38:04.835Z"}),
    ]
    ((only,),) = shown["payload"]["records"].values()
    assert (only["offset"], only["value"]) == (9, "SGVsbG8=")
    assert record == gone(made(9)), "the usual form is left as it was"


def test_another_sources_record_in_a_topic_keeps_its_own_block() -> None:
    """Mutation: a block that is looked for, and not there."""
    record = {"requestContext": {"functionArn": f"{ARN}:$LATEST", "condition": EXHAUSTED}, "KinesisBatchInfo": {"a": 1}}
    shown = in_topic(record)
    assert shown["KinesisBatchInfo"] == {"a": 1}
    assert shown["requestContext"] == {"functionArn": f"{ARN}:$LATEST", "condition": "RetriesExhausted"}


def test_an_expired_record_keeps_its_condition() -> None:
    """The guide has no sample of it."""
    assert in_topic(gone(made(9), EXPIRED))["requestContext"]["condition"] == EXPIRED


def test_in_s3_the_partitions_name_stands_where_a_shards_does() -> None:
    """lambda-semantics 6.3: no layout is documented for Kafka; this is the reference's recommendation."""
    mapping = UUID(int=7)
    sent = Message(id="i", key=None, body=b"", lane=made(9)[0].id.rpartition(":")[0], at=1764088801.123)
    assert key_of(mapping, sent).startswith(f"aws/lambda/{mapping}/my-topic-0/2025/11/25/2025-11-25T16.40.01-")
