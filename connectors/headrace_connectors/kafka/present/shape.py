"""What a shape is: how the messages of a partition become records, events and failure records of some source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from headrace.filters import View
from headrace.model import Event, Origin, Record, Unreadable
from headrace_connectors.kafka import event
from headrace_connectors.kafka import origin as kafka
from headrace_connectors.kafka.message import Message

ACCOUNT: Final = "000000000000"

OF_MESSAGES: Final = uuid5(NAMESPACE_URL, "headrace:kafka")
"""The namespace of messages' ids. A promise: it never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a shape is told: its records' ARNs are made of it, and are the same as long as it is.

    Attributes:
        name: of the queue, stream or table that the records are shown to be of.
        bootstrap_servers: joined by commas.
        windowed: the mapping has a batching window.
    """

    name: str
    bootstrap_servers: str
    region: str = "us-east-1"
    account: str = ACCOUNT
    windowed: bool = False

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


class Shape(Protocol):
    """One shape. Pure; a message that comes again is the same record, by the same id.

    What a shape cannot show becomes an `Unreadable`, which the engine gives up by itself. In every shape a record's
    token is its offset.
    """

    @property
    def view(self) -> View:
        """What filters see."""
        ...

    def records(self, messages: Sequence[Message], *, received: float) -> Sequence[Record]:
        """Of *messages*, which are of one partition; *received* is the arrival of what has no time of its own."""
        ...

    def render(self, records: Sequence[Record]) -> Event:
        """As `Source.render`, of one partition."""
        ...

    def identify(self, identifier: object) -> str | None:
        """As `Source.identify`."""
        ...

    def origin(self, records: Sequence[Record]) -> Origin:
        """As `Source.origin`, of one partition."""
        ...


class Presented(Record):
    """A record in the shape of another source; *of* is its message."""

    __slots__ = ("of",)

    def __init__(self, shown: Record, of: Message) -> None:
        super().__init__(shown.id, shown.raw, shown.at, shown.size, shown.key, str(of.offset), shown.attempt)
        self.of = of


def unreadable(message: Message, why: str, *, received: float) -> Unreadable:
    """*message* where its shape cannot show it, by the name that Kafka's own shape gives it."""
    (known,) = event.records([message], received=received)
    return Unreadable(known.id, why, message, at=known.at, size=known.size, key=known.key, token=known.token)


def uuid_of(message: Message) -> UUID:
    """The same for a message whenever it comes."""
    return uuid5(OF_MESSAGES, f"{event.name_of(message)}:{message.offset}")


def shard_of(message: Message) -> str:
    """A partition, as the shard that it is shown as."""
    return f"shardId-{message.partition:012d}"


def text_id(identifier: object) -> str | None:
    """`Shape.identify` where records are known by texts."""
    return identifier if isinstance(identifier, str) else None


def are_shown(records: Sequence[Record]) -> bool:
    """False if one of them cannot be."""
    return not any(isinstance(record, Unreadable) for record in records)


def by_position(records: Sequence[Record]) -> list[Record]:
    """*records* with what they are known by as their position, as streams have it."""
    return [Record(one.id, one.raw, one.at, one.size, one.key, one.id) for one in records]


def of_kafka(records: Sequence[Record], around: Around) -> Origin:
    """What is said of records where one of them cannot be shown: where they are in Kafka, and all of them whole."""
    return kafka.origin(records, bootstrap_servers=around.bootstrap_servers)


def with_key(origin: Origin, records: Sequence[Record]) -> Origin:
    """*origin* with the key of the one message that it is about."""
    return replace(origin, key=kafka.message_of(records[0]).key) if len(records) == 1 else origin
