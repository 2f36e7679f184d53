"""What an operator asks of a group's members: offsets committed for a second group, which has no members.

Kafka lets nobody but a member write the offsets of a group that is at work. So a seek is written down where anybody
may write, and whoever owns a partition finds it there, and carries it out under its own generation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kafka import KafkaAdminClient
from kafka import TopicPartition as Theirs
from kafka.errors import (
    GroupIdNotFoundError,
    IllegalGenerationError,
    NoError,
    RebalanceInProgressError,
    RetriableError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from headrace.retry import while_busy
from headrace_connectors.kafka.client import Offset, TopicPartition
from headrace_connectors.kafka.watching import Watch

EARLIEST, LATEST = -2, -1
"""ListOffsets' own words for the beginning and the end of a partition."""

HAS_MEMBERS: Final = {UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError}
"""What a broker says of offsets that nobody's member writes, where the group has members."""

SUFFIX: Final = ".headrace-requests"


class Request(NamedTuple):
    """Read a partition from offset `next` on. A request is carried out once, whoever owns the partition."""

    id: str
    next: int


class Requests:
    """Blocks; for a thread of its own. Connects at its first use, and raises kafka-python's errors."""

    def __init__(self, settings: Mapping[str, Any], group: str, seconds: float) -> None:
        self._settings, self._group, self._seconds = settings, group, seconds
        self._made: KafkaAdminClient | None = None

    def read(self, parts: Sequence[TopicPartition]) -> dict[TopicPartition, Request]:
        """The last request for each of *parts* that was ever made."""
        found = {part: (offset, _id_of(offset.metadata)) for part, offset in self._offsets(self._group + SUFFIX, parts)}
        return {part: Request(name, offset.next) for part, (offset, name) in found.items() if name}

    def write(self, requests: Mapping[TopicPartition, Request]) -> None:
        text = {part: json.dumps({"headrace": 1, "seek": one.id}) for part, one in requests.items()}
        offsets = {part: Offset(one.next, text[part]) for part, one in requests.items()}
        if not self._alter(self._group + SUFFIX, offsets):
            raise GroupIdNotFoundError(f"{self._group + SUFFIX} has members; it is for requests alone")

    def committed(self, parts: Sequence[TopicPartition]) -> dict[TopicPartition, Offset]:
        """What the group itself has committed."""
        return dict(self._offsets(self._group, parts))

    def commit(self, offsets: Mapping[TopicPartition, Offset]) -> bool:
        """Write offsets of the group itself; false where it has members, who alone may do that."""
        return self._alter(self._group, offsets)

    def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Of topics that exist."""
        found = self._admin().describe_topics(list(topics))
        return [
            TopicPartition(topic["name"], one["partition_index"])
            for topic in found
            for one in sorted(topic["partitions"], key=lambda one: one["partition_index"])
        ]

    def look_up(self, parts: Sequence[TopicPartition], spec: int) -> dict[TopicPartition, int]:
        """The first record of *spec* milliseconds or later, or Kafka's own words for both ends; -1: there is none."""
        found = self._admin().list_partition_offsets({Theirs(*part): spec for part in parts})
        return {TopicPartition(*part): one.offset for part, one in found.items()}

    def close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _offsets(self, group: str, parts: Sequence[TopicPartition]) -> list[tuple[TopicPartition, Offset]]:
        wanted = {group: [Theirs(*part) for part in parts]}
        found = while_busy(lambda: self._admin().list_group_offsets(wanted)[group], _busy)
        known = {TopicPartition(*part): one for part, one in found.items() if one.offset >= 0}
        return [(part, Offset(one.offset, one.metadata or "")) for part, one in known.items()]

    def _alter(self, group: str, offsets: Mapping[TopicPartition, Offset]) -> bool:
        wanted = {Theirs(*part): OffsetAndMetadata(one.next, one.metadata, -1) for part, one in offsets.items()}
        answer = while_busy(lambda: self._admin().alter_group_offsets(group, wanted), _busy)
        errors = set(answer.values()) - {NoError}
        for error in errors - HAS_MEMBERS:
            raise error(group)
        return not errors

    def _admin(self) -> KafkaAdminClient:
        if self._made is None:
            watch, milliseconds = Watch(), int(self._seconds * 1000)
            try:
                self._made = KafkaAdminClient(
                    **self._settings,
                    kafka_client=watch.client,
                    bootstrap_timeout_ms=milliseconds,
                    request_timeout_ms=milliseconds,
                )
            except BaseException:
                watch.abandon()
                raise
        return self._made


def _busy(error: BaseException) -> bool:
    """As of a coordinator that is only being made, or has just moved."""
    return isinstance(error, RetriableError)


def _id_of(metadata: str) -> str:
    try:
        match json.loads(metadata or "null"):
            case {"headrace": 1, "seek": str(name)}:
                return name
    except ValueError:
        pass
    return ""
