"""What may be put round a source's partitions: how their messages become records, and their lanes others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headrace.clock import Clock
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.present.shape import Shape


class Wrapping(Protocol):
    """One for each source."""

    def records(self, shape: Shape, messages: Sequence[Message], *, received: float) -> Sequence[Record]:
        """As `Shape.records`; each record's token is the offset at which it was read."""
        ...

    def lane(self, partition: Partition, lane: LogLane, clock: Clock) -> Lane:
        """What the engine carries; *lane* keeps the position, and is closed with it."""
        ...

    async def close(self) -> None: ...


class Bare:
    """Nothing is put round: a partition is a log."""

    def records(self, shape: Shape, messages: Sequence[Message], *, received: float) -> Sequence[Record]:
        return shape.records(messages, received=received)

    def lane(self, partition: Partition, lane: LogLane, clock: Clock) -> Lane:  # noqa: ARG002 - as it is
        return lane

    async def close(self) -> None:
        """Nothing is held."""
