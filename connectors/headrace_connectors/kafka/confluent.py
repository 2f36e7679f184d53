"""A member of a group by confluent_kafka: librdkafka, a sixth of the cost, and KIP-848 groups.

A consumer of confluent_kafka has one thread: since 2.16 another one waits until no poll runs, a callback included. So
commits are sent by the poll thread, between two polls or while a callback waits for partitions to be let go
(`Committing`), and what needs no membership is asked through a second handle (`Questions`), which may block.

Seen on Apache Kafka 4.1 (tests/contract/test_kafka_client.py): a callback that blocks holds the group up, while
librdkafka's own threads send heartbeats; a partition that is paused within the callback that assigns it hands nothing
over; an event says where a partition ends, past markers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import Message as Theirs
from confluent_kafka import TopicPartition as Partition

from headrace_connectors.kafka import statistics
from headrace_connectors.kafka.client import Done, Fenced, Membership, Offset, TopicPartition
from headrace_connectors.kafka.committing import Committing
from headrace_connectors.kafka.librdkafka import FIXED, of_group
from headrace_connectors.kafka.logs import LIBRDKAFKA
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.placing import Placing
from headrace_connectors.kafka.pollthread import PollThread
from headrace_connectors.kafka.questions import BEGINNING, END, Questions
from headrace_connectors.kafka.sessions import told_by_brokers
from headrace_connectors.kafka.sorting import Sorted
from headrace_connectors.kafka.watching import Watch

MOST_A_POLL: Final = 2000
"""Records: few polls for many records, and no long stay in one of them."""

SLICE: Final = 0.01
"""Seconds that a poll waits at most before it looks whether there is something to commit."""

LOOKS_EVERY: Final = 0.2
"""Seconds between two looks at the membership while partitions are let go."""


class ConfluentClient:
    """As `KafkaClient`. *settings* are those of the connection, in librdkafka's words."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        options: KafkaOptions,
        *,
        group: str,
        membership: Membership,
        watch: Watch,
    ) -> None:
        self._membership, self._watch = membership, watch
        self._heard = time.monotonic()
        self._as: dict[TopicPartition, str] = {}  # the member that each was assigned to last
        self._taken: set[TopicPartition] = set()  # away within this poll
        self._errors: list[KafkaException] = []
        self._unreached: KafkaException | None = None
        self._thread = PollThread()
        self._commits = Committing(self._thread, self._check)
        self._questions = Questions(settings, group, watch)
        self._questions.reach(options.topics[0])
        self.session = told_by_brokers(settings, group) if options.kip_848 else options.session_timeout_ms / 1000
        self._consumer = Consumer(
            {
                **settings,
                **of_group(options, group, self.session),
                **FIXED,
                "on_commit": self._commits.answered,
                "error_cb": self._told_error,
                "stats_cb": self._told_statistics,
                "logger": LIBRDKAFKA,
            }
        )
        incremental = options.kip_848 or options.partition_assignment_strategy == "cooperative-sticky"
        self._placing = Placing(self._consumer, incremental=incremental)
        self._consumer.subscribe(options.topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    # of the poll thread

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[Message]]:
        for fault in self._placing.faults.values():
            raise fault
        self._taken.clear()
        first = self._first(seconds)
        if first is None:
            self._raise_errors()
            return {}
        came = Sorted([first, *self._consumer.consume(MOST_A_POLL - 1, 0)], self._placing.faults)
        self._errors += came.errors
        for part in self._taken:
            came.found.pop(part, None)
            came.next.pop(part, None)
        self._placing.handed_over(came.next)
        if not came.found:
            self._raise_errors()
        return came.found

    def _first(self, seconds: float) -> Theirs | None:
        until = time.monotonic() + seconds
        while True:
            self._thread.work()
            left = until - time.monotonic()
            found = self._consumer.poll(max(0.0, min(SLICE, left)))
            if found is not None or left <= SLICE:
                return found

    def _raise_errors(self) -> None:
        if self._errors:
            raise self._errors.pop(0)
        if self._unreached is not None:
            raise self._unreached

    def rest(self, seconds: float) -> None:
        self._thread.rest(seconds)

    def wake(self) -> None:
        self._thread.wake()

    def pause(self, part: TopicPartition) -> None:
        self._placing.pause(part)

    def resume(self, part: TopicPartition) -> None:
        self._placing.resume(part)

    def seek(self, part: TopicPartition, offset: int) -> None:
        self._placing.seek(part, offset)

    def position(self, part: TopicPartition) -> int | None:
        return self._placing.position(part)

    # also of the thread of calls

    def commit(self, offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:  # noqa: ARG002
        """As promised, but for *seconds*: librdkafka has its own, a session while it looks for the coordinator."""
        self._commits.commit(self._consumer, offsets)

    def _check(self, theirs: Sequence[Partition]) -> None:
        """A member that was thrown out has no id, and sends nothing, nor by its next id what it had.

        A commit that names a static member without its id would end this consumer for good, and one without either is
        taken by a group that has no members. What is lost may be told only after the group was joined again.
        """
        member = self._consumer.memberid()
        if not member or any(self._as.get(part, member) != member for part in _named(theirs)):
            raise Fenced("the group has thrown this member out")

    def committed(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, Offset]:
        return self._questions.committed(parts, seconds)

    def partitions(self, topic: str) -> Sequence[int]:
        return self._questions.partitions(topic)

    def beginnings(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return self._questions.offsets(parts, BEGINNING, seconds)

    def ends(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return self._questions.offsets(parts, END, seconds)

    def at(self, parts: Sequence[TopicPartition], time: float, seconds: float) -> Mapping[TopicPartition, int]:
        found = self._questions.offsets(parts, int(time * 1000), seconds)
        none = [part for part, offset in found.items() if offset < 0]
        return {**found, **(self.ends(none, seconds) if none else {})}

    def silence(self) -> float:
        """Since an answer of the coordinator, as librdkafka's statistics tell; they come within `poll`.

        While that waits for partitions to be let go there are none, and what counts is that librdkafka has an id in the
        group: it gives that up itself when the coordinator has been silent for a session.
        """
        return time.monotonic() - self._heard

    def close(self, seconds: float) -> None:  # noqa: ARG002 - librdkafka's last request has its own time-out
        try:
            self._consumer.close()
        finally:
            self._thread.close()
            self._commits.close()
            self._questions.close()

    # what librdkafka tells, within its poll

    def _assigned(self, _: Consumer, theirs: Collection[Partition]) -> None:
        parts = _named(theirs)
        self._placing.assigned(parts)
        self._as |= dict.fromkeys(parts, self._consumer.memberid())
        self._membership.assigned(parts)

    def _revoked(self, _: Consumer, theirs: Collection[Partition]) -> None:
        """A member that has no id any more was thrown out since."""
        self._let_go(theirs, self._membership.revoked if self._consumer.memberid() else self._membership.lost)

    def _lost(self, _: Consumer, theirs: Collection[Partition]) -> None:
        self._let_go(theirs, self._membership.lost)

    def _let_go(self, theirs: Collection[Partition], tell: Callable[[Sequence[TopicPartition], Done], None]) -> None:
        """Hold the group up until they are let go; librdkafka unassigns them when this returns."""
        parts = _named(theirs)
        if not parts:
            return
        self._taken |= set(parts)
        self._placing.let_go(parts)
        done = self._thread.waits()
        tell(parts, done)
        member = self._consumer.memberid()
        with self._commits.answers_at_once(self._consumer):
            while not self._thread.work_until(done, LOOKS_EVERY):
                if member and self._consumer.memberid() == member:
                    self._heard = time.monotonic()
                elif member:
                    member = ""
                    self._membership.lost(parts, _nothing)

    def _told_error(self, error: KafkaError) -> None:
        self._watch.told(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():  # noqa: SLF001 - as above
            self._unreached = KafkaException(error)

    def _told_statistics(self, text: str) -> None:
        now, said = time.monotonic(), statistics.of(text)
        if said.silence is not None:
            self._heard = max(self._heard, now - said.silence)
        if said.reached:
            self._watch.well()
            self._unreached = None


def _named(theirs: Collection[Partition]) -> list[TopicPartition]:
    return sorted(TopicPartition(one.topic, one.partition) for one in theirs)


def _nothing() -> None: ...
