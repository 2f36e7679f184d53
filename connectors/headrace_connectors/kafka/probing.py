"""Asking a cluster about a mapping's topics, once."""

from __future__ import annotations

from functools import partial

from headrace.errors import Fault
from headrace.ownthread import OwnThread
from headrace.plugins import Opening, Probe
from headrace_connectors.kafka.options import KafkaOptions
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
