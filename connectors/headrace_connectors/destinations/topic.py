"""A Kafka topic that records are sent to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from headrace.destination import PATIENCE, Message, Reply
from headrace.errors import Fault
from headrace.ownthread import OwnThread
from headrace.plugins import Opening, Probe
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.kafka.producer import CLOSING, Producer, failed
from headrace_connectors.kafka.topics import WHEN_CHECKED, Refused, look_up


class KafkaDestination:
    """Connects at the first message, in a thread of its own.

    What was given up here for its time may be there after all, and comes twice when it is sent again.
    """

    def __init__(self, opening: Opening, options: KafkaDestinationOptions) -> None:
        self.name = f"kafka {options.topic}"
        self._thread = OwnThread(f"headrace-kafka-{opening.mapping}")
        self._producer = Producer(options.topic, options.reaching(opening))

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        until = time.monotonic() + PATIENCE
        try:
            async with asyncio.timeout(PATIENCE + CLOSING):
                return await self._thread.run(partial(self._producer.send, messages, until))
        except TimeoutError:
            return failed(messages, f"no answer within {PATIENCE:g} s")

    async def close(self) -> None:
        if not self._thread.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._thread.run(self._producer.close)
            self._thread.close()


async def probe(opening: Opening, options: KafkaDestinationOptions) -> Probe:
    """Ask the cluster for the topic once."""
    reached = options.reaching(opening)
    thread = OwnThread("headrace-kafka-probe")
    try:
        found = await thread.run(partial(look_up, options.topic, reached, WHEN_CHECKED))
    except Refused as error:
        return Probe(faults=[Fault("topic" if error.missing else "", str(error))])
    finally:
        thread.close()
    values = {"bootstrap_servers": reached.servers}
    if found.may and "WRITE" not in found.may:
        return Probe(values=values, faults=[Fault("topic", "may not be written; add an ACL that allows WRITE to it")])
    return Probe(values=values)
