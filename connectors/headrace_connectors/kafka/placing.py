"""Where the partitions of a member by librdkafka stand: paused at no place of theirs, moved, read on from there.

A partition is assigned paused, at an offset that means nothing, and is *astray* until it is moved; librdkafka leaves it
astray, too, where its next record was not there. What is astray brings nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Partition

from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.sorting import Fault

NOWHERE: Final = 0
"""Where a partition stands, paused, until it is moved. Never librdkafka's word for an end: it asks for where that is,
again after half a second where no leader was known, and goes there though the partition was moved and read meanwhile.
"""


class Placing:
    """Of those that are ours; all of it is the poll thread's. *incremental*: the group adds and takes away one by one.

    Attributes:
        faults: what has stopped a partition, until it is paused or moved.
    """

    def __init__(self, consumer: Consumer, *, incremental: bool) -> None:
        self._consumer, self._incremental = consumer, incremental
        self.faults: dict[TopicPartition, Fault] = {}
        self._paused: dict[TopicPartition, bool] = {}  # of all that are ours
        self._next: dict[TopicPartition, int] = {}
        self._astray: set[TopicPartition] = set()

    def assigned(self, parts: Sequence[TopicPartition]) -> None:
        """Within the callback that tells of them."""
        nowhere = [Partition(*part, NOWHERE) for part in parts]
        (self._consumer.incremental_assign if self._incremental else self._consumer.assign)(nowhere)
        if nowhere:
            self._consumer.pause(nowhere)
        self._paused |= dict.fromkeys(parts, True)
        self._astray |= set(parts)

    def let_go(self, parts: Sequence[TopicPartition]) -> None:
        self._astray -= set(parts)
        for part in parts:
            for kept in (self._paused, self._next, self.faults):
                kept.pop(part, None)

    def handed_over(self, behind: Mapping[TopicPartition, int]) -> None:
        """A poll has come to these offsets, *behind* the last that it handed over."""
        for part in self._astray:  # there may be no record at a place that is not theirs
            self.faults.pop(part, None)
        self._next |= {part: offset for part, offset in behind.items() if part in self._next}

    def pause(self, part: TopicPartition) -> None:
        self.faults.pop(part, None)
        self._paused[part] = True
        self._consumer.pause([Partition(*part)])

    def resume(self, part: TopicPartition) -> None:
        self._paused[part] = False
        self._consumer.resume([Partition(*part)])
        if part in self._astray:
            self._begin(part)

    def seek(self, part: TopicPartition, offset: int) -> None:
        self.faults.pop(part, None)
        self._next[part] = offset
        if part not in self._astray:
            try:
                self._consumer.seek(Partition(*part, offset))
            except KafkaException as error:
                if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - librdkafka's own codes are called so
                    raise
                self._astray.add(part)  # its next record was not there: librdkafka has stopped it
        if part in self._astray and not self._paused[part]:
            self._begin(part)

    def _begin(self, part: TopicPartition) -> None:
        """Assign it anew, at its place.

        Not while it is paused: a pause drops what was told before, which may be that there is no record here, and that
        is told once.
        """
        self._astray.discard(part)
        if self._incremental:
            self._consumer.incremental_unassign([Partition(*part)])
            self._consumer.incremental_assign([self._where(part)])
            return
        self._consumer.assign([self._where(one) for one in self._paused])
        for one in self._paused.keys() - {part}:
            (self._consumer.pause if self._paused[one] else self._consumer.resume)([Partition(*one)])

    def _where(self, part: TopicPartition) -> Partition:
        return Partition(*part, self._next.get(part, NOWHERE))

    def position(self, part: TopicPartition) -> int | None:
        """As it was told: librdkafka's own does not pass markers."""
        return self._next.get(part)
