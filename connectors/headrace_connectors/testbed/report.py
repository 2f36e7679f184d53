"""What became of everything that was sent to a testbed, by mapping: numbers, and where each failed record lies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.config import Config
from headrace_connectors.kafka.message import Message
from headrace_connectors.testbed.counts import added_up
from headrace_connectors.testbed.place import Place
from headrace_connectors.testbed.plan import group_of, topics_of

if TYPE_CHECKING:
    from headrace_connectors.testbed.cluster import Cluster

_IDS: Final = {
    "SQSMessageInfo": ("messageId", "messageIds"),
    "KinesisBatchInfo": ("startSequenceNumber",),
    "DDBStreamBatchInfo": ("startSequenceNumber",),
}
"""Where a failure record names its record, by its block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A failure record: where it lies, and what it is about."""

    topic: str
    partition: int
    offset: int
    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Of one mapping, in records.

    Attributes:
        sent: that lie in its topic.
        delivered: that its function has handled; again and again, if it was called so.
        filtered: that no filter wanted.
        retried: handed over once more, after a failure.
        dropped: given up, without a destination.
        waiting: of its topic and its retry topic, not settled yet.
        failed: given up, to its topic of failures.
    """

    sent: int
    delivered: int
    filtered: int
    retried: int
    dropped: int
    waiting: int
    failed: list[Failed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`at` in Unix seconds."""

    at: float
    mappings: dict[str, Account]

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `plain`."""
        accounts = {
            name: Account(**{**one, "failed": [Failed(**each) for each in one["failed"]]})
            for name, one in plain["mappings"].items()
        }
        return cls(at=plain["at"], mappings=accounts)


def report(config: Config, place: Place, cluster: Cluster, now: float) -> Report:
    """Asks the cluster, and reads what services of this testbed have counted.

    Raises:
        ServerUnavailable: the cluster does not answer.
    """
    topics, counts = topics_of(config), added_up(place.counts)
    sizes = cluster.sizes([topic for one in topics.values() for topic in one.all()])
    accounts = {}
    for name, one in topics.items():
        counted = counts.get(name, Counter())
        accounts[name] = Account(
            sent=sizes[one.main],
            delivered=counted.get("succeeded", 0),
            filtered=counted.get("filtered_out", 0),
            retried=counted.get("retried", 0),
            dropped=counted.get("dropped", 0),
            waiting=cluster.waiting(group_of(config, name), one.read()),
            failed=list(_failed(cluster, one.on_failure)) if one.on_failure and sizes[one.on_failure] else [],
        )
    return Report(at=now, mappings=accounts)


def _failed(cluster: Cluster, topic: str) -> Iterator[Failed]:
    for message in cluster.read(topic):
        yield failed(message)


def failed(message: Message) -> Failed:
    """What a message of a topic of failures is about; in words where it is no failure record."""
    where: dict[str, Any] = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    try:
        record = json.loads(message.value or b"")
        context = dict(record["requestContext"])
    except (ValueError, KeyError, TypeError):
        return Failed(**where, id="?", reason="no failure record")
    error = record.get("responsePayload") or {}
    why = f": {error['errorType']}: {error.get('errorMessage', '')}" if error.get("errorType") else ""
    count = context.get("approximateInvokeCount")
    return Failed(**where, id=_id(record), reason=f"{context.get('condition')} after {count} attempts{why}")


def _id(record: Mapping[str, Any]) -> str:
    if (kafka := record.get("KafkaBatchInfo")) is not None:
        place = kafka.get("recordInfo") or {}
        return f"offset {place.get('offset')}"
    for block, names in _IDS.items():
        for name in names:
            if (found := record.get(block, {}).get(name)) is not None:
                return str(found)
    return "?"
