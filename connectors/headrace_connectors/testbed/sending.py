"""Sends messages to one topic, at a rate, each confirmed by the cluster. Blocks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from headrace.errors import ServerUnavailable
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch
from headrace_connectors.testbed.cluster import LARGEST, SECONDS
from headrace_connectors.testbed.feed import Feed
from headrace_connectors.testbed.jars import Progress

AHEAD: Final = 1000
"""Messages that may wait for their confirmation."""


def send(
    settings: KafkaSettings, topic: str, feeds: Iterable[Feed], *, of: int, rate: float | None, progress: Progress
) -> int:
    """How many were sent, all of them confirmed; *rate* is messages a second, None: as fast as it goes.

    Raises:
        ServerUnavailable: one was not taken, and how many were before it.
    """
    watch, confirmed, waiting = Watch(), 0, deque[Any]()
    what, began = f"sending to {topic}", time.monotonic()
    try:
        producer = KafkaProducer(
            **of_kafka_python(settings),
            kafka_client=watch.client,
            bootstrap_timeout_ms=int(SECONDS * 1000),
            acks="all",
            linger_ms=0 if rate else 5,
            max_request_size=LARGEST,
            max_block_ms=int(SECONDS * 1000),
            delivery_timeout_ms=int(SECONDS * 2000),
            request_timeout_ms=int(SECONDS * 1000),
        )
    except (KafkaError, OSError) as error:
        watch.abandon()
        raise ServerUnavailable(sentence(error, settings, watch.last)) from error
    try:
        for number, feed in enumerate(feeds):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            waiting.append(producer.send(topic, value=feed.value, key=feed.key, headers=list(feed.headers)))
            while waiting and (len(waiting) > AHEAD or waiting[0].is_done):
                waiting.popleft().get(timeout=SECONDS * 2)
                confirmed += 1
            progress(what, confirmed, of)
        producer.flush(timeout=SECONDS * 2)
        while waiting:
            waiting.popleft().get(timeout=SECONDS * 2)
            confirmed += 1
        progress(what, confirmed, of)
    except KafkaError as error:
        why = sentence(error, settings, watch.last)
        raise ServerUnavailable(f"{confirmed} messages were taken by {topic}, the next was not: {why}") from error
    finally:
        producer.close(timeout=SECONDS)
    return confirmed
