"""A topic of failure records, read from its beginning to what was there when it was opened."""

from __future__ import annotations

from collections.abc import AsyncIterator

from headrace.letters import Posted
from headrace.plugins import Opening
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.kafka.reading import Reading


class TopicMailbox:
    """Nothing is deleted from a topic. A letter's name is its partition and offset."""

    keeps = True

    def __init__(self, opening: Opening, options: KafkaDestinationOptions, _: bool) -> None:  # noqa: FBT001
        self.name = f"kafka {options.topic}"
        self._topic = options.topic
        self._reading = Reading(options.reaching(opening), "headrace-replay-topic")

    async def letters(self) -> AsyncIterator[Posted]:
        for part in await self._reading.parts(self._topic):
            first, end = await self._reading.edges(part)
            async for messages in self._reading.between(part, first, end):
                for one in messages:
                    yield Posted(
                        id=f"{part.name}:{one.offset}",
                        body=one.value or b"",
                        at=(one.timestamp or 0) / 1000,
                        attributes={name: (value or b"").decode(errors="replace") for name, value in one.headers},
                    )

    async def done(self, posted: Posted) -> None:
        """It stays."""

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def close(self) -> None:
        await self._reading.close()
