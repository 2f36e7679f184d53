"""The event of an SQS message, field by field as it was recorded on AWS (lambda-semantics 3.1)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace_connectors.sqs.event import records as made
from headrace_connectors.sqs.event import render

ARN = "arn:aws:sqs:eu-central-1:111111111111:orders"
MESSAGE: dict[str, Any] = {
    "MessageId": "0d5a",
    "ReceiptHandle": "AQEB",
    "Body": '{"k":  1}',
    "MD5OfBody": "b1",
    "Attributes": {
        "ApproximateReceiveCount": "2",
        "SentTimestamp": "1732550000123",
        "SenderId": "AIDA",
        "ApproximateFirstReceiveTimestamp": "1732550000130",
    },
}
ATTRIBUTES = {
    "total": {"StringValue": "6", "DataType": "Number"},
    "blob": {"BinaryValue": b"\x00\xff", "DataType": "Binary"},
    "lean": {"BinaryValue": "AP8=", "DataType": "Binary"},
}


def one(message: dict[str, Any], *, windowed: bool = False) -> dict[str, Any]:
    event = render(made([message], None, 1.0), arn=ARN, region="eu-central-1", windowed=windowed)
    assert list(event) == ["Records"]
    shown: dict[str, Any] = event["Records"][0]
    return shown


def test_a_message_without_attributes() -> None:
    shown = one(MESSAGE)
    assert shown == {
        "messageId": "0d5a",
        "receiptHandle": "AQEB",
        "body": '{"k":  1}',
        "attributes": MESSAGE["Attributes"],
        "messageAttributes": {},
        "md5OfBody": "b1",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-central-1",
    }
    assert list(shown)[:5] == ["messageId", "receiptHandle", "body", "attributes", "messageAttributes"]


def test_md5_of_message_attributes_is_null_with_a_window_and_absent_without() -> None:
    assert "md5OfMessageAttributes" not in one(MESSAGE)
    shown = one(MESSAGE, windowed=True)
    assert shown["md5OfMessageAttributes"] is None
    assert list(shown)[5:7] == ["md5OfMessageAttributes", "md5OfBody"]


def test_message_attributes_have_empty_lists_and_base64() -> None:
    shown = one({**MESSAGE, "MessageAttributes": ATTRIBUTES, "MD5OfMessageAttributes": "a1"})
    assert shown["md5OfMessageAttributes"] == "a1"
    assert shown["messageAttributes"] == {
        "total": {"stringValue": "6", "stringListValues": [], "binaryListValues": [], "dataType": "Number"},
        "blob": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        "lean": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }


def test_a_handler_that_changes_its_event_changes_nothing_else() -> None:
    (kept,) = made([MESSAGE], None, 1.0)
    event = render([kept], arn=ARN, region="r", windowed=False)
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "99"
    event["Records"][0]["messageAttributes"]["new"] = {}
    event["Records"].clear()
    again = render([kept], arn=ARN, region="r", windowed=False)
    assert again["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"
    assert again["Records"][0]["messageAttributes"] == {}


def test_a_record_knows_its_age_key_and_deliveries() -> None:
    fifo = {**MESSAGE, "Attributes": {**MESSAGE["Attributes"], "MessageGroupId": "g"}}
    (kept,) = made([fifo], "receipt", 7.0)
    assert (kept.id, kept.at, kept.key, kept.attempt, kept.token, kept.until) == (
        "0d5a",
        1732550000.123,
        "g",
        2,
        "receipt",
        7.0,
    )


@given(st.text(max_size=200), st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=50), max_size=3))
def test_the_size_is_an_upper_bound_of_the_bytes_in_the_event(body: str, attributes: dict[str, str]) -> None:
    """Catches: a size by characters, escapes forgotten, attributes forgotten."""
    body = body.encode("utf-8", "replace").decode()
    texts = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
    blobs = {
        f"b{name}": {"BinaryValue": value.encode("utf-8", "replace"), "DataType": "Binary"}
        for name, value in attributes.items()
    }
    encodable = {
        name.encode("utf-8", "replace").decode(): {
            key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for key, value in attribute.items()
        }
        for name, attribute in {**texts, **blobs}.items()
    }
    message = {**MESSAGE, "Body": body, "MessageAttributes": encodable}
    (kept,) = made([message], None, 1.0)
    shown = one(message, windowed=True)
    assert len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()) <= kept.size
