"""An SQS queue, standard or FIFO, as a destination: one JSON record a message."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

from pydantic import Field, field_validator, model_validator

from headrace.destination import CONFIRMED, PATIENCE, Message, Reply, Said, plain
from headrace.errors import Fault
from headrace.plugins import DestinationKind, Opening, Probe
from headrace_connectors.aws import AwsClient, AwsError, AwsSettings, aws_client
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.queue import Queue, checked_url, name_of, region_of

MOST = 10
"""Entries that SendMessageBatch takes."""

LIMIT = 1024 * 1024
"""Bytes that SQS takes in one message, and in all the messages of one call (since August 2025)."""

ARN = re.compile(r"arn:[\w-]+:sqs:(?P<region>[\w-]+):(?P<account>\d{12}):(?P<name>[\w-]{1,80}(?:\.fifo)?)", re.ASCII)

MALFORMED = frozenset({"BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue", "MessageTooLong"})
"""Errors of a whole call that one of its messages has caused, by the last part of their codes."""

CURABLE = re.compile(r"(?i)kms|access|denied|auth|throttl|nonexistent|notexist|overlimit")
"""Codes of an entry that call the sender at fault, where it is rights, keys or load: it may be taken later."""

Number: TypeAlias = int


class SqsDestinationOptions(AwsSettings):
    """`destination: {type: sqs, …}`."""

    queue_url: str | None = Field(None, description="The queue's URL, as GetQueueUrl gives it.")
    queue_arn: str | None = Field(None, description="The queue's ARN, instead; its URL is asked for.")

    @field_validator("queue_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        return value if value is None else checked_url(value)

    @field_validator("queue_arn")
    @classmethod
    def _is_arn(cls, value: str | None) -> str | None:
        if value is not None and not ARN.fullmatch(value):
            raise ValueError("must be a queue's ARN: arn:aws:sqs:REGION:ACCOUNT:NAME")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> SqsDestinationOptions:
        if (self.queue_url is None) == (self.queue_arn is None):
            raise ValueError("needs queue_url or queue_arn, and not both")
        return self

    @property
    def queue_name(self) -> str:
        return name_of(self.queue_url) if self.queue_url else self._arn["name"]

    @property
    def _arn(self) -> dict[str, str]:
        found = ARN.fullmatch(self.queue_arn or "")
        return found.groupdict() if found else {}

    def aws(self, opening: Opening) -> AwsSettings:
        """Its own settings, then the ARN's region, then the config's, then what the queue's URL says."""
        own = self if self.region else self.model_copy(update={"region": self._arn.get("region")})
        section = opening.sections.get("aws")
        merged = own.over(section if isinstance(section, AwsSettings) else AwsSettings())
        return merged if merged.region else merged.model_copy(update={"region": region_of(self.queue_url or "")})

    async def url(self, client: AwsClient) -> str:
        """The queue's URL. Raises AwsError."""
        if self.queue_url:
            return self.queue_url
        arn = self._arn
        answer = await client.call("GetQueueUrl", QueueName=arn["name"], QueueOwnerAWSAccountId=arn["account"])
        url: str = answer["QueueUrl"]
        return url

    def identity(self, opening: Opening) -> tuple[str | None, ...]:
        """What tells one queue from another: endpoint, region, account, name."""
        aws = self.aws(opening)
        if self.queue_url:
            return aws.endpoint_url, aws.region, *_path(self.queue_url)
        return aws.endpoint_url, aws.region, self._arn["account"], self._arn["name"]


def _path(url: str) -> tuple[str, str]:
    """Account and name, as they end a queue's URL."""
    account, _, name = url.rstrip("/").rpartition("/")
    return account.rpartition("/")[2], name


