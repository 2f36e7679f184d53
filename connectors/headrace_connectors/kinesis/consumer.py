"""A registered consumer of a stream (enhanced fan-out): who it is, and its subscriptions to shards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from headrace_connectors.aws import AwsError, AwsSettings, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.kinesis.stream import Connect, Stream
from headrace_connectors.streams.refusals import Refusal, Refused, refusal

READ_TIMEOUT = 330
"""Seconds; a subscription lasts for five minutes."""

CONNECTIONS = 10_000
"""A subscription holds one for as long as it lasts."""

ACTIVE = "ACTIVE"


def subscribing(aws: AwsSettings) -> Connect:
    """How shards are subscribed to: over HTTP/1.1, which Kinesis takes for it; every try counts against its rate."""
    return partial(aws_client, "kinesis", aws, connections=CONNECTIONS, read_timeout=READ_TIMEOUT, retries=0)


class Consumer:
    """One consumer, given by name or ARN. It is not registered by us: that costs by the hour, and is for an operator.

    `arn` is the last that was known; None before the first.
    """

    def __init__(self, given: str, stream: Stream, connect: Connect) -> None:
        self._given, self._stream = given, stream
        self._is_named = not given.startswith("arn:")
        self._found = not self._is_named
        self._connection = Connection.of(connect)
        self.arn: str | None = None if self._is_named else given

    async def known(self) -> str:
        """Its ARN.

        Raises:
            Refused: nobody has registered it, or it is not active yet.
        """
        if self.arn is None or not self._found:
            self.arn = await self._ask()
            self._found = True
        return self.arn

    async def _ask(self) -> str:
        try:
            told = await self._stream.consumer(self._given)
        except AwsError as error:
            if refusal(error) is not Refusal.MISSING:
                raise
            stream = (await self._stream.known()).arn
            register = f"aws kinesis register-stream-consumer --stream-arn {stream} --consumer-name {self._given}"
            raise Refused(
                Refusal.MISSING, f"{stream} has no consumer {self._given}; register it: {register}"
            ) from error
        if told.get("ConsumerStatus") != ACTIVE:
            raise Refused(Refusal.UNAVAILABLE, f"the consumer {self._given} is {told.get('ConsumerStatus')}")
        return str(told["ConsumerARN"])

    @asynccontextmanager
    async def subscribe(self, shard: str, start: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The events of *shard* from StartingPosition *start* on, until Kinesis ends the subscription.

        Raises:
            AwsError: from the events too.
            Refused: the consumer is not there, or somebody else subscribes as it.
        """
        client = await self._connection.get()
        arn = await self.known()
        try:
            async with client.stream(
                "SubscribeToShard", ConsumerARN=arn, ShardId=shard, StartingPosition=start
            ) as told:
                yield told
        except AwsError as error:
            if refusal(error) is Refusal.MISSING and self._is_named:
                self._found = False  # it may have been registered anew, under another ARN
            if error.code == "ResourceInUseException":
                raise Refused(Refusal.THROTTLED, f"{error}; a consumer is for one mapping, in one service") from error
            raise

    async def close(self) -> None:
        await self._connection.close()
