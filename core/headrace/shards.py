"""What a sharded log is to the engine: shards that are listed, leased one by one, and read forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from headrace.logparts import Reader
from headrace.model import Condition, Event, Origin, Position, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A shard as its stream tells of it; `closed`: nothing more will be written to it."""

    name: str
    parents: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every shard of a stream that still holds records, from every page of the answer.

    Attributes:
        identity: of this stream and no other: another of the same name, made after this one was deleted, has another.
        now: the server's own time when it was asked, in Unix seconds.
    """

    identity: str
    shards: tuple[Listed, ...]
    now: float


Found: TypeAlias = Callable[[Sequence[Listed]], None]
"""Is told of the children of a shard that has ended."""


class ShardReader(Reader, Protocol):
    """A `Reader` that tells how it is doing; a server that is away is a condition, and tried again, not an error."""

    @property
    def behind(self) -> float | None:
        """Seconds between what was read last and the shard's tip, 0 at the tip; None before the first answer."""
        ...

    @property
    def condition(self) -> Condition:
        """`polling`, or why it does not: throttled, unavailable, trimmed."""
        ...


class Listable(Protocol):
    """What has shards: all that must be known of it to share them among copies, parents before children.

    Positions are the connector's own texts.

    Attributes:
        beginning: the position before the first record that a shard still holds.
        seekable: an operator can say where it goes on when its positions are lost; what is not begins anew then.
    """

    beginning: Position
    seekable: bool

    def at(self, time: float) -> Position:
        """The position before the first record that arrived at Unix time *time* or later. Pure."""
        ...

    async def list(self) -> Listing:
        """Ask for every shard.

        Raises:
            SourceUnavailable: the server does not answer, or refuses.
        """
        ...


class Shards(Listable, Protocol):
    """A stream, as its connector knows it. `ShardedSource` gives it leases, order of parents and children, hand-over.

    A record's position (its token) means: after this record.

    Attributes:
        rests: a time is a good position for a quiet shard, whose last record's may be trimmed before another comes. A
            reader that has `rest(position)` is told of it.
    """

    rests: bool

    @property
    def arn(self) -> str:
        """The stream as events name it; known once it was read."""
        ...

    def sequence(self, number: str) -> Position | None:
        """The position before the record of this sequence number; None when it can be none. Pure."""
        ...

    def open(self, shard: str, after: Position, found: Found) -> ShardReader:
        """A reader of *shard* from behind *after*; asks nobody before its first `read`.

        *found* is told of the shard's children, where the source names them, before `read` raises LaneEnded.
        """
        ...

    def render(self, records: Sequence[Record]) -> Event:
        """As `Source.render`."""
        ...

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        """As `Source.origin`, of all *records* together; *lane* is the shard."""
        ...

    def identify(self, identifier: object) -> str | None:
        """As `Source.identify`."""
        ...

    async def close(self) -> None: ...
