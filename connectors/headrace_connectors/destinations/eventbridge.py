"""An EventBridge bus as a destination: one event a record, as Lambda sends the outcome of an invocation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import Field, field_validator, model_validator

from headrace.destination import SUCCESS, Message, Reply
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.right import Need, Right
from headrace_connectors.aws import DENIED, AwsClient, AwsError, AwsSettings, aws_client, make_ready
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.connection import not_said, settings_of
from headrace_connectors.destinations.tens import Batch, Tens
from headrace_connectors.limits import EVENTBRIDGE
from headrace_connectors.needs import needed, thing
from headrace_connectors.tracing import trace_of

NAME: Final = r"[/.\-_A-Za-z0-9]{1,256}"
ARN: Final = re.compile(rf"arn:[\w-]+:events:(?P<region>[\w-]+):\d{{12}}:event-bus/(?P<name>{NAME})", re.ASCII)

SOURCE: Final = "lambda"
OUTCOME: Final = "Lambda Function Invocation Result - "

FINAL: Final = frozenset({"MalformedDetail"})
"""Codes of an entry that the entry itself has caused."""

LOOKED_AT: Final = 60.0
"""Seconds that a bus which was seen counts as there."""


class EventBridgeDestinationOptions(AwsSettings):
    """`destination: {type: eventbridge, …}`."""

    event_bus_name: str | None = Field(None, pattern=f"^{NAME}$", description="The bus's name: default, or your own.")
    event_bus_arn: str | None = Field(None, description="The bus's ARN, instead.")

    @field_validator("event_bus_arn")
    @classmethod
    def _is_arn(cls, value: str | None) -> str | None:
        if value is not None and not ARN.fullmatch(value):
            raise ValueError("must be a bus's ARN: arn:aws:events:REGION:ACCOUNT:event-bus/NAME")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> EventBridgeDestinationOptions:
        if (self.event_bus_name is None) == (self.event_bus_arn is None):
            raise ValueError("needs event_bus_name or event_bus_arn, and not both")
        return self

    @property
    def bus(self) -> str:
        """As PutEvents takes it: an ARN, for the bus may be another account's, or a name."""
        return self.event_bus_arn or self.event_bus_name or ""

    @property
    def names(self) -> Sequence[str]:
        """What to ask for it by: servers know a bus of their own by its name, another account's by its ARN alone."""
        return (self.bus.rpartition("event-bus/")[2], self.bus) if self.event_bus_arn else (self.bus,)

    def aws(self, opening: Opening) -> AwsSettings:
        """Its own settings, then the ARN's region, then the config's."""
        found = ARN.fullmatch(self.event_bus_arn or "")
        return settings_of(self, opening, region=found["region"] if found else None)


class EventBridgeDestination:
    """Connects at the first message.

    EventBridge takes events for a bus that does not exist, and forgets them. So the bus is looked at before it is sent
    to, once a minute at most; where that is not allowed, its word is all there is.
    """

    def __init__(self, opening: Opening, options: EventBridgeDestinationOptions) -> None:
        self.name = f"eventbridge {options.names[0]}"
        self._opening, self._options = opening, options
        self._connection = Connection.of(lambda: aws_client("events", options.aws(opening)))
        self._arn, self._until = options.event_bus_arn or "", 0.0
        make_ready()
        self._tens = Tens(call=self._call, limit=EVENTBRIDGE, taker="EventBridge", weight=self._weight)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        return await self._tens.send(messages)

    async def _call(self, batch: Batch) -> dict[str, Any]:
        client = await self._connection.get()
        await self._look(client)
        answer = await client.call("PutEvents", Entries=[self._entry(one) for one in batch.values()])
        return _by_id(batch, answer.get("Entries") or (), self._arn or self._options.bus)

    async def _look(self, client: AwsClient) -> None:
        now = self._opening.clock.boot()
        if now < self._until:
            return
        try:
            self._arn = await arn_of(client, self._options)
        except AwsError as error:
            if not error.denied:
                raise
            self._opening.log.warning("eventbridge.not_seen", bus=self._options.bus, reason=str(error))
        self._until = now + LOOKED_AT

    def _entry(self, message: Message) -> dict[str, Any]:
        entry = {
            "EventBusName": self._options.bus,
            "Source": SOURCE,
            "DetailType": _detail_type(message),
            "Detail": message.body.decode(),
            "Resources": [one for one in (self._arn, message.function_arn) if one],
        }
        return entry | {"TraceHeader": trace} if (trace := trace_of(message)) else entry

    def _weight(self, message: Message) -> int:
        """As EventBridge counts: source, detail type, detail and resources, and not the tracing header."""
        beside = (SOURCE, _detail_type(message), self._arn, message.function_arn)
        return len(message.body) + sum(len(text.encode(errors="replace")) for text in beside)

    async def close(self) -> None:
        await self._connection.close()


def _detail_type(message: Message) -> str:
    return OUTCOME + ("Success" if message.condition == SUCCESS else "Failure")


def _by_id(batch: Batch, entries: Sequence[Mapping[str, Any]], bus: str) -> dict[str, Any]:
    """The answer, which goes by position, as SQS and SNS give theirs. What it does not reach was not taken.

    A bus of another account denies its entries one by one.
    """
    taken: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for number, entry in zip(batch, entries, strict=False):
        code = entry.get("ErrorCode")
        if code is None and entry.get("EventId"):
            taken.append({"Id": str(number)})
        elif code is not None:
            mend = f"; allow events:PutEvents on {bus}" if code in DENIED else ""
            told = {"Code": code, "Message": f"{entry.get('ErrorMessage')}{mend}", "SenderFault": code in FINAL}
            failed.append({"Id": str(number), **told})
    return {"Successful": taken, "Failed": failed}


async def arn_of(client: AwsClient, options: EventBridgeDestinationOptions) -> str:
    """The bus's ARN, by its server. Raises AwsError: there is none, or it cannot be asked."""
    for name in options.names:
        try:
            arn: str = (await client.call("DescribeEventBus", Name=name))["Arn"]
        except AwsError as error:
            if name == options.names[-1] or error.code != "ResourceNotFoundException":
                raise
        else:
            if options.event_bus_arn in {None, arn}:
                return arn
    raise AwsError("ResourceNotFoundException", f"there is no bus {options.bus}")


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"event_bus_arn": text} if ARN.fullmatch(text) else None


async def _probe(opening: Opening, options: EventBridgeDestinationOptions) -> Probe:
    """Ask the bus's server once. Sending needs less rights than being described."""
    path = "event_bus_arn" if options.event_bus_arn else "event_bus_name"
    try:
        async with aws_client("events", options.aws(opening)) as client:
            return Probe(values={"event_bus_arn": await arn_of(client, options)})
    except AwsError as error:
        return not_said(path, error)


def _rights(opening: Opening, options: EventBridgeDestinationOptions) -> Iterator[Right]:
    """A bus is looked at by its name, and so in whichever account: `EventBridgeDestinationOptions.names`."""
    aws = options.aws(opening)
    named = thing(aws, "events", "DescribeEventBus", Name=options.names[0])
    yield from needed(aws, "events", ("PutEvents",), options.event_bus_arn or named)
    yield from needed(aws, "events", ("DescribeEventBus",), named, Need.LOOK)


eventbridge = DestinationKind(
    type="eventbridge",
    summary="An Amazon EventBridge bus: one event a record, as Lambda sends it, confirmed entry by entry.",
    options=EventBridgeDestinationOptions,
    open=EventBridgeDestination,
    probe=_probe,
    text=_of_text,
    text_form="a bus's ARN",
    limit=EVENTBRIDGE,
    rights=_rights,
)
