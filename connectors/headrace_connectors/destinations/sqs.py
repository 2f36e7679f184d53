"""An SQS queue, standard or FIFO, as a destination: one JSON record a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pydantic import Field, field_validator, model_validator

from headrace.destination import Message, Reply
from headrace.errors import Fault
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.right import Need, Right
from headrace_connectors.attributes import entry_of, weight
from headrace_connectors.aws import AwsClient, AwsError, AwsSettings, aws_client, make_ready
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.connection import not_said, settings_of
from headrace_connectors.destinations.tens import Batch, Number, Tens, of_group
from headrace_connectors.limits import SQS
from headrace_connectors.needs import needed, thing
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.queue import Queue, account_of, address, checked_url, name_of, region_of
from headrace_connectors.tracing import ATTRIBUTE, trace_of

ARN = re.compile(r"arn:[\w-]+:sqs:(?P<region>[\w-]+):(?P<account>\d{12}):(?P<name>[\w-]{1,80}(?:\.fifo)?)", re.ASCII)


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
        return settings_of(self, opening, region=self._arn.get("region"), otherwise=region_of(self.queue_url or ""))

    def arn(self, aws: AwsSettings) -> str:
        """The queue's ARN, with `*` for what neither its URL nor *aws* says."""
        return self.queue_arn or thing(aws, "sqs", "SendMessageBatch", QueueUrl=self.queue_url or "")

    async def url(self, client: AwsClient) -> str:
        """The queue's URL. Raises AwsError."""
        if self.queue_url:
            return self.queue_url
        arn = self._arn
        answer = await client.call("GetQueueUrl", QueueName=arn["name"], QueueOwnerAWSAccountId=arn["account"])
        url: str = answer["QueueUrl"]
        return url

    def address(self, opening: Opening) -> str:
        """What tells it from another."""
        account = account_of(self.queue_url) if self.queue_url else self._arn["account"]
        return address(self.aws(opening), account, self.queue_name)


class SqsDestination:
    """Connects at the first message. A FIFO queue gets the source's group, and tells repeats within five minutes."""

    def __init__(self, opening: Opening, options: SqsDestinationOptions) -> None:
        self.name = f"sqs {options.queue_name}"
        self._opening, self._options = opening, options
        self._fifo = options.queue_name.endswith(".fifo")
        self._connection = Connection(self._connect)
        make_ready()
        self._tens = Tens(call=self._call, limit=SQS, taker="SQS", weight=weight)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        return await self._tens.send(messages)

    async def _connect(self, stack: AsyncExitStack) -> tuple[AwsClient, str]:
        client = await stack.enter_async_context(aws_client("sqs", self._options.aws(self._opening)))
        return client, await self._options.url(client)

    async def _call(self, batch: Batch) -> dict[str, Any]:
        client, url = await self._connection.get()
        entries = [self._entry(number, one) for number, one in batch.items()]
        return await client.call("SendMessageBatch", QueueUrl=url, Entries=entries)

    def _entry(self, number: Number, message: Message) -> dict[str, Any]:
        entry = {"Id": str(number), "MessageBody": message.body.decode(), **entry_of(message)}
        if message.bare:  # as Lambda itself hands a trace on: SQS counts it as none of the message's attributes
            entry["MessageSystemAttributes"] = {ATTRIBUTE: {"DataType": "String", "StringValue": trace_of(message)}}
        return entry | of_group(message, self._opening.mapping) if self._fifo else entry

    async def close(self) -> None:
        await self._connection.close()


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"queue_arn": text} if ARN.fullmatch(text) else None


def _check(opening: Opening, options: SqsDestinationOptions) -> Iterator[Fault]:
    source = opening.options
    if isinstance(source, SqsOptions) and source.address(opening) == options.address(opening):
        yield Fault("", "is the queue that the mapping polls: what it is told would come again for ever; name another")


async def _probe(opening: Opening, options: SqsDestinationOptions) -> Probe:
    """Ask the queue's server once. Sending needs less rights than being described."""
    try:
        async with aws_client("sqs", options.aws(opening)) as client:
            queue = await Queue.describe(client, await options.url(client))
    except AwsError as error:
        return not_said("queue_url" if options.queue_url else "", error, needed=not options.queue_url)
    return Probe(values={"queue_arn": queue.arn, "queue_url": queue.url})


def _rights(opening: Opening, options: SqsDestinationOptions) -> Iterator[Right]:
    """A queue that an ARN names is asked for its URL before it is sent to."""
    aws = options.aws(opening)
    queue = options.arn(aws)
    yield from needed(
        aws, "sqs", ("GetQueueUrl", "SendMessageBatch") if options.queue_arn else ("SendMessageBatch",), queue
    )
    yield from needed(aws, "sqs", ("GetQueueAttributes",), queue, Need.CHECK)


sqs = DestinationKind(
    type="sqs",
    summary="An Amazon SQS queue, standard or FIFO: one JSON record a message, confirmed entry by entry.",
    options=SqsDestinationOptions,
    open=SqsDestination,
    probe=_probe,
    attributes=True,
    addresses=lambda opening, options: [options.address(opening)],
    text=_of_text,
    text_form="a queue's ARN",
    check=_check,
    limit=SQS,
    rights=_rights,
)
