"""How far partitions reach, and how much of them a group has not settled yet, as a client tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace_connectors.kafka.client import KafkaClient, TopicPartition
from headrace_connectors.kafka.member import CALL_SECONDS


def ends(client: KafkaClient, parts: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    """Where the next record of each will be."""
    return client.ends(parts, CALL_SECONDS) if parts else {}


def absent(client: KafkaClient, topics: Sequence[str]) -> list[str]:
    """Those of *topics* that are not there, or that we may not see."""
    return [topic for topic in topics if not client.partitions(topic)]


def unsettled(client: KafkaClient, parts: Sequence[TopicPartition], settled: Mapping[TopicPartition, int]) -> int:
    """Records between what the group has committed and the ends; holes count as records.

    What is not known to be *settled* up to an offset is asked for.
    """
    end, begin = ends(client, parts), dict(settled)
    if asked := [part for part in parts if part not in begin]:
        begin |= {part: one.next for part, one in client.committed(asked, CALL_SECONDS).items()}
    untouched = [part for part in parts if part not in begin]
    begin |= client.beginnings(untouched, CALL_SECONDS) if untouched else {}
    return sum(max(0, end[part] - begin[part]) for part in parts)
