"""An SQS message as a record, and as the event that Lambda makes of it. Pure.

The event is field for field what was recorded on AWS (lambda-semantics 3.1).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from headrace.model import Event, Record

ADDED_BYTES = 512
"""Upper bound of what rendering adds to a message: longer key names, eventSource, ARN (at most 256) and region."""


def record(message: dict[str, Any], receive: object, until: float) -> Record:
    """The record of one message of a ReceiveMessage answer; *receive* is what it came with."""
    attributes = message.get("Attributes", {})
    return Record(
        message["MessageId"],
        message,
        int(attributes.get("SentTimestamp", 0)) / 1000,
        _size(message),
        attributes.get("MessageGroupId"),
        receive,
        int(attributes.get("ApproximateReceiveCount", 1)),
        until,
    )


def _size(message: dict[str, Any]) -> int:
    """Bytes in the event, from above: what SQS sent, as JSON, and what rendering adds to it."""
    attributes = message.get("MessageAttributes")
    # rendering gives each message attribute two empty lists, and binary ones as text
    extra = sum(100 + len(value.get("BinaryValue", b"")) // 2 for value in attributes.values()) if attributes else 0
    return len(orjson.dumps(message, default=_base64)) + ADDED_BYTES + extra


def render(records: Sequence[Record], *, arn: str, region: str, windowed: bool) -> Event:
    """The event of *records*, fresh at every call.

    `md5OfMessageAttributes` of a message without attributes is absent without a batching window, and null with one.
    """
    rendered = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": dict(message["Attributes"]) if "Attributes" in message else {},
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": region,
        }
        for message in [record.raw for record in records]
    ]
    for shown, record in zip(rendered, records, strict=True):
        if windowed or "MessageAttributes" in record.raw:
            _add_attributes(shown, record.raw, windowed=windowed)
    return {"Records": rendered}


def _add_attributes(shown: dict[str, Any], message: dict[str, Any], *, windowed: bool) -> None:
    attributes = message.get("MessageAttributes") or {}
    shown["messageAttributes"] = {name: _attribute(value) for name, value in attributes.items()}
    if attributes:
        _before_body_md5(shown, message.get("MD5OfMessageAttributes"))
    elif windowed:
        _before_body_md5(shown, None)


def _before_body_md5(shown: dict[str, Any], digest: str | None) -> None:
    """Put md5OfMessageAttributes where Lambda has it: before md5OfBody and what follows."""
    later = {name: shown.pop(name) for name in ("md5OfBody", "eventSource", "eventSourceARN", "awsRegion")}
    shown["md5OfMessageAttributes"] = digest
    shown.update(later)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = _base64(value["BinaryValue"])
    shown["stringListValues"] = []
    shown["binaryListValues"] = []
    shown["dataType"] = value["DataType"]
    return shown


def _base64(value: Any) -> str:
    """Base64 text of bytes; SQS's own answer has it as text already."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
