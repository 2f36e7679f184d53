"""Messages are put on their topic once more, with their key and headers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from headrace.destination import CONFIRMED, Reply, Said
from headrace.model import Record
from headrace.ownthread import OwnThread
from headrace.plugins import Opening
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.event import KafkaRecord
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.origin import message_of
from headrace_connectors.kafka.present.shape import Presented
from headrace_connectors.kafka.producer import connected
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch

PATIENCE: Final = 10.0
"""Seconds for one message."""

SHOWN: Final = Reply(
    Said.REFUSED, "the letter has it as another source's record, without its key and headers; replay it to the handler"
)


class PutBackToTopic:
    """The topic that a message was read from, at a new offset; what has no key goes where Kafka puts such."""

    def __init__(self, opening: Opening) -> None:
        options: KafkaOptions = opening.options
        self._thread = OwnThread(f"headrace-putting-{opening.mapping}")
        self._producer = _Producer(options.connection(opening))

    async def send(self, records: Sequence[Record]) -> Sequence[Reply]:
        """In their order: after one that failed none is sent."""
        replies: list[Reply] = []
        for record in records:
            if not isinstance(record, KafkaRecord | Presented):
                reply = SHOWN
            else:
                reply = await self._thread.run(partial(self._producer.send, message_of(record)))
            replies.append(reply)
            if reply.said is Said.FAILED:
                return [*replies, *[reply] * (len(records) - len(replies))]
        return replies

    async def close(self) -> None:
        await self._thread.end(self._producer.close)


class _Producer:
    """Connects at its first message. Blocks."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._watch = settings, Watch()
        self._made: KafkaProducer | None = None

    def send(self, message: Message) -> Reply:
        try:
            if self._made is None:
                self._made = connected(self._settings, self._watch)
            sent: Any = self._made.send(
                message.topic, value=message.value, key=message.key, headers=[(n, v or b"") for n, v in message.headers]
            )
            sent.get(timeout=PATIENCE)
        except (KafkaError, OSError) as error:
            self.close()  # kafka-python's idempotent producer is done for after any error
            return Reply(Said.FAILED, sentence(error, self._settings, self._watch.last))
        return CONFIRMED

    def close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            with suppress(KafkaError):
                made.close(timeout=1)
