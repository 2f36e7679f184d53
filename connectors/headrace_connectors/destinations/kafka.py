"""A Kafka topic as a destination: one message a record, with the record's key, acknowledged by all replicas.

What sends is `topic`: Kafka's client is imported when a destination is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

from headrace.destination import Payload
from headrace.errors import Fault
from headrace.late import Late
from headrace.plugins import DestinationKind, Opening
from headrace_connectors.kafka.connecting import KafkaSettings, section
from headrace_connectors.kafka.consistency import faults, warnings
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.origin import in_topic, places
from headrace_connectors.limits import KAFKA

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
                "topic", "must differ from the source topic: what it is told would come again for ever; name another"
            )


def _warn(opening: Opening, options: KafkaDestinationOptions) -> Iterator[Fault]:
    if options.given():
        yield from warnings(options.reaching(opening))


kafka = DestinationKind(
    type="kafka",
    summary="A Kafka topic: one JSON record a message with the key of its record, acknowledged by all replicas.",
    options=KafkaDestinationOptions,
    open=Late("headrace_connectors.destinations.topic:KafkaDestination"),
    probe=Late("headrace_connectors.destinations.topic:probe"),
    text=_of_text,
    text_form=f"{SCHEME}TOPIC",
    check=_check,
    warn=_warn,
    payload=Payload.OBJECT,
    inherits=_beside,
    singly=True,
    form=in_topic,
    addresses=lambda opening, options: places(options.reaching(opening).servers, [options.topic]),
    attributes=True,
    limit=KAFKA,
)
