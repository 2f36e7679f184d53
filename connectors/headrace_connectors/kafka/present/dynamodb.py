"""Kafka messages as records of a DynamoDB stream: a partition is a shard, the value a change as JSON. Pure.

What is no change is given up. The ids are of the partition and the offset even where the value has its own, since a
topic may hold a change twice; times and sizes are the value's, where it has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headrace.model import Event, Origin, Record
from headrace_connectors.dynamodb import event
from headrace_connectors.dynamodb.origin import origin
from headrace_connectors.kafka.event import LAST_SECOND, arrival
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.origin import message_of
from headrace_connectors.kafka.present.change import UndecodableError, change
from headrace_connectors.kafka.present.shape import (
    Around,
    Presented,
    are_shown,
    by_position,
    of_kafka,
    shard_of,
    text_id,
    unreadable,
    uuid_of,
    with_key,
)

LABEL: Final = "2020-01-01T00:00:00.000"
"""Of the stream, in its ARN; on AWS the time at which it was switched on."""


class DynamoDBShape:
    """Of the table that `Around.name` names."""

    view = event.VIEW
    identify = staticmethod(text_id)

    def __init__(self, around: Around) -> None:
        self._around, self._region = around, around.region
        self._arn = around.arn("dynamodb", f"table/{around.name}/stream/{LABEL}")

    def records(self, messages: Sequence[Message], *, received: float) -> list[Record]:
        return [self._record(message, received) for message in messages]

    def _record(self, message: Message, received: float) -> Record:
        try:
            found = change(message.value)
        except UndecodableError as error:
            return unreadable(message, str(error), received=received)
        own = found.dynamodb.get("ApproximateCreationDateTime")
        is_time = isinstance(own, int | float) and not isinstance(own, bool) and 0 <= own <= LAST_SECOND
        sent = {
            "eventID": uuid_of(message).hex,
            "eventName": found.name,
            "dynamodb": {
                **found.dynamodb,
                "ApproximateCreationDateTime": own if is_time else int(arrival(message, received)),
                "SequenceNumber": f"1{message.partition:010d}{message.offset:020d}",
            },
            **({} if found.identity is None else {"userIdentity": found.identity}),
        }
        (shown,) = event.records([sent], arn=self._arn, region=self._region)
        return Presented(shown, message)

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records)

    def origin(self, records: Sequence[Record]) -> Origin:
        if not are_shown(records):
            return of_kafka(records, self._around)
        return with_key(origin(shard_of(message_of(records[0])), by_position(records)), records)