class SqsDestination:
    """Connects at the first message. A FIFO queue gets the source's group, and tells repeats within five minutes."""

    def __init__(self, opening: Opening, options: SqsDestinationOptions) -> None:
        self.name = f"sqs {options.queue_name}"
        self._opening, self._options = opening, options
        self._stack = AsyncExitStack()
        self._connecting = asyncio.Lock()
        self._ready: tuple[AwsClient, str] | None = None
        self._fifo = options.queue_name.endswith(".fifo")

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        replies: dict[Number, Reply] = {
            number: Reply(Said.REFUSED, f"its failure record takes {len(one.body)} bytes, and SQS takes {LIMIT}")
            for number, one in enumerate(messages)
            if len(one.body) > LIMIT
        }
        waiting = deque(_batches({n: one for n, one in enumerate(messages) if n not in replies}))
        while waiting:
            batch = waiting.popleft()
            try:
                replies |= await self._call(batch)
            except (AwsError, TimeoutError) as error:
                if not _is_malformed(error):
                    why = Reply(Said.FAILED, str(error) or f"no answer within {PATIENCE:g} s")
                    replies |= {number: why for rest in (batch, *waiting) for number in rest}
                    break
                if len(batch) == 1:
                    replies |= dict.fromkeys(batch, Reply(Said.REFUSED, str(error)))
                else:  # one of several has spoilt the call: each goes by itself
                    waiting.extendleft({number: one} for number, one in reversed(batch.items()))
        return [replies[number] for number in range(len(messages))]

    async def _call(self, batch: Mapping[Number, Message]) -> dict[Number, Reply]:
        """Every entry of the answer is read; what it does not name was not taken."""
        async with asyncio.timeout(PATIENCE):
            client, url = await self._connected()
            entries = [self._entry(number, one) for number, one in batch.items()]
            answer = await client.call("SendMessageBatch", QueueUrl=url, Entries=entries)
        replies = dict.fromkeys(batch, Reply(Said.FAILED, "the answer does not name it"))
        for entry in answer.get("Successful") or ():
            replies |= {number: CONFIRMED for number in batch if str(number) == entry.get("Id")}
        for entry in answer.get("Failed") or ():
            replies |= {number: _failed(entry) for number in batch if str(number) == entry.get("Id")}
        return replies

    async def _connected(self) -> tuple[AwsClient, str]:
        async with self._connecting:
            if self._ready is None:
                opening = AsyncExitStack()
                async with opening:
                    client = await opening.enter_async_context(aws_client("sqs", self._options.aws(self._opening)))
                    self._ready = client, await self._options.url(client)
                    self._stack = opening.pop_all()
            return self._ready

    def _entry(self, number: Number, message: Message) -> dict[str, Any]:
        entry = {"Id": str(number), "MessageBody": message.body.decode()}
        if self._fifo:
            entry["MessageGroupId"] = plain(message.key or self._opening.mapping)
            entry["MessageDeduplicationId"] = plain(message.id)
        return entry

    async def close(self) -> None:
        await self._stack.aclose()


def _batches(messages: Mapping[Number, Message]) -> Iterator[dict[Number, Message]]:
    """As SQS takes them: ten at most, and 1 MiB."""
    batch: dict[Number, Message] = {}
    nbytes = 0
    for number, one in messages.items():
        if len(batch) == MOST or nbytes + len(one.body) > LIMIT:
            yield batch
            batch, nbytes = {}, 0
        batch[number] = one
        nbytes += len(one.body)
    if batch:
        yield batch


def _is_malformed(error: AwsError | TimeoutError) -> bool:
    return isinstance(error, AwsError) and error.code.rpartition(".")[2] in MALFORMED


def _failed(entry: Mapping[str, Any]) -> Reply:
    code = str(entry.get("Code"))
    final = entry.get("SenderFault", False) and not CURABLE.search(code)
    return Reply(Said.REFUSED if final else Said.FAILED, f"{code}: {entry.get('Message')}")


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"queue_arn": text} if ARN.fullmatch(text) else None


def _check(opening: Opening, options: SqsDestinationOptions) -> Iterator[Fault]:
    source = opening.options
    if isinstance(source, SqsOptions):
        same = SqsDestinationOptions(**source.aws(opening).model_dump(), queue_url=source.queue_url)
        if same.identity(opening) == options.identity(opening):
            yield Fault("", "is the queue that the mapping polls: what failed would come again for ever; name another")


async def _probe(opening: Opening, options: SqsDestinationOptions) -> Probe:
    """Ask the queue's server once. Sending needs less rights than being described."""
    try:
        async with aws_client("sqs", options.aws(opening)) as client:
            queue = await Queue.describe(client, await options.url(client))
    except AwsError as error:
        fault = Fault("queue_url" if options.queue_url else "", str(error))
        denied = "denied" in error.code.lower() and options.queue_url
        return Probe(warnings=[fault]) if denied else Probe(faults=[fault])
    return Probe(values={"queue_arn": queue.arn, "queue_url": queue.url})


sqs = DestinationKind(
    type="sqs",
    summary="An Amazon SQS queue, standard or FIFO: one JSON record a message, confirmed entry by entry.",
    options=SqsDestinationOptions,
    open=SqsDestination,
    probe=_probe,
    text=_of_text,
    text_form="a queue's ARN",
    check=_check,
)
