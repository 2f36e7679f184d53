"""What a member is told in librdkafka's words: its group, as the options say, and what holds for all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace_connectors.kafka.options import KafkaOptions

FIXED: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "check.crcs": True,
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 16 * 1024,
}


def of_group(options: KafkaOptions, group: str, session: float | None = None) -> dict[str, Any]:
    """The options, in librdkafka's words. *session*: as the brokers say."""
    milliseconds = options.session_timeout_ms if session is None else int(session * 1000)
    found: dict[str, Any] = {
        "group.id": group,
        "max.poll.interval.ms": options.max_poll_interval_ms,
        "topic.metadata.refresh.interval.ms": options.metadata_max_age_ms,
        "statistics.interval.ms": max(200, milliseconds // 10),
    }
    if options.group_instance_id:
        found["group.instance.id"] = options.group_instance_id
    if options.kip_848:
        return found | {"group.protocol": "consumer"}
    return found | {
        "session.timeout.ms": options.session_timeout_ms,
        "heartbeat.interval.ms": min(3000, options.session_timeout_ms // 4),
        "partition.assignment.strategy": options.partition_assignment_strategy,
    }
