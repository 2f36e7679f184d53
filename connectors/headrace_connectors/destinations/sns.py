"""An SNS topic, standard or FIFO, as a destination: one JSON record a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from headrace.destination import Message, Reply
from headrace.errors import Fault
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.right import Need, Right
from headrace_connectors.attributes import entry_of, weight
from headrace_connectors.aws import AwsError, AwsSettings, aws_client, make_ready
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.connection import not_said, settings_of
from headrace_connectors.destinations.tens import Batch, Number, Tens, of_group
from headrace_connectors.limits import SNS
from headrace_connectors.needs import needed

ARN = re.compile(r"arn:[\w-]+:sns:(?P<region>[\w-]+):\d{12}:(?P<name>[\w-]{1,256}(?:\.fifo)?)", re.ASCII)


class SnsDestinationOptions(AwsSettings):
    """`destination: {type: sns, …}`."""

    topic_arn: str = Field(description="The topic's ARN.")

    @field_validator("topic_arn")
    @classmethod
    def _is_arn(cls, value: str) -> str:
        if not ARN.fullmatch(value):
            raise ValueError("must be a topic's ARN: arn:aws:sns:REGION:ACCOUNT:NAME")
        return value

    @property
    def topic_name(self) -> str:
        return self.topic_arn.rpartition(":")[2]

    def aws(self, opening: Opening) -> AwsSettings:
        """Its own settings, then the ARN's region, then the config's."""
        return settings_of(self, opening, region=self.topic_arn.split(":")[3])


class SnsDestination:
    """Connects at the first message. A FIFO topic gets the source's group, and tells repeats within five minutes.

    Confirmed is what the topic has taken. What it does with it, to nobody or to a queue that is gone, is not seen here.
    """

    def __init__(self, opening: Opening, options: SnsDestinationOptions) -> None:
        self.name = f"sns {options.topic_name}"
        self._opening, self._options = opening, options
        self._fifo = options.topic_name.endswith(".fifo")
        self._connection = Connection.of(lambda: aws_client("sns", options.aws(opening)))
        make_ready()
        self._tens = Tens(call=self._call, limit=SNS, taker="SNS", weight=weight)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        return await self._tens.send(messages)

    async def _call(self, batch: Batch) -> dict[str, Any]:
        client = await self._connection.get()
        entries = [self._entry(number, one) for number, one in batch.items()]
        topic = self._options.topic_arn
        return await client.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)

    def _entry(self, number: Number, message: Message) -> dict[str, Any]:
        entry = {"Id": str(number), "Message": message.body.decode(), **entry_of(message)}
        return entry | of_group(message, self._opening.mapping) if self._fifo else entry

    async def close(self) -> None:
        await self._connection.close()


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"topic_arn": text} if ARN.fullmatch(text) else None


async def _probe(opening: Opening, options: SnsDestinationOptions) -> Probe:
    """Ask the topic's server once. Publishing needs less rights than being described."""
    try:
        async with aws_client("sns", options.aws(opening)) as client:
            answer = await client.call("GetTopicAttributes", TopicArn=options.topic_arn)
    except AwsError as error:
        return not_said("topic_arn", error)
    values = {"topic_arn": options.topic_arn}
    if (answer.get("Attributes") or {}).get("SubscriptionsConfirmed") == "0":
        unheard = "has no subscription: what is sent to it is gone; subscribe a queue to it"
        return Probe(values=values, warnings=[Fault("topic_arn", unheard)])
    return Probe(values=values)


def _rights(opening: Opening, options: SnsDestinationOptions) -> Iterator[Right]:
    aws = options.aws(opening)
    yield from needed(aws, "sns", ("PublishBatch",), options.topic_arn)
    yield from needed(aws, "sns", ("GetTopicAttributes",), options.topic_arn, Need.CHECK)


sns = DestinationKind(
    type="sns",
    summary="An Amazon SNS topic, standard or FIFO: one JSON record a message, confirmed entry by entry.",
    options=SnsDestinationOptions,
    open=SnsDestination,
    probe=_probe,
    attributes=True,
    text=_of_text,
    text_form="a topic's ARN",
    limit=SNS,
    rights=_rights,
)
