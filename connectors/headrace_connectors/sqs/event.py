"""An SQS message as a record, and as the event that Lambda makes of it. Pure.

The event is field for field what was recorded on AWS (lambda-semantics 3.1).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from headrace.filters import View
from headrace.masking import MASK, Mask, Masking
from headrace.model import Event, Record
from headrace_connectors.sqs import digests
from headrace_connectors.sqs.unwrap import ENVELOPES, ORIGINAL, Kind, unwrap

ADDED_BYTES = 512
"""Upper bound of what rendering adds to a message: longer key names, eventSource, ARN (at most 256) and region."""

PLAIN_BYTES = 1024
"""Upper bound of the event of a message with SQS's own four attributes and none of its sender, but for its body and its
receipt: the names, an id, a digest, an ARN (at most 256), a sender's id (at most 128), two times and a count."""

OWN_ATTRIBUTES = 4

_NONE: dict[str, str] = {}


def records(messages: Sequence[dict[str, Any]], receive: object, until: float) -> list[Record]:
    """The records of a ReceiveMessage answer; *receive* is what they came with, *until* the end of their visibility.

    `size` is the bytes in the event, from above.
    """
    return [
        Record(
            message["MessageId"],
            message,
            int((attributes := message.get("Attributes", _NONE)).get("SentTimestamp", 0)) / 1000,
            len(orjson.dumps(message["Body"])) + len(message["ReceiptHandle"]) + PLAIN_BYTES
            if len(attributes) <= OWN_ATTRIBUTES and "MessageAttributes" not in message
            else _size(message),
            attributes.get("MessageGroupId"),
            receive,
            int(attributes.get("ApproximateReceiveCount", 1)),
            until,
        )
        for message in messages
    ]


def unwrapped_records(
    messages: Sequence[dict[str, Any]], receive: object, until: float, *, kinds: Collection[Kind]
) -> list[Record]:
    """The same, with the envelopes of *kinds* taken off."""
    made = records([unwrap(message, kinds) for message in messages], receive, until)
    for record in made:
        if ORIGINAL in record.raw:
            record.size = _size({key: value for key, value in record.raw.items() if key != ORIGINAL})
    return made


def _size(message: dict[str, Any]) -> int:
    """What SQS sent, as JSON, and what rendering adds to it."""
    size = len(orjson.dumps(message, default=_base64)) + ADDED_BYTES
    return size + _added_by_attributes(message.get("MessageAttributes", _NONE))


def _added_by_attributes(attributes: dict[str, Any]) -> int:
    """Rendering gives each message attribute two empty lists, and binary ones as text."""
    return sum([100 + len(value.get("BinaryValue", b"")) // 2 for value in attributes.values()])


def render(records: Sequence[Record], *, arn: str, region: str, windowed: bool) -> Event:
    """The event of *records*, fresh at every call.

    `md5OfMessageAttributes` of a message without attributes is absent without a batching window, and null with one.
    """
    # one comprehension of dict displays: a call, or a key put in afterwards, would double what a record costs
    shown = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"].copy() if "Attributes" in message else {},
            "messageAttributes": _attributes(message["MessageAttributes"]) if "MessageAttributes" in message else {},
            "md5OfMessageAttributes": message.get("MD5OfMessageAttributes"),
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": region,
        }
        if windowed or message.get("MessageAttributes")
        else {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"].copy() if "Attributes" in message else {},
            "messageAttributes": {},
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": region,
        }
        for message in [record.raw for record in records]
    ]
    return {"Records": shown}


def render_unwrapped(records: Sequence[Record], *, arn: str, region: str, windowed: bool) -> Event:
    """The same, with `envelopes` at the end of each message of which some were taken off."""
    event = render(records, arn=arn, region=region, windowed=windowed)
    for shown, record in zip(event["Records"], records, strict=True):
        if ENVELOPES in record.raw:
            shown["envelopes"] = orjson.loads(orjson.dumps(record.raw[ENVELOPES]))
    return event


def masked(event: Event, mask: Mask) -> Event:
    """*event* without what *mask* hides. Its digests are of what is left: a short secret can be guessed from one."""
    for shown in event["Records"]:
        body = mask.text("body", shown["body"])
        attributes = shown["attributes"]
        if attributes.get("MessageDeduplicationId") == _sha256(shown["body"]):  # as queues with content-based ones do
            attributes["MessageDeduplicationId"] = _sha256(body)
        if mask.touches("messageAttributes") and shown["messageAttributes"]:
            mask.fields(shown, only="messageAttributes", stand_in=_attribute_hidden)
            shown["md5OfMessageAttributes"] = digests.of_attributes(_as_sent(shown["messageAttributes"]))
        mask.fields(shown, but=("body", "messageAttributes"))
        if body != shown["body"]:
            shown["body"], shown["md5OfBody"] = body, digests.of_body(body)
    return event


def _attribute_hidden(value: Any) -> tuple[Any, Any]:
    """An attribute, or all of them, in the shape that they have."""
    match value:
        case {"dataType": str()}:
            secret = {name: one for name, one in value.items() if name != "dataType"}
            return _attribute({"StringValue": MASK, "DataType": "String"}), secret
        case dict() if all(isinstance(one, dict) for one in value.values()):
            hidden = {name: _attribute_hidden(one) for name, one in value.items()}
            return {name: one for name, (one, _) in hidden.items()}, [secret for _, secret in hidden.values()]
    return MASK, value


def _as_sent(shown: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Attributes as ReceiveMessage names them; a hidden part of one counts as its text."""
    return {
        name: {"DataType": str(one["dataType"]), "StringValue": str(one.get("stringValue", one.get("binaryValue", "")))}
        for name, one in shown.items()
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


VIEW = View(
    record="SQS message",
    payload="body",
    content=lambda record: record.raw["Body"],
    fields=lambda render, record: render([record])["Records"][0],
    keys=frozenset(
        [
            "messageId",
            "receiptHandle",
            "attributes",
            "messageAttributes",
            "md5OfMessageAttributes",
            "md5OfBody",
            "eventSource",
            "eventSourceARN",
            "awsRegion",
            "envelopes",
        ]
    ),
    masking=Masking(
        mask=masked,
        fixed=frozenset(["messageId", "eventSource", "eventSourceARN", "awsRegion"]),
        key="attributes.MessageGroupId",
    ),
)
"""A message as in the event; the body parsed when the pattern's is an object (lambda-semantics 7)."""


def _attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in attributes.items()}


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
