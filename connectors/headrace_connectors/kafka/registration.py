"""Kafka as a kind of source: what the catalog is told."""

from __future__ import annotations

from functools import partial

from headrace.errors import Fault
from headrace.log import LOG_TRAITS
from headrace.ownthread import OwnThread
from headrace.plugins import Connector, Opening, Probe
from headrace_connectors.kafka.options import DEFAULTS, REFUSES, KafkaOptions, check, warn
from headrace_connectors.kafka.present.shapes import VIEWS
from headrace_connectors.kafka.seeking import seek
from headrace_connectors.kafka.source import KafkaSource
from headrace_connectors.kafka.topics import WHEN_CHECKED, Refused, Topic, look_up


async def probe(opening: Opening) -> Probe:
    """Ask the cluster once for every topic."""
    options: KafkaOptions = opening.options
    connection = options.connection(opening)
    thread = OwnThread("headrace-kafka-probe")
    faults: list[Fault] = []
    found: dict[str, Topic] = {}
    try:
        for topic in options.topics:
            found[topic] = await thread.run(partial(look_up, topic, connection, WHEN_CHECKED))
            if found[topic].may and "READ" not in found[topic].may:
                faults.append(Fault("source.topics", f"{topic} may not be read; add an ACL that allows READ to it"))
    except Refused as error:
        faults.append(Fault("source.topics" if error.missing else "source.bootstrap_servers", str(error)))
    finally:
        thread.close()
    return Probe(
        values={
            "source.bootstrap_servers": connection.servers,
            "source.consumer_group_id": options.consumer_group_id or str(opening.uuid),
            "source.partitions": {topic: one.partitions for topic, one in found.items()},
        },
        faults=faults,
    )


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
