"""Kafka as a kind of source: what the catalog is told."""

from __future__ import annotations

from headrace.log import LOG_TRAITS
from headrace.plugins import Connector, Opening, Probe
from headrace_connectors.kafka.options import DEFAULTS, REFUSES, KafkaOptions, check, warn
from headrace_connectors.kafka.present.shapes import VIEWS
from headrace_connectors.kafka.seeking import seek
from headrace_connectors.kafka.source import KafkaSource


async def probe(opening: Opening) -> Probe:
    """Ask the cluster once."""
    return Probe()


kafka = Connector(
    type="kafka",
    summary="Kafka topics, as a member of a consumer group: at least once, in order per partition.",
    options=KafkaOptions,
    traits=LOG_TRAITS,
    open=KafkaSource,
    probe=probe,
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    view=lambda options: VIEWS[options.present_as],
    seek=seek,
)
