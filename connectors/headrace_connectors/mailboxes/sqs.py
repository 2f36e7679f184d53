"""A queue of dead letters: of failure records, of a function's dead letters, or of a redrive policy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from headrace.ending import cancelled
from headrace.errors import SourceUnavailable
from headrace.letters import Posted
from headrace.mailbox import MailboxKind
from headrace.model import Event
from headrace.plugins import Opening
from headrace.right import Right
from headrace_connectors.aws import AwsClient, AwsError, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.sqs import ARN, SqsDestinationOptions
from headrace_connectors.sqs import needs
from headrace_connectors.sqs.event import records, render
from headrace_connectors.sqs.queue import Queue, count

LEAST, LONGEST = 5, 120
"""Seconds that a letter is hidden from others: the queue's own, within these. They are renewed when half are over, and
a process that is killed leaves its letters to them."""

TEN: Final = 10
WAIT: Final = 2
"""Seconds that a receive waits: shorter ones ask some of SQS's servers only."""

EMPTY: Final = 3
"""Empty receives in a row after which nothing more is waited for, where SQS's own count says that there is something:
it is hidden by another reader, or behind a letter of its group."""

REDRIVEN_FROM: Final = "DeadLetterQueueSourceArn"


class SqsMailbox:
    """What was received is ours until it is deleted, or visible again at the end: so no letter is met twice."""

    keeps = False

    def __init__(self, opening: Opening, options: SqsDestinationOptions, _: bool) -> None:  # noqa: FBT001
        self.name = f"sqs {options.queue_name}"
        self._options, self._aws = options, options.aws(opening)
        self._connection = Connection(self._connect)
        self._held: dict[str, str] = {}
        self._visibility = LEAST
        self._renewing: asyncio.Task[None] | None = None
        self._sources: Sequence[str] | None = None

    async def _connect(self, stack: AsyncExitStack) -> tuple[AwsClient, str]:
        client = await stack.enter_async_context(aws_client("sqs", self._aws))
        return client, await self._options.url(client)

    async def letters(self) -> AsyncIterator[Posted]:
        client, url = await self._connection.get()
        own = (await Queue.describe(client, url)).visibility_timeout
        self._visibility = min(max(own, LEAST), LONGEST)
        self._renewing = asyncio.ensure_future(self._renew())
        empty = 0
        while empty < EMPTY:
            answer = await client.call(
                "ReceiveMessage",
                QueueUrl=url,
                MaxNumberOfMessages=TEN,
                VisibilityTimeout=self._visibility,
                WaitTimeSeconds=WAIT,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages") or []
            self._held |= {one["MessageId"]: one["ReceiptHandle"] for one in messages}
            for one in messages:
                yield await self._posted(one)
            empty = 0 if messages else empty + 1
            if not messages and not (await count(client, url))[0]:
                break
        await self._look_for_hidden(client, url)

    async def _look_for_hidden(self, client: AwsClient, url: str) -> None:
        """What was never ours: in another reader's hands, or behind a letter of its group."""
        visible, out, _ = await count(client, url)
        if hidden := visible + max(out - len(self._held), 0):
            raise SourceUnavailable(
                f"{self.name}: about {hidden} more letters are hidden: another reader has them, one that was killed "
                "had, or they are behind others of their group; come again for them"
            )

    async def _posted(self, message: dict[str, Any]) -> Posted:
        attributes = message.get("MessageAttributes", {})
        return Posted(
            id=message["MessageId"],
            body=message["Body"].encode(errors="surrogatepass"),
            at=int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000,
            attributes={name: one["StringValue"] for name, one in attributes.items() if "StringValue" in one},
            event=await self._own(message),
        )

    async def _own(self, message: dict[str, Any]) -> Event:
        """The message as the event of the queue that a redrive policy took it from, where that is known."""
        told = message.get("Attributes", {})
        arn = told.get(REDRIVEN_FROM) or await self._only_source()
        region = arn.split(":")[3] if arn else ""
        shown = {**message, "Attributes": {name: one for name, one in told.items() if name != REDRIVEN_FROM}}
        return render(records([shown], None, 0.0), arn=arn, region=region, windowed=False)

    async def _only_source(self) -> str:
        """The ARN of the one queue whose dead letters these are; empty where there are none, several, or no right."""
        if self._sources is None:
            client, url = await self._connection.get()
            self._sources = ()
            with suppress(AwsError):
                answer = await client.call("ListDeadLetterSourceQueues", QueueUrl=url)
                urls = answer.get("queueUrls") or answer.get("QueueUrls") or ()
                self._sources = [await _arn(client, one) for one in urls]
        return self._sources[0] if len(self._sources) == 1 else ""

    async def done(self, posted: Posted) -> None:
        client, url = await self._connection.get()
        await client.call("DeleteMessage", QueueUrl=url, ReceiptHandle=self._held[posted.id])
        del self._held[posted.id]

    async def back(self, posted: Posted) -> None:
        """It is held to the end, so that it is not received again before."""

    async def _renew(self) -> None:
        """Until cancelled. A renewal that fails is tried at the next turn, when there is still time."""
        client, url = await self._connection.get()
        while True:
            await asyncio.sleep(self._visibility / 2)
            with suppress(AwsError):
                await self._change(client, url, dict(self._held), self._visibility)

    @staticmethod
    async def _change(client: AwsClient, url: str, held: Mapping[str, str], seconds: int) -> None:
        receipts = list(held.values())
        for start in range(0, len(receipts), TEN):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for number, receipt in enumerate(receipts[start : start + TEN])
            ]
            await client.call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)

    async def close(self) -> None:
        if self._renewing is not None:
            await cancelled(self._renewing)
            self._renewing = None
        held, self._held = self._held, {}
        if held:
            with suppress(AwsError):  # else they are visible again when their time is over
                client, url = await self._connection.get()
                await self._change(client, url, held, 0)
        await self._connection.close()


async def _arn(client: AwsClient, url: str) -> str:
    answer = await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _text(text: str) -> Mapping[str, Any] | None:
    if ARN.fullmatch(text):
        return {"queue_arn": text}
    return {"queue_url": text} if re.fullmatch(r"https?://[^/\s]+/\S+", text) else None


def _rights(opening: Opening, options: SqsDestinationOptions) -> Iterator[Right]:
    aws = options.aws(opening)
    return needs.to_read(aws, options.arn(aws), named=options.queue_arn is not None)


sqs = MailboxKind(
    type="sqs",
    form="a queue's URL or ARN",
    options=SqsDestinationOptions,
    text=_text,
    identity=lambda opening, options: options.address(opening),
    open=SqsMailbox,
    shown=lambda options: options.queue_url or options.queue_arn,
    rights=_rights,
)
