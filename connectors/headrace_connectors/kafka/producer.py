"""Sends messages to one topic, and knows of each what became of it. Blocks: it is called from a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace_connectors.attributes import texts
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.refusals import sentence, tells
from headrace_connectors.kafka.topics import Refused, look_up
from headrace_connectors.kafka.watching import Watch
from headrace_connectors.limits import KAFKA, too_large

WITHIN: Final = {
    "request_timeout_ms": 4000,
    "delivery_timeout_ms": 8000,
    "max_block_ms": 4000,
    "reconnect_backoff_max_ms": 1000,
}
"""All below `destination.PATIENCE`: what the producer has given up, nobody sends again but who asked."""

CONNECTING: Final = 5.0
"""Seconds until a cluster counts as away."""

CLOSING: Final = 1.0
"""Seconds for an end, and for one more question."""

SMALL: Final = 100_000
"""Bytes that hardly any topic refuses."""

_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class Producer:
    """Connects at the first message, and anew after whatever went wrong.

    It is idempotent, and acknowledged by all replicas: what it tries again by itself, within `WITHIN`, is there once.
    """

    def __init__(self, topic: str, settings: KafkaSettings) -> None:
        self._topic, self._settings = topic, settings
        self._watch = Watch()
        self._producer: KafkaProducer | None = None

    def send(self, messages: Sequence[Message], until: float) -> Sequence[Reply]:
        """A reply for each, by *until*, in seconds of `time.monotonic`. A run that fails ends the sending."""
        replies: list[Reply] = []
        for run in _runs(messages):
            replies += self._send(run, until)
            if replies[-1].said is Said.FAILED:
                return [*replies, *failed(messages[len(replies) :], replies[-1].reason)]
        return replies

    def _send(self, run: Sequence[Message], until: float) -> list[Reply]:
        """kafka-python's idempotent producer is done for after any error, and gives that of one message to others too.

        So of several that one has spoilt, each goes by itself.
        """
        replies = self._at_once(run, until)
        if all(one is CONFIRMED for one in replies):
            return replies
        self.close()
        if len(run) > 1 and any(one.said is Said.REFUSED for one in replies):
            pairs = zip(run, replies, strict=True)
            return [reply if reply is CONFIRMED else self._send([one], until)[0] for one, reply in pairs]
        return replies

    def _at_once(self, run: Sequence[Message], until: float) -> list[Reply]:
        if _left(until) <= CLOSING:
            return failed(run, "no answer in time to what was sent before it")
        try:
            producer = self._connected(until)
        except (KafkaError, OSError) as error:
            return failed(run, sentence(error, self._settings, self._watch.last))
        sent = self._handed_over(producer, run)
        return [one if isinstance(one, Reply) else self._reply(one, until) for one in sent]

    def close(self) -> None:
        """What it holds still is not delivered behind anybody's back. May be called twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._sender.force_close()  # noqa: SLF001 - its own close would wait for what cannot be delivered
            with suppress(KafkaError):
                producer.close(timeout=CLOSING)

    def _connected(self, until: float) -> KafkaProducer:
        if self._producer is None:
            seconds = min(CONNECTING, _left(until) - CLOSING)
            self._producer = connected(self._settings, self._watch, seconds, compression_type="gzip")
        return self._producer

    def _handed_over(self, producer: KafkaProducer, messages: Sequence[Message]) -> list[Any]:
        """For each its future, or a reply where the producer does not take it."""
        sent: list[Any] = []
        for number, one in enumerate(messages):
            try:
                if refused := too_large(one, len(one.body), KAFKA, "Kafka"):
                    sent.append(refused)
                    continue
                sent.append(producer.send(self._topic, value=one.body, key=_key(one), headers=_headers(one)))
            except MessageSizeTooLargeError as error:  # with its key and frame
                sent.append(Reply(Said.REFUSED, str(error)))
            except (KafkaError, OSError) as error:
                return [*sent, *failed(messages[number:], self._why_not(error))]
        return sent

    def _why_not(self, error: Exception) -> str:
        """kafka-python says of a topic that is not there only that it waited for it."""
        if isinstance(error, KafkaTimeoutError) and not (self._watch.last and tells(self._watch.last)):
            try:
                look_up(self._topic, self._settings, CLOSING)
            except Refused as refused:
                return str(refused)
        return self._words(error)

    def _reply(self, future: Any, until: float) -> Reply:
        try:
            future.get(timeout=max(0.0, _left(until)))
        except (*_TOO_LARGE, InvalidRecordError) as error:
            return Reply(Said.REFUSED, self._words(error))
        except (KafkaError, OSError) as error:
            return Reply(Said.FAILED, self._words(error))
        return CONFIRMED

    def _words(self, error: Exception) -> str:
        if isinstance(error, _TOO_LARGE):
            return f"its failure record is larger than the topic {self._topic} takes (max.message.bytes)"
        return sentence(error, self._settings, self._watch.last)


def connected(settings: KafkaSettings, watch: Watch, seconds: float = CONNECTING, **more: Any) -> KafkaProducer:
    """One that is idempotent, and acknowledged by all replicas. The cluster has *seconds* to answer."""
    try:
        return KafkaProducer(
            **of_kafka_python(settings),
            **WITHIN,
            kafka_client=watch.client,
            bootstrap_timeout_ms=int(seconds * 1000),
            acks="all",
            enable_idempotence=True,
            max_request_size=KAFKA.call,
            allow_auto_create_topics=False,
            **more,
        )
    except BaseException:
        watch.abandon()
        raise


def _runs(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """What may be too large goes by itself, the others together; their order stays."""
    for alone, group in groupby(messages, key=lambda one: len(one.body) > SMALL):
        run = list(group)
        yield from ([one] for one in run) if alone else [run]


def failed(messages: Sequence[Message], why: str) -> list[Reply]:
    return [Reply(Said.FAILED, why)] * len(messages)


def _key(message: Message) -> bytes | None:
    """The record's own, as its source has it; without one the topic's partitions take turns."""
    if message.source_key is not None or message.key is None:
        return message.source_key
    return message.key.encode(errors="surrogatepass")


def _headers(message: Message) -> list[tuple[str, bytes]]:
    return [(name, value.encode(errors="replace")) for name, value in texts(message).items()]


def _left(until: float) -> float:
    return until - time.monotonic()
