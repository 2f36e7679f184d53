"""Records are put on their stream once more, under the same partition key."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from headrace.destination import CONFIRMED, Reply, Said
from headrace.model import Record
from headrace.plugins import Opening
from headrace_connectors.aws import AwsClient, AwsError, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.kinesis.options import KinesisOptions


class PutBackToStream:
    """The stream of a mapping. Each record gets a new sequence number, behind all that are there."""

    def __init__(self, opening: Opening) -> None:
        options: KinesisOptions = opening.options
        self._named: dict[str, Any] = {"StreamARN": options.arn} if options.arn else {"StreamName": options.name}
        self._aws = options.aws(opening)
        self._connection = Connection(self._connect)

    async def _connect(self, stack: AsyncExitStack) -> AwsClient:
        return await stack.enter_async_context(aws_client("kinesis", self._aws))

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
