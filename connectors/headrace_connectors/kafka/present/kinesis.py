"""Kafka messages as records of a Kinesis stream: a partition is a shard. Each of them can be shown. Pure.

* `sequenceNumber`: 56 digits, of the partition and the offset: it grows with the offset, and no two are the same.
* `partitionKey`: the message's key; base64 where that is no UTF-8. Without a key it is the offset: in a stream, too,
  what nothing orders is given a key of its own.
* `data`: the value; that of a tombstone is empty.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence

from headrace.model import Event, Origin, Record
from headrace_connectors.kafka.event import arrival
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.present.shape import (
    Around,
    Presented,
    are_shown,
    by_position,
    of_kafka,
    shard_of,
    text_id,
    with_key,
)
from headrace_connectors.kinesis import event
from headrace_connectors.kinesis.origin import origin


class KinesisShape:
    """Of the stream that `Around.name` names."""

    view = event.VIEW
    identify = staticmethod(text_id)

    def __init__(self, around: Around) -> None:
        self._around, self._region = around, around.region
        self._arn = around.arn("kinesis", f"stream/{around.name}")

    def records(self, messages: Sequence[Message], *, received: float) -> list[Record]:
        if not messages:
            return []
        page = [
            {
                "SequenceNumber": f"49{message.partition:010d}{message.offset:044d}",
                "ApproximateArrivalTimestamp": arrival(message, received),
                "Data": b2a_base64(message.value or b"", newline=False).decode(),
                "PartitionKey": _partition_key(message),
            }
            for message in messages
        ]
        shown = event.records(page, shard=shard_of(messages[0]), arn=self._arn, region=self._region)
        return [Presented(record, message) for record, message in zip(shown, messages, strict=True)]

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records, arn=self._arn, region=self._region)

    def origin(self, records: Sequence[Record]) -> Origin:
        if not are_shown(records):
            return of_kafka(records, self._around)
        shard = records[0].raw[event.SHARD]
        return with_key(origin(shard, by_position(records), arn=self._arn), records)


def _partition_key(message: Message) -> str:
    if message.key is None:
        return str(message.offset)
    try:
        return message.key.decode()
    except UnicodeDecodeError:
        return b2a_base64(message.key, newline=False).decode()
