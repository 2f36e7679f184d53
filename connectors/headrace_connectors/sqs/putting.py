"""Messages are sent to their queue once more, with the attributes that their senders gave them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.destination import CONFIRMED, Reply, Said, plain
from headrace.model import Record
from headrace.plugins import Opening
from headrace_connectors.aws import AwsError, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.unwrap import ORIGINAL
from headrace_connectors.tracing import ATTRIBUTE

GROUP, DEDUPLICATION = "MessageGroupId", "MessageDeduplicationId"


class PutBackToQueue:
    """The queue of a mapping.

    SQS gives each message a new id. One of a FIFO queue keeps its group; the queue tells a repeat within five minutes.
    """

    def __init__(self, opening: Opening) -> None:
        options: SqsOptions = opening.options
        self._url, self._fifo = options.queue_url, options.fifo
        self._connection = Connection.of(lambda: aws_client("sqs", options.aws(opening)))

    async def send(self, records: Sequence[Record]) -> Sequence[Reply]:
        return [await self._send(record) for record in records]

    async def _send(self, record: Record) -> Reply:
        try:
            client = await self._connection.get()
            await client.call("SendMessage", QueueUrl=self._url, **message_of(record, fifo=self._fifo))
        except AwsError as error:
            return Reply(Said.FAILED, str(error))
        return CONFIRMED

    async def close(self) -> None:
        await self._connection.close()


def message_of(record: Record, *, fifo: bool) -> dict[str, Any]:
    """The parameters of SendMessage: the message as it was before anything was unwrapped."""
    message: Mapping[str, Any] = record.raw.get(ORIGINAL, record.raw)
    told: Mapping[str, str] = message.get("Attributes", {})
    sent: dict[str, Any] = {"MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        sent["MessageAttributes"] = {name: _attribute(one) for name, one in attributes.items()}
    if ATTRIBUTE in told:
        sent["MessageSystemAttributes"] = {ATTRIBUTE: {"DataType": "String", "StringValue": told[ATTRIBUTE]}}
    if fifo:
        sent[GROUP] = told.get(GROUP) or record.id
        sent[DEDUPLICATION] = plain(f"replay-{record.id}-{message.get('MD5OfBody', '')}")
    elif GROUP in told:  # fair queues: a standard queue's group
        sent[GROUP] = told[GROUP]
    return sent


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    binary = value.get("BinaryValue")
    if not isinstance(binary, str):
        return dict(value)
    return {**value, "BinaryValue": base64.b64decode(binary)}
