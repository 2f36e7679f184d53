"""A Kafka topic as a destination: one message a record, with the record's key, acknowledged by all replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from pydantic import Field

from headrace.destination import PATIENCE, Message, Payload, Reply
from headrace.errors import Fault
from headrace.ownthread import OwnThread
from headrace.plugins import DestinationKind, Opening, Probe
from headrace_connectors.kafka.connecting import KafkaSettings, section
from headrace_connectors.kafka.consistency import faults, warnings
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.origin import in_topic
from headrace_connectors.kafka.producer import CLOSING, Producer, failed
from headrace_connectors.kafka.topics import WHEN_CHECKED, Refused, look_up

SCHEME: Final = "kafka://"


class KafkaDestinationOptions(KafkaSettings):
    """`destination: {type: kafka, …}`."""

    topic: str = Field(
        pattern=r"^[a-zA-Z0-9._-]{1,249}$",
        description="The topic. It is not made here. Without bootstrap_servers the connection is that of the mapping's "
        "own Kafka source, or of the section kafka.",
    )

    def reaching(self, opening: Opening) -> KafkaSettings:
        """How its cluster is reached: its own settings, then those of a Kafka source beside it, or the config's."""
        source = _beside(self, opening.options)
        return self.under(opening.folder).over(source.connection(opening) if source else section(opening))


def _beside(options: KafkaDestinationOptions, source: Any) -> KafkaSettings | None:
    """The Kafka source in whose cluster the topic is: another cluster is not shown its credentials."""
    return source if isinstance(source, KafkaSettings) and options.bootstrap_servers is None else None


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


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"topic": text.removeprefix(SCHEME)} if text.startswith(SCHEME) else None


def _check(opening: Opening, options: KafkaDestinationOptions) -> Iterator[Fault]:
    source = opening.options
    reached = options.reaching(opening)
    if not (isinstance(source, KafkaSettings) and not options.given()):  # else the source's own check says it
        yield from faults(options, reached)
    if isinstance(source, KafkaOptions) and options.topic in source.topics:
        theirs = source.connection(opening).servers
        if set(theirs) & set(reached.servers):
            yield Fault(
                "topic", "must differ from the source topic: what failed would come again for ever; name another"
            )


def _warn(opening: Opening, options: KafkaDestinationOptions) -> Iterator[Fault]:
    if options.given():
        yield from warnings(options.reaching(opening))


async def _probe(opening: Opening, options: KafkaDestinationOptions) -> Probe:
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


kafka = DestinationKind(
    type="kafka",
    summary="A Kafka topic: one JSON record a message with the key of its record, acknowledged by all replicas.",
    options=KafkaDestinationOptions,
    open=KafkaDestination,
    probe=_probe,
    text=_of_text,
    text_form=f"{SCHEME}TOPIC",
    check=_check,
    warn=_warn,
    payload=Payload.OBJECT,
    inherits=_beside,
    singly=True,
    form=in_topic,
)
