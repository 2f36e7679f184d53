"""Kafka messages as messages of an SQS queue. Pure.

* `body` is the value, as text: what is null, or no UTF-8, is given up.
* `messageAttributes` are the headers: String where they are UTF-8, else Binary; none that is null, and of a name that
  comes twice the last.
* `attributes`: the time that it was sent is the message's own, and the first receive is then: nothing here remembers
  more. A queue whose name ends in `.fifo` has a group, too: the key, or without one the partition.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from headrace.model import Event, Origin, Record
from headrace_connectors.kafka.event import arrival, name_of
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.present.shape import (
    Around,
    Presented,
    are_shown,
    of_kafka,
    text_id,
    unreadable,
    uuid_of,
    with_key,
)
from headrace_connectors.sqs import event
from headrace_connectors.sqs.digests import of_attributes, of_body
from headrace_connectors.sqs.origin import BLOCK, origin

FIFO: Final = ".fifo"


class SqsShape:
    """Of the queue that `Around.name` names."""

    view = event.VIEW
    identify = staticmethod(text_id)

    def __init__(self, around: Around) -> None:
        self._around = around
        self._shown: Final[dict[str, Any]] = {
            "arn": around.arn("sqs", around.name),
            "region": around.region,
            "windowed": around.windowed,
        }

    def records(self, messages: Sequence[Message], *, received: float) -> list[Record]:
        return [self._record(message, received) for message in messages]

    def _record(self, message: Message, received: float) -> Record:
        if message.value is None:
            why = "its value is null, a tombstone; a queue's message has a body"
            return unreadable(message, why, received=received)
        try:
            body = message.value.decode()
        except UnicodeDecodeError as error:
            why = f"its value is no text in UTF-8, as a queue's body is: {error.reason} at byte {error.start}"
            return unreadable(message, why, received=received)
        (shown,) = event.records([self._message(message, body, received)], None, math.inf)
        return Presented(shown, message)

    def _message(self, message: Message, body: str, received: float) -> dict[str, Any]:
        """What ReceiveMessage would give."""
        own, time = str(uuid_of(message)), str(round(arrival(message, received) * 1000))
        group = self._group(message, own) if self._around.name.endswith(FIFO) else ({}, {})
        attributes = {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": time,
            **group[0],
            "SenderId": self._around.account,
            **group[1],
            "ApproximateFirstReceiveTimestamp": time,
        }
        sent = {
            "MessageId": own,
            "ReceiptHandle": b64encode(f"{name_of(message)}:{message.offset}".encode()).decode(),
            "Body": body,
            "MD5OfBody": of_body(body),
            "Attributes": attributes,
        }
        if own_attributes := _attributes(message):
            sent |= {"MessageAttributes": own_attributes, "MD5OfMessageAttributes": of_attributes(own_attributes)}
        return sent

    @staticmethod
    def _group(message: Message, own: str) -> tuple[dict[str, str], dict[str, str]]:
        """What a FIFO queue's messages have besides, on either side of the sender, as AWS orders them."""
        group = name_of(message) if message.key is None else message.key.decode(errors="backslashreplace")
        number = f"1{message.offset:019d}"
        return {"SequenceNumber": number, "MessageGroupId": group}, {"MessageDeduplicationId": own}

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records, **self._shown)

    def origin(self, records: Sequence[Record]) -> Origin:
        """SQS's block is of one message; several that a log gave up together have their ids in it."""
        if not are_shown(records):
            return of_kafka(records, self._around)
        if len(records) == 1:
            return with_key(origin(records[0], **self._shown), records)
        info = {"messageIds": [record.id for record in records], "queueArn": self._shown["arn"]}
        return Origin(block=BLOCK, info=info)


def _attributes(message: Message) -> dict[str, dict[str, Any]]:
    return {name: _attribute(value) for name, value in message.headers if value is not None}


def _attribute(value: bytes) -> dict[str, Any]:
    try:
        return {"StringValue": value.decode(), "DataType": "String"}
    except UnicodeDecodeError:
        return {"BinaryValue": value, "DataType": "Binary"}
