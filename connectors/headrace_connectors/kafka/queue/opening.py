"""A Kafka source whose partitions are a queue's: the topic itself, and the one in which what failed waits."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.clock import Clock
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.plugins import Opening
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.destinations.topic import KafkaDestination
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.present.shape import Presented, Shape
from headrace_connectors.kafka.queue.again import counted, read
from headrace_connectors.kafka.queue.lane import QueueLane
from headrace_connectors.kafka.queue.options import KafkaQueueOptions
from headrace_connectors.kafka.queue.returns import Returns
from headrace_connectors.kafka.queue.shelf import Grouped, Unordered
from headrace_connectors.kafka.source import KafkaSource


class Waiting(Presented):
    """A record that was read of the retry topic: not to be handed out before *due*, in Unix seconds."""

    __slots__ = ("due",)

    def __init__(self, shown: Record, at: Message, of: Message, due: float) -> None:
        super().__init__(shown, of)
        self.token, self.due = str(at.offset), due


class Queueing:
    """What makes a queue of a source's partitions."""

    def __init__(self, opening: Opening) -> None:
        options: KafkaQueueOptions = opening.options
        self._options, self._opening = options, opening
        topic = options.retry_topic
        self._retry = KafkaDestination(opening, KafkaDestinationOptions(topic=topic)) if topic else None

    def records(self, shape: Shape, messages: Sequence[Message], *, received: float) -> Sequence[Record]:
        """As `Shape.records`; those of the retry topic are the messages that wait there."""
        if not messages or messages[0].topic != self._options.retry_topic:
            return shape.records(messages, received=received)
        return [self._waiting(shape, message, received) for message in messages]

    @staticmethod
    def _waiting(shape: Shape, at: Message, received: float) -> Record:
        message, attempt, due = read(at)
        (shown,) = shape.records([message], received=received)
        counted(shown, attempt)
        if not isinstance(shown, Presented):  # nothing can show it: it is given up at once
            shown.token = str(at.offset)
            return shown
        return Waiting(shown, at, message, due)

    def lane(self, partition: Partition, lane: LogLane, clock: Clock) -> Lane:
        seconds, log = self._options.visibility_timeout, self._opening.log
        if self._retry is None:
            return QueueLane(lane, Grouped(), None, visibility=seconds, clock=clock)
        returns = Returns(self._retry, partition.name, lane.ack, log)
        return QueueLane(lane, Unordered(), returns, visibility=seconds, clock=clock)

    async def close(self) -> None:
        if self._retry is not None:
            await self._retry.close()


def open_queue(opening: Opening) -> KafkaSource:
    return KafkaSource(opening, Queueing(opening))
