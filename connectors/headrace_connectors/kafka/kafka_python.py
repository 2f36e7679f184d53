"""A member of a group by kafka-python: pure Python, on every machine.

What is leant on, seen on Apache Kafka 4.1 with both protocols (tests/integration/test_kafka_client.py): the listener's
coroutine may wait as long as `max_poll_interval_ms` while heartbeats go on; commits are taken meanwhile from another
thread; on the cooperative protocol it is told of what is revoked when the new generation stands, on the eager one
before it joins. kafka-python's own thread runs the listener, and must never be blocked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event
from typing import Any, Final

from kafka import KafkaConsumer
from kafka import TopicPartition as Theirs
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
)
from kafka.future import Future
from kafka.structs import OffsetAndMetadata

from headrace_connectors.kafka.client import (
    Done,
    Fenced,
    Membership,
    Offset,
    OutOfRange,
    TopicPartition,
)
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.unpacking import Unpacking
from headrace_connectors.kafka.watching import Watch

ASSIGNORS: Final = {
    "cooperative-sticky": CooperativeStickyAssignor,
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
}

AWAY: Final = 2
"""Heartbeats that were not answered, after which a coordinator is taken to be away."""

MOST_A_POLL: Final = 2000
"""Records: few polls for many records, and no long stay in one of them."""


class KafkaPythonClient:
    """As `KafkaClient`. *settings* are those of the connection, in kafka-python's words."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        options: KafkaOptions,
        *,
        group: str,
        membership: Membership,
        watch: Watch,
    ) -> None:
        self._heard = self._settled = time.monotonic()
        self.session = options.session_timeout_ms / 1000
        self._longest_rebalance = options.max_poll_interval_ms / 1000 + self.session
        self._beat = min(3.0, self.session / 4)
        self._membership, self._joined, self._woken = membership, False, Event()
        try:
            self._consumer = self._make(settings, options, self._beat, group, watch)
        except BaseException:
            watch.abandon()
            raise
        self._consumer._fetcher.PartitionRecords = Unpacking  # noqa: SLF001 - where it looks for the class that unpacks
        self._consumer.subscribe(options.topics, listener=_Listener(self._consumer, membership))

    @staticmethod
    def _make(
        settings: Mapping[str, Any], options: KafkaOptions, beat: float, group: str, watch: Watch
    ) -> KafkaConsumer:
        return KafkaConsumer(
            **settings,
            kafka_client=watch.client,
            group_id=group,
            group_instance_id=options.group_instance_id,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=_ms(beat),
            max_poll_interval_ms=options.max_poll_interval_ms,
            metadata_max_age_ms=options.metadata_max_age_ms,
            partition_assignment_strategy=(ASSIGNORS[options.partition_assignment_strategy],),
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
            bootstrap_timeout_ms=10_000,
        )

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[Message]]:
        """kafka-python looks round and round while its coordinator is away: there, the waiting is ours."""
        self._remember_the_join()
        away = self.silence() > AWAY * self._beat
        self._take_up_again()
        try:
            found: Mapping[TopicPartition, Sequence[Message]] = self._consumer.poll(
                timeout_ms=0 if away else _ms(seconds), max_records=MOST_A_POLL
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange({TopicPartition(*part): offset for part, offset in error.args[0].items()}) from error
        if away and not found:
            time.sleep(seconds)
        if not self._joined and self._consumer._coordinator.stable():  # noqa: SLF001 - its listener is not told of nothing
            self._joined = True
            self._membership.assigned([])
        return found

    def _remember_the_join(self) -> None:
        """A member that began to join must go on with it.

        kafka-python 3.0.12 asks before each poll whether it has to, and where a change of topics was the reason, the
        leader's own assignment takes the reason away: a join that takes longer than one poll is forgotten, its outcome
        too, and the member reads nothing and sends no heartbeats any more.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - it offers no other way in
        if coordinator.rejoining:
            coordinator.rejoin_needed = True

    def _take_up_again(self) -> None:
        """What was put aside of a paused partition, once it is resumed.

        kafka-python 3.0.12 does so only where it has nothing in hand, and keeps in hand what it has used up: such a
        partition would bring nothing any more.
        """
        fetcher = self._consumer._fetcher  # noqa: SLF001
        if fetcher._paused_partition_records and not fetcher._next_partition_records:  # noqa: SLF001
            fetcher._next_partition_records = None  # noqa: SLF001

    def rest(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def pause(self, part: TopicPartition) -> None:
        self._consumer.pause(Theirs(*part))

    def resume(self, part: TopicPartition) -> None:
        self._consumer.resume(Theirs(*part))

    def seek(self, part: TopicPartition, offset: int) -> None:
        self._consumer.seek(Theirs(*part), offset)

    def position(self, part: TopicPartition) -> int | None:
        """As it is known: the public call, which would look for where to begin, costs more than a poll."""
        state = self._consumer._subscription.assignment.get(Theirs(*part))  # noqa: SLF001
        position = None if state is None else state.position
        return None if position is None else int(position.offset)

    def commit(self, offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
        try:
            self._consumer.commit(
                {Theirs(*part): OffsetAndMetadata(one.next, one.metadata, -1) for part, one in offsets.items()},
                timeout_ms=_ms(seconds),
            )
        except CommitFailedError as error:
            if error.args and isinstance(error.args[0], RebalanceInProgressError):
                raise error.args[0] from error  # counted in: the same commit is taken when the group stands
            raise Fenced(str(error)) from error
        except FencedInstanceIdError as error:
            raise Fenced(str(error)) from error

    def committed(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, Offset]:
        found = {}
        for part in parts:
            one = self._consumer.committed(Theirs(*part), metadata=True, timeout_ms=_ms(seconds))
            if one is not None:
                found[part] = Offset(one.offset, one.metadata or "")
        return found

    def partitions(self, topic: str) -> Sequence[int]:
        """As of the last metadata: the public call would ask for every topic of the cluster, and wait for ever."""
        return sorted(self._consumer._cluster.partitions_for_topic(topic) or ())  # noqa: SLF001

    def beginnings(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return _ours(self._consumer.beginning_offsets([Theirs(*part) for part in parts], timeout_ms=_ms(seconds)))

    def ends(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return _ours(self._consumer.end_offsets([Theirs(*part) for part in parts], timeout_ms=_ms(seconds)))

    def at(self, parts: Sequence[TopicPartition], time: float, seconds: float) -> Mapping[TopicPartition, int]:
        times = {Theirs(*part): int(time * 1000) for part in parts}
        found = self._consumer.offsets_for_times(times, timeout_ms=_ms(seconds))
        none = [part for part in parts if found.get(part) is None]
        younger = {TopicPartition(*part): one.offset for part, one in found.items() if one is not None}
        return {**younger, **(self.ends(none, seconds) if none else {})}

    def silence(self) -> float:
        """Since the last heartbeat that was answered was sent; none while the group rebalances.

        A member that waits for the others to join is counted in by the coordinator, and sends no heartbeats; but no
        longer than the group waits for anybody.
        """
        coordinator, now = self._consumer._coordinator, time.monotonic()  # noqa: SLF001 - its metrics tell of sending only
        beats, rebalances = coordinator.heartbeat, coordinator.rebalance_in_progress()
        if not rebalances:
            self._settled = now
        if rebalances and now - self._settled <= self._longest_rebalance:
            self._heard = now
        elif beats.last_receive >= beats.last_send:
            self._heard = max(self._heard, beats.last_send, beats.last_reset)
        else:
            self._heard = max(self._heard, beats.last_reset)
        return now - self._heard

    def close(self, seconds: float) -> None:
        self._consumer.close(autocommit=False, timeout_ms=_ms(seconds))


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka ships no types
    """Passes on what becomes of partitions, and holds the group up until they are let go."""

    def __init__(self, consumer: KafkaConsumer, membership: Membership) -> None:
        self._consumer, self._membership = consumer, membership

    async def on_partitions_assigned(self, assigned: Collection[Theirs]) -> None:
        for part in assigned:
            self._consumer.pause(part)
            self._consumer.seek(part, 0)  # or it would look for where to begin by itself
        self._membership.assigned(_named(assigned))

    async def on_partitions_revoked(self, revoked: Collection[Theirs]) -> None:
        await self._until_done(self._membership.revoked, revoked)

    async def on_partitions_lost(self, lost: Collection[Theirs]) -> None:
        """Forgets them before it joins again.

        kafka-python 3.0.12 goes on claiming what it lost: the group would then give it that at once, while the next
        owner, whose claim is overlooked, is still about to let it go.
        """
        for assignor in self._consumer._coordinator._assignors.values():  # noqa: SLF001
            if isinstance(assignor, CooperativeStickyAssignor):
                assignor.member_assignment = None
        await self._until_done(self._membership.lost, lost)

    async def _until_done(
        self, tell: Callable[[Sequence[TopicPartition], Done], None], parts: Collection[Theirs]
    ) -> None:
        """A future that another thread resolves does not wake kafka-python's loop: it is resolved there."""
        if parts:
            future, loop = Future(), self._consumer._net  # noqa: SLF001 - it has no public way to wake it
            tell(_named(parts), lambda: loop.call_soon_threadsafe(lambda: future.success(None)))
            await future


def _named(parts: Collection[Theirs]) -> list[TopicPartition]:
    return sorted(TopicPartition(*part) for part in parts)


def _ours(offsets: Mapping[Theirs, int]) -> dict[TopicPartition, int]:
    return {TopicPartition(*part): offset for part, offset in offsets.items()}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
