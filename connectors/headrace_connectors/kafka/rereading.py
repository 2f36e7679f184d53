"""Messages of a mapping's topics, read again beside its group: no offset is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from headrace.errors import SourceUnavailable
from headrace.mailbox import Stretch, Trimmed
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace.seeking import At, Edge, Target
from headrace.seeking import Sequence as Number
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.reading import Reading
from headrace_connectors.kafka.recall import shape_for


class TopicRereader:
    """As `headrace.mailbox.Rereader`; a lane is a partition, as `orders-0`."""

    def __init__(self, opening: Opening) -> None:
        options: KafkaOptions = opening.options
        self._topics, self._shape, self._clock = options.topics, shape_for(opening), opening.clock
        self._reading = Reading(options.connection(opening), f"headrace-replay-{opening.mapping}")

    def at(self, info: Mapping[str, Any]) -> Sequence[Stretch]:
        """As the block of a Kafka failure record has it."""
        places = info.get("recordsInfo")
        if not isinstance(places, dict):
            raise ValueError("its block names no partition")  # noqa: TRY004 - of what a letter says
        return [
            Stretch(lane=name, first=Number(str(one["firstRecordOffset"])), last=Number(str(one["lastRecordOffset"])))
            for name, one in places.items()
        ]

    async def between(self, first: Target, last: Target, lane: str | None) -> Sequence[Stretch]:
        parts = [one for topic in self._topics for one in await self._reading.parts(topic)]
        if lane is not None and lane not in {part.name for part in parts}:
            raise SourceUnavailable(f"there is no partition {lane!r}; known are {', '.join(one.name for one in parts)}")
        until = None if last is Edge.LATEST else last
        return [Stretch(lane=one.name, first=first, last=until) for one in parts if lane in {None, one.name}]

    async def read(self, stretch: Stretch) -> AsyncIterator[Sequence[Record]]:
        topic, _, number = stretch.lane.rpartition("-")
        part = TopicPartition(topic, int(number))
        begin, end = await self._offsets(part, stretch)
        async for messages in self._reading.between(part, begin, end):
            yield self._shape.records(messages, received=self._clock.wall())

    async def _offsets(self, part: TopicPartition, stretch: Stretch) -> tuple[int, int]:
        """From which offset on, and before which."""
        oldest, end = await self._reading.edges(part)
        begin = await self._offset(part, stretch.first, oldest, end)
        if isinstance(stretch.first, Number) and begin < oldest:
            raise Trimmed(f"the oldest that {part.name} still has is at {oldest}, and {begin} is wanted")
        match stretch.last:
            case Number(number):
                return begin, min(end, int(number) + 1)
            case At(time):
                behind = await self._reading.since(part, time + 0.001)
                return begin, end if behind is None else behind
        return begin, end

    async def _offset(self, part: TopicPartition, target: Target, oldest: int, end: int) -> int:
        match target:
            case Number(number):
                return int(number)
            case At(time):
                found = await self._reading.since(part, time)
                return end if found is None else found
        return oldest

    def render(self, records: Sequence[Record]) -> Event:
        return self._shape.render(records)

    async def close(self) -> None:
        await self._reading.close()
