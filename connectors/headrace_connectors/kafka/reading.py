"""Partitions of topics, read from one offset to another, without a group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from kafka import KafkaConsumer
from kafka import TopicPartition as Theirs
from kafka.errors import KafkaError

from headrace.errors import SourceUnavailable
from headrace.ownthread import OwnThread
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch

CONNECTING: Final = 10_000
"""Milliseconds until a cluster counts as away."""

POLL: Final = 500
"""Milliseconds that a poll waits."""

SILENCE: Final = 60
"""Polls in a row that bring nothing, though there is something, after which the cluster counts as away."""


class Reading:
    """Connects at its first use, in a thread of its own. Whatever the cluster says is raised as SourceUnavailable."""

    def __init__(self, settings: KafkaSettings, thread: str) -> None:
        self._thread = OwnThread(thread)
        self._settings, self._watch = settings, Watch()
        self._made: KafkaConsumer | None = None

    async def parts(self, topic: str) -> Sequence[TopicPartition]:
        """The topic's, in their order."""
        found = await self._ask(lambda consumer: consumer.partitions_for_topic(topic))
        if not found:
            raise SourceUnavailable(f"there is no topic {topic}; correct its name")
        return [TopicPartition(topic, number) for number in sorted(found)]

    async def edges(self, part: TopicPartition) -> tuple[int, int]:
        """The first offset that is kept, and the one behind the last."""
        theirs = Theirs(*part)
        first = await self._ask(lambda consumer: consumer.beginning_offsets([theirs])[theirs])
        return int(first), int(await self._ask(lambda consumer: consumer.end_offsets([theirs])[theirs]))

    async def since(self, part: TopicPartition, time: float) -> int | None:
        """The first offset of a message of that Unix time or later; None: there is none."""
        theirs = Theirs(*part)
        found = await self._ask(lambda consumer: consumer.offsets_for_times({theirs: int(time * 1000)})[theirs])
        return None if found is None or found.offset < 0 else int(found.offset)

    async def between(self, part: TopicPartition, first: int, end: int) -> AsyncIterator[Sequence[Message]]:
        """What *part* has from the offset *first* on and before *end*, as it comes. One part at a time."""
        if first >= end:
            return

        def move(consumer: KafkaConsumer) -> None:
            consumer.assign([Theirs(*part)])
            consumer.seek(Theirs(*part), first)

        await self._ask(move)
        while messages := await self._next(part, end):
            yield messages

    async def _next(self, part: TopicPartition, end: int) -> Sequence[Message]:
        """Nothing where all of it was read."""
        for _ in range(SILENCE):
            if await self._ask(lambda consumer: consumer.position(Theirs(*part))) >= end:
                return ()
            found = await self._ask(lambda consumer: consumer.poll(timeout_ms=POLL))
            if messages := [one for some in found.values() for one in some if one.offset < end]:
                return messages
        raise SourceUnavailable(self._watch.last or f"no more of {part.name} came, though there is more")

    async def close(self) -> None:
        await self._thread.end(self._close)

    def _close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.close()

    async def _ask(self, question: Any) -> Any:
        return await self._thread.run(partial(self._answer, question))

    def _answer(self, question: Any) -> Any:
        try:
            if self._made is None:
                self._made = self._connected()
            return question(self._made)
        except (KafkaError, OSError) as error:
            raise SourceUnavailable(sentence(error, self._settings, self._watch.last)) from error

    def _connected(self) -> KafkaConsumer:
        settings: Mapping[str, Any] = of_kafka_python(self._settings)
        try:
            return KafkaConsumer(
                **settings,
                kafka_client=self._watch.client,
                bootstrap_timeout_ms=CONNECTING,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                isolation_level="read_committed",
            )
        except BaseException:
            self._watch.abandon()
            raise
