"""Records are put on their stream once more, under the same partition key."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from headrace.destination import CONFIRMED, Reply, Said
from headrace.model import Record
from headrace.plugins import Opening
from headrace_connectors.aws import AwsError, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.kinesis.options import KinesisOptions


class PutBackToStream:
    """The stream of a mapping. Each record gets a new sequence number, behind all that are there."""

    def __init__(self, opening: Opening) -> None:
        options: KinesisOptions = opening.options
        self._named: dict[str, Any] = {"StreamARN": options.arn} if options.arn else {"StreamName": options.name}
        self._connection = Connection.of(lambda: aws_client("kinesis", options.aws(opening)))

    async def send(self, records: Sequence[Record]) -> Sequence[Reply]:
        """One by one, so that the order of a key stays: PutRecords promises none."""
        replies: list[Reply] = []
        for record in records:
            try:
                client = await self._connection.get()
                data = base64.b64decode(record.raw["Data"])
                await client.call("PutRecord", **self._named, PartitionKey=record.key, Data=data)
            except AwsError as error:  # what follows must not overtake it
                return [*replies, *[Reply(Said.FAILED, str(error))] * (len(records) - len(replies))]
            replies.append(CONFIRMED)
        return replies

    async def close(self) -> None:
        await self._connection.close()
