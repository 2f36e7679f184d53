"""Records made again of the event that was made of them: the same event comes of them, and the same records.

Mutations: a field that is left out, or is another's; an id that is made anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from headrace.filters import compile_pattern, keeper
from headrace.model import Event
from headrace.plugins import Connector, Opening
from headrace.settings import MappingSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.origin import origin
from headrace_connectors.kafka.recall import shape_for
from headrace_connectors.sqs.event import records as sqs_records
from headrace_connectors.sqs.event import render as sqs_render
from headrace_connectors.sqs.putting import message_of
from support.letters import QUEUE, STREAM, click, message
from support.messages import opening

TABLE = "arn:aws:dynamodb:eu-central-1:000000000000:table/items/stream/2025"
CHANGE = {
    "eventID": "e1",
    "eventName": "MODIFY",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "eu-central-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1764088000,
        "Keys": {"id": {"S": "a"}},
        "NewImage": {"id": {"S": "a"}, "raw": {"B": "AP8="}},
        "SequenceNumber": "100000000000000000001",
        "SizeBytes": 7,
        "StreamViewType": "NEW_IMAGE",
    },
    "eventSourceARN": TABLE,
    "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
}
ATTRIBUTES = {
    "tenant": {"stringValue": "ü", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
    "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
}
MESSAGES = [
    PlainMessage("payments", 2, 7, 1764088000123, 0, b"k\xff", b'{"total": 1}', [("h", b"\x80"), ("h", b"")]),
    PlainMessage("payments", 2, 9, None, None, None, b'{"total": 2}', []),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "sqs": {"queue_url": "https://sqs.eu-central-1.amazonaws.com/000000000000/orders"},
    "kinesis": {"stream": "clicks"},
    "dynamodb": {"table": "items"},
    "kafka": {"topics": ["payments"], "bootstrap_servers": ["localhost:9092"]},
}


def of(kind: str, **options: Any) -> tuple[Connector, Opening]:
    connector = catalog.connector(kind)
    made = connector.options(**OPTIONS[kind], **options)
    return connector, opening(settings=MappingSettings(), options=made)


def recalled(kind: str, event: Event, **options: Any) -> Any:
    connector, opened = of(kind, **options)
    assert connector.recall is not None
    return connector.recall.records(opened, event)


EVENTS = [
    (
        "sqs",
        {
            "Records": [
                message("m1", "a", messageAttributes=ATTRIBUTES, md5OfMessageAttributes="d"),
                message("m2", "ü\t"),
            ]
        },
        ["m1", "m2"],
    ),
    ("kinesis", {"Records": [click(1, {"a": 1}), click(2, "b")]}, [f"{49 * 10**54 + n}" for n in (1, 2)]),
    ("dynamodb", {"Records": [CHANGE]}, ["100000000000000000001"]),
]


@pytest.mark.parametrize(("kind", "event", "ids"), EVENTS, ids=[kind for kind, *_ in EVENTS])
def test_the_same_event_comes_of_them(kind: str, event: Event, ids: Sequence[str]) -> None:
    found = recalled(kind, json.loads(json.dumps(event)))
    assert [record.id for record in found.records] == ids
    assert found.render(found.records) == event
    assert found.render(found.records[-1:]) == {"Records": event["Records"][-1:]}
    assert found.render(found.records) is not found.render(found.records)


@pytest.mark.parametrize("present_as", ["kafka", "sqs", "kinesis"])
def test_kafkas_messages_in_every_shape_from_kafkas_event_and_from_the_shapes(present_as: str) -> None:
    """Failure records hold the one or the other."""
    _, opened = of("kafka", present_as=present_as)
    shape = shape_for(opened)
    records = shape.records(MESSAGES, received=0.0)
    whole = origin(records, bootstrap_servers="localhost:9092").payload
    shown = shape.render(records)
    found = recalled("kafka", whole or shown, present_as=present_as)
    assert found.render(found.records) == shown
    assert [one.id for one in found.records] == [one.id for one in records]
    again = recalled("kafka", shown, present_as=present_as)
    assert again.render(again.records) == shown


@pytest.mark.parametrize(
    ("kind", "event", "payload", "key"),
    [
        ("sqs", {"Records": [message("m1", {"a": 1})]}, {"a": 2}, "body"),
        ("kinesis", {"Records": [click(1, {"a": 1})]}, {"a": 2}, "data"),
        ("dynamodb", {"Records": [CHANGE]}, {**CHANGE["dynamodb"], "SizeBytes": 8}, "dynamodb"),
        ("sqs", {"Records": [message("m1", {"a": 1})]}, "plain", "body"),
    ],
)
def test_a_payload_that_is_put_in_is_what_filters_and_handlers_see(
    kind: str, event: Event, payload: Any, key: str
) -> None:
    connector, opened = of(kind)
    found = recalled(kind, event)
    (record,) = found.records
    changed = found.rewritten(record, payload)
    assert changed.id == record.id
    view = connector.view_of(opened.options)
    assert view is not None
    pattern = {key: payload if isinstance(payload, dict) and "a" not in payload else [payload]}
    if isinstance(payload, dict):
        pattern = {key: {"a": [2]}} if "a" in payload else {key: {"SizeBytes": [8]}}
    assert keeper([compile_pattern(json.dumps(pattern))], view, found.render)(changed)
    assert not keeper([compile_pattern(json.dumps(pattern))], view, found.render)(record)


def test_a_kafka_message_is_rewritten_under_its_key() -> None:
    _, opened = of("kafka")
    shape = shape_for(opened)
    event = shape.render(shape.records(MESSAGES, received=0.0))
    found = recalled("kafka", event)
    changed = found.rewritten(found.records[0], {"total": 9})
    (shown,) = found.render([changed])["records"]["payments-2"]
    before = event["records"]["payments-2"][0]
    assert {**shown, "value": ""} == {**before, "value": ""}
    assert json.loads(base64.b64decode(shown["value"])) == {"total": 9}


def test_what_came_in_an_envelope_is_shown_without_and_put_back_with_it() -> None:
    """`unwrap`: the letter has the message as it was. Mutation: the envelope is sent no more."""
    inner = {"Type": "Notification", "MessageId": "n", "TopicArn": "arn:aws:sns:r:0:t", "Message": '{"a": 1}'}
    raw = {"MessageId": "m1", "ReceiptHandle": "r", "Body": json.dumps(inner), "Attributes": {"SentTimestamp": "1"}}
    event = sqs_render(sqs_records([raw], None, 0.0), arn=QUEUE, region="eu-central-1", windowed=False)
    found = recalled("sqs", event, unwrap=["sns"])
    (record,) = found.records
    assert found.render([record])["Records"][0]["body"] == '{"a": 1}'
    assert message_of(record, fifo=False)["MessageBody"] == json.dumps(inner)
    with pytest.raises(ValueError, match="envelope"):
        found.rewritten(record, {"a": 2})


def test_what_a_message_is_sent_back_with() -> None:
    """Mutations: base64 text for bytes; a trace (which has a count of hops), a group that is lost; two messages of one
    deduplication id."""
    told = {"SentTimestamp": "1", "AWSTraceHeader": "Root=1", "MessageGroupId": "g"}
    event = {"Records": [message("m1", "a", attributes=told, messageAttributes=ATTRIBUTES)]}
    (record,) = recalled("sqs", event).records
    sent = message_of(record, fifo=True)
    assert sent["MessageAttributes"]["raw"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert sent["MessageAttributes"]["tenant"] == {"DataType": "String", "StringValue": "ü"}
    assert sent["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1"
    assert sent["MessageGroupId"] == "g"
    assert message_of(record, fifo=False)["MessageGroupId"] == "g"
    changed = recalled("sqs", event).rewritten(record, "b")
    assert message_of(changed, fifo=True)["MessageDeduplicationId"] != sent["MessageDeduplicationId"]


@pytest.mark.parametrize(
    ("kind", "own", "other"),
    [
        ("sqs", QUEUE, QUEUE.replace(":orders", ":others")),
        ("sqs", QUEUE, QUEUE.replace("000000000000", "000000000001")),
        ("kinesis", STREAM, STREAM.replace("/clicks", "/clicks2")),
        ("kinesis", f"{STREAM}/consumer/c:1", f"{STREAM}2/consumer/c:1"),
        ("dynamodb", TABLE, TABLE.replace("/items", "/item")),
    ],
)
def test_whose_records_they_are(kind: str, own: str, other: str) -> None:
    connector, opened = of(kind)
    assert connector.recall is not None
    owns = connector.recall.owns
    assert owns(opened, {"Records": [{"eventSourceARN": own}]}, {})
    assert owns(opened, None, {"streamArn": own, "queueArn": own})
    assert not owns(opened, {"Records": [{"eventSourceARN": other}]}, {})
    assert not owns(opened, None, {})


def test_whose_messages_of_kafka_they_are() -> None:
    connector, opened = of("kafka")
    assert connector.recall is not None
    assert connector.recall.owns(opened, {"records": {"payments-0": []}}, {})
    assert connector.recall.owns(opened, None, {"recordsInfo": {"payments-11": {}}})
    assert not connector.recall.owns(opened, {"records": {"others-0": []}}, {})
    assert not connector.recall.owns(opened, {"records": {}}, {})


def test_what_is_no_event_of_the_source() -> None:
    for kind in OPTIONS:
        for event in ({}, {"Records": []}, {"Records": [{}]}, {"records": {}}, {"records": {"p-0": [{}]}}):
            with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
                recalled(kind, event)
