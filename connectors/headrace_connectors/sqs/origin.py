"""What a failure record says of an SQS message: where it was, and the message whole. Pure."""

from __future__ import annotations

from typing import Any

from headrace.failure import iso
from headrace.model import Origin, Record
from headrace_connectors.sqs.event import render
from headrace_connectors.sqs.unwrap import ORIGINAL

BLOCK = "SQSMessageInfo"
"""AWS has no such block; its sisters are KinesisBatchInfo and DDBStreamBatchInfo."""


def origin(record: Record, *, arn: str, region: str, windowed: bool) -> Origin:
    """The payload is the event of this one message, as its handler would have been given it without `unwrap`."""
    whole = Record(record.id, record.raw.get(ORIGINAL, record.raw), record.at, record.size)
    attributes: dict[str, str] = record.raw.get("Attributes", {})
    info: dict[str, Any] = {
        "messageId": record.id,
        "approximateReceiveCount": record.attempt,
        "sentTimestamp": iso(record.at),
        **({"messageGroupId": attributes["MessageGroupId"]} if "MessageGroupId" in attributes else {}),
        "queueArn": arn,
    }
    return Origin(block=BLOCK, info=info, payload=render([whole], arn=arn, region=region, windowed=windowed))
