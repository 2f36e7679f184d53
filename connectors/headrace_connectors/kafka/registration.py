"""Kafka as a kind of source: what the catalog is told. The clients of Kafka are imported when one is opened."""

from __future__ import annotations

from headrace.late import Late
from headrace.log import LOG_TRAITS
from headrace.plugins import Connector
from headrace_connectors.kafka.options import DEFAULTS, REFUSES, KafkaOptions, check, warn
from headrace_connectors.kafka.origin import hops, places
from headrace_connectors.kafka.present.shapes import VIEWS
from headrace_connectors.kafka.recall import recall

kafka = Connector(
    type="kafka",
    summary="Kafka topics, as a member of a consumer group: at least once, in order per partition.",
    options=KafkaOptions,
    traits=LOG_TRAITS,
    open=Late("headrace_connectors.kafka.source:KafkaSource"),
    probe=Late("headrace_connectors.kafka.probing:probe"),
    defaults=DEFAULTS,
    refuses=REFUSES,
    check=check,
    warn=warn,
    view=lambda options: VIEWS[options.present_as],
    addresses=lambda opening: places(opening.options.connection(opening).servers, opening.options.topics),
    hops=hops,
    seek=Late("headrace_connectors.kafka.seeking:seek"),
    recall=recall,
)
