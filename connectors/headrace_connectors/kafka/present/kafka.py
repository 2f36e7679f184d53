"""Kafka messages as what they are."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.model import Event, Origin, Record
from headrace_connectors.kafka import event
from headrace_connectors.kafka import origin as kafka
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.present.shape import Around


class KafkaShape:
    """Every message can be shown."""

    view = event.VIEW
    identify = staticmethod(event.identify)

    def __init__(self, around: Around) -> None:
        self._servers = around.bootstrap_servers

    def records(self, messages: Sequence[Message], *, received: float) -> list[Record]:
        return event.records(messages, received=received)

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records, bootstrap_servers=self._servers)

    def origin(self, records: Sequence[Record]) -> Origin:
        return kafka.origin(records, bootstrap_servers=self._servers)
