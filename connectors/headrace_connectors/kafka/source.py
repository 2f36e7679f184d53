"""Kafka topics as a source: a lane for each partition that the group gives us, from where the group left it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial

from headrace.errors import SourceUnavailable
from headrace.leases import new_owner
from headrace.log import LogLane
from headrace.model import Condition, Event, LaneLost, Origin, Record
from headrace.plugins import Opening
from headrace.retry import again
from headrace.settings import LEAST_CAPACITY
from headrace_connectors.kafka import event
from headrace_connectors.kafka.beginning import Beginning
from headrace_connectors.kafka.client import KafkaClient, Offset, TopicPartition, Unreadable
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.cursor import OffsetCursor, position_of
from headrace_connectors.kafka.joining import joining
from headrace_connectors.kafka.member import CALL_SECONDS, Member
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.origin import origin
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch

ENDS_EVERY = 2.0
"""Seconds between two questions for the ends of our partitions."""

TOPICS_EVERY = 5.0
"""Seconds between two looks whether our topics are there."""

LOOK_EVERY = 1.0
"""Seconds between two looks at partitions that cannot be read yet."""

OF_THE_INTERVAL = 0.8
"""Of `max_poll_interval_ms`: what lanes have to finish in when they are to be let go; the rest is for the commit."""

GIVEN_AWAY = "let go, for the group or for good"
COUNTED_OUT = "the group counts us in no more"


class KafkaSource:
    """A member of the group while it is open. Lanes come and go with what the group assigns.

    `_ours` is what it has assigned; each has a cursor from when our name is written for it, and then a lane.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening, self._log, self._clock = opening, opening.log, opening.clock
        options: KafkaOptions = opening.options
        self._options, self._owner = options, new_owner()
        self._connection, self._watch = options.connection(opening), Watch()
        self._servers = ",".join(self._connection.servers)
        self._contact = Contact(options.session_timeout_ms / 1000, opening.clock)
        self._member = Member(
            opening.mapping, self, joining(opening, self._watch), self._new_partition, self._to_records
        )
        self._beginning = Beginning(self._member, opening.settings)
        self._ours: dict[TopicPartition, Partition] = {}
        self._cursors: dict[Partition, OffsetCursor] = {}
        self._lanes: dict[Partition, LogLane] = {}
        self._misplaced: dict[Partition, int] = {}
        self._news, self._joined = asyncio.Event(), False
        self._looking: asyncio.TimerHandle | None = None
        self._ends_at, self._topics_at = 0.0, opening.clock.boot()  # at first a client knows of no topic
        self._troubles: dict[str, str] = {}
        self.condition = Condition("connecting", since=self._clock.wall())

    def _new_partition(self, part: TopicPartition) -> Partition:
        return Partition(part, clock=self._clock)

    def _to_records(self, messages: Sequence[Message]) -> Sequence[Record]:
        return event.records(messages, received=self._clock.wall())

    # what the engine asks of a source

    def render(self, records: Sequence[Record]) -> Event:
        return event.render(records, bootstrap_servers=self._servers)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:  # noqa: ARG002 - records name their partition
        return origin(records, bootstrap_servers=self._servers)

    def identify(self, identifier: object) -> str | None:
        return event.identify(identifier)

    async def lag(self) -> int | None:
        """Records between what the group has committed of our partitions and their ends; holes count as records."""
        parts = list(self._ours)

        def ask(client: KafkaClient) -> int:
            ends = client.ends(parts, CALL_SECONDS)
            committed = {part: one.next for part, one in client.committed(parts, CALL_SECONDS).items()}
            untouched = [part for part in parts if part not in committed]
            begin = committed | dict(client.beginnings(untouched, CALL_SECONDS) if untouched else {})
            return sum(max(0, ends[part] - begin[part]) for part in parts)

        return await self._member.call(ask) if self._joined and parts else None

    async def dead_lettered(self) -> int | None:
        return None

    async def idle(self) -> bool:
        """Every partition of ours is read to its end, and all of it settled."""
        ours = dict(self._ours)
        if not self._joined or not all(map(self._at_rest, ours.values())):
            return False
        ends = await self._member.call(lambda client: client.ends(list(ours), CALL_SECONDS)) if ours else {}
        read = all((one.read_to or 0) >= ends[part] for part, one in ours.items())
        return read and ours == self._ours and all(map(self._at_rest, ours.values()))

    def _at_rest(self, partition: Partition) -> bool:
        """Whether nothing that was polled of it is without its verdict."""
        lane = self._lanes.get(partition)
        return lane is not None and partition.drained and not lane.held.records

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self._member.close()

    # lanes

    async def lanes(self) -> AsyncIterator[LogLane]:
        await self._join()
        while True:
            self._news.clear()
            for partition in [one for one in self._ours.values() if one not in self._lanes and not one.closed]:
                if lane := await self._open(partition):
                    yield lane
            for partition, offset in list(self._misplaced.items()):
                await self._go_on_behind(partition, offset)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()

    async def _join(self) -> None:
        async for attempt in again(self._log, "source.unavailable", topics=self._options.topics):
            with attempt:
                try:
                    await self._member.open()
                except Exception as error:
                    self._set_condition("unavailable", self._words(error))
                    raise SourceUnavailable(self._words(error)) from error
        self._look()

    async def _open(self, partition: Partition) -> LogLane | None:
        """The lane of *partition*, once it is known where it begins and the group has taken our name for it."""
        try:
            begin = await self._beginning.of(partition)
            if begin is None:
                self._set_condition(
                    "waiting", f"for where {partition.part.topic} begins: who owns its partition 0 says"
                )
                return None
            cursor = self._cursors[partition] = OffsetCursor(
                partition, begin, self._owner, self._commit, lambda: self._contact.deadline
            )
            await cursor.take()
        except LaneLost:
            self._gone(partition)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a cluster says, it is tried again
            self._log.warning("source.unavailable", lane=partition.name, error=self._words(error))
            self._set_condition("unavailable", self._words(error))
            return None
        self._set_condition("polling")
        return self._lane(partition, cursor, begin.next)

    def _lane(self, partition: Partition, cursor: OffsetCursor, begin: int) -> LogLane:
        note, capacity = cursor.note, self._opening.settings.capacity or LEAST_CAPACITY
        self._log.info("partition.taken", lane=partition.name, epoch=note.epoch, offset=begin, crashes=note.crashes)
        lane = self._lanes[partition] = LogLane(
            partition.name,
            partition,
            cursor,
            commit_interval=self._opening.commit_interval,
            commit_after=10 * capacity,
            crashes=note.crashes,
            mark=note.mark,
            careful_for=capacity,
            clock=self._clock,
            logger=self._log,
            closed=lambda _: self._gone(partition),
        )
        self._member.move(partition, begin)
        return lane

    def _gone(self, partition: Partition) -> None:
        """Nothing of ours uses it any more. What the group leaves with us begins anew."""
        for kept in (self._lanes, self._cursors, self._misplaced):
            kept.pop(partition, None)
        partition.gone()
        if self._ours.get(partition.part) is partition:
            self._member.renew(partition)

    async def _commit(self, part: TopicPartition, offset: Offset) -> None:
        sent = self._clock.boot()
        await self._member.commit({part: offset})
        self._contact.heard(sent)

    async def _go_on_behind(self, partition: Partition, offset: int) -> None:
        """The record at *offset*, which comes next, is not there."""
        part = partition.part
        begin = (await self._member.call(lambda client: client.beginnings([part], CALL_SECONDS)))[part]
        if self._misplaced.pop(partition, None) is not None:
            self._opening.tally(partition.name).lost_to_retention += 1
            self._log.warning("records.lost_to_retention", lane=partition.name, offset=offset, goes_on_at=begin)
            self._member.move(partition, begin)

    # what the member tells

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self._joined = True
        self._ours |= {one.part: one for one in partitions}
        self._set_condition("polling", "" if self._ours else "other members of the group have every partition")
        self._news.set()

    def revoked(self, partitions: Sequence[Partition]) -> None:
        allowed = self._options.max_poll_interval_ms / 1000 * OF_THE_INTERVAL
        self._take_away(partitions, lambda one: one.ask(allowed), GIVEN_AWAY)

    def lost(self, partitions: Sequence[Partition]) -> None:
        self._take_away(partitions, lambda one: one.lose(COUNTED_OUT), COUNTED_OUT)

    def _take_away(self, partitions: Sequence[Partition], tell: Callable[[Partition], None], why: str) -> None:
        for partition in partitions:
            self._ours.pop(partition.part, None)
            self._log.info("partition.taken_away", lane=partition.name, why=why)
            if partition in self._lanes:
                tell(partition)
            else:  # it is being opened, or waits to be
                if why == GIVEN_AWAY and (cursor := self._cursors.get(partition)):
                    self._member.commit_soon(partition.part, cursor.last())
                partition.lose(why)
                self._gone(partition)

    def out_of_range(self, partition: Partition, offset: int) -> None:
        if self._options.on_trimmed == "skip":
            self._misplaced[partition] = offset
            self._news.set()
            return
        partition.set_condition(
            "trimmed",
            f"the record at offset {offset} comes next and is not there: retention took it, or the topic "
            "was made again; "
            "set on_trimmed: skip to go on at the oldest that is left, or move the group's offset",
        )

    def unreadable(self, partition: Partition, fault: Unreadable) -> None:
        partition.set_condition("unreadable", str(fault))

    def polling(self, error: Exception | None) -> None:
        if error is not None:
            self._log.warning("source.unavailable", error=self._words(error))
        self._says("poll", "" if error is None else self._words(error))

    def _says(self, who: str, trouble: str) -> None:
        """What one of those tells that notice when it is not served; "" that it is well again."""
        if trouble == self._troubles.get(who, ""):
            return
        self._troubles = {**self._troubles, who: trouble} if trouble else _without(self._troubles, who)
        reason = next(iter(self._troubles.values()), "")
        state = "unavailable" if reason else "polling"
        self._set_condition(state, reason)
        for partition in self._lanes:
            if partition.condition.state in {"polling", "unavailable"}:
                partition.set_condition(state, reason)

    # looking after the membership

    def _look(self) -> None:
        """Again and again while it is open, also while lanes drain: no task of its own, for it never waits."""
        self._contact.look(self._member.client.silence())
        for partition, lane in self._lanes.items():
            if self._at_rest(partition) and partition.read_to is not None:
                lane.rest(position_of(partition.read_to))
        now = self._clock.boot()
        if now - self._ends_at >= ENDS_EVERY:
            self._ends_at = now
            self._member.ask(partial(_ends, parts=list(self._ours)), self._told_ends, self._told_no_ends)
        if now - self._topics_at >= TOPICS_EVERY:
            self._topics_at = now
            self._member.ask(partial(_absent, topics=self._options.topics), self._told_absent)
        self._looking = asyncio.get_running_loop().call_later(min(self._contact.every, ENDS_EVERY), self._look)

    def _told_ends(self, ends: dict[TopicPartition, int]) -> None:
        self._says("ends", "")
        for part, end in ends.items():
            if (partition := self._ours.get(part)) is not None:
                partition.tip = end

    def _told_no_ends(self, error: Exception) -> None:
        """A client that has no answer to its polls says nothing, but tries again."""
        self._says("ends", self._words(error))

    def _told_absent(self, absent: list[str]) -> None:
        """No client says so by itself: a group of a topic that is not there has nothing to share out."""
        they = "does not exist" if len(absent) == 1 else "do not exist"
        mend = "make it, correct source.topics, or add an ACL: it is read when it is there"
        self._says("topics", f"{', '.join(absent)} {they}, or may not be seen; {mend}" if absent else "")

    def _words(self, error: Exception) -> str:
        return sentence(error, self._connection, self._watch.last)

    def _set_condition(self, state: str, reason: str = "") -> None:
        if (self.condition.state, self.condition.reason) != (state, reason):
            self.condition = Condition(state, reason, self._clock.wall())


def _ends(client: KafkaClient, parts: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    return dict(client.ends(parts, CALL_SECONDS)) if parts else {}


def _without(troubles: dict[str, str], who: str) -> dict[str, str]:
    return {other: trouble for other, trouble in troubles.items() if other != who}


def _absent(client: KafkaClient, topics: Sequence[str]) -> list[str]:
    return [topic for topic in topics if not client.partitions(topic)]
