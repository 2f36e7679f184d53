"""Kafka topics as a source: a lane for each partition that the group gives us, from where the group left it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from headrace.errors import SourceUnavailable
from headrace.log import LogLane
from headrace.model import Condition, Event, Lane, LaneLost, Origin, Record
from headrace.plugins import Opening
from headrace.retry import again, capped
from headrace.sharing import LEFT_ALONE
from headrace_connectors.aws import AwsSettings
from headrace_connectors.kafka.asking import Asking
from headrace_connectors.kafka.backlog import Backlog
from headrace_connectors.kafka.client import KafkaClient, TopicPartition, Unreadable
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.cursor import position_of
from headrace_connectors.kafka.extent import absent, ends
from headrace_connectors.kafka.joining import joining
from headrace_connectors.kafka.member import CALL_SECONDS, Member, OpenClient
from headrace_connectors.kafka.message import Message, PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.orders import Orders
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.present.shape import unreadable
from headrace_connectors.kafka.presenting import shape_of
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.requests import Request
from headrace_connectors.kafka.taking import Taking
from headrace_connectors.kafka.troubles import Troubles
from headrace_connectors.kafka.watching import Watch
from headrace_connectors.kafka.wrapping import Bare, Wrapping

T = TypeVar("T")

ENDS_EVERY = 2.0
"""Seconds between two questions for the ends of our partitions."""

TOPICS_EVERY = 5.0
"""Seconds between two looks whether our topics are there."""

LOOK_EVERY = 1.0
"""Seconds between two looks, at most: at the membership, and at partitions that cannot be read yet."""

JOINS_WITHIN = 3.0
"""Seconds between two tries to reach the cluster, at most: so soon a login works that was put right at the broker."""

LEAST_BEFORE_ANEW = 60.0
"""Seconds of nothing but failing polls after which another client is made."""

OF_THE_INTERVAL = 0.8
"""Of `max_poll_interval_ms`: what lanes have to finish in when they are to be let go; the rest is for the commit."""

SHARES_OUT = (
    "reached the cluster; the group has not shared out its partitions yet: it waits for its other members, and for one "
    "that was killed until its session ends"
)

LET_GO, COUNTED_OUT, SOUGHT = (
    "let go, for the group or for good",
    "the group counts us in no more",
    "an operator moves it",
)


class KafkaSource:
    """A member of the group while it is open. Lanes come and go with what the group assigns, `_ours`.

    *wrapping* is what is put round them.
    """

    def __init__(
        self, opening: Opening, wrapping: Wrapping | None = None, join: Callable[[Opening, Watch], OpenClient] = joining
    ) -> None:
        self._wrapping = wrapping or Bare()
        self._opening, self._log, self._clock = opening, opening.log, opening.clock
        options: KafkaOptions = opening.options
        self._options = options
        self._connection, self._watch = options.connection(opening), Watch()
        aws = opening.sections.get("aws")
        self._shape = shape_of(
            options.present_as,
            options.event_source_arn,
            topic=options.topics[0],
            bootstrap_servers=",".join(self._connection.servers),
            region=aws.region if isinstance(aws, AwsSettings) else None,
            windowed=bool(opening.settings.maximum_batching_window_in_seconds),
        )
        self._contact = Contact(options.session_timeout_ms / 1000, opening.clock)
        self._member = Member(opening.mapping, self, join(opening, self._watch), self._new_partition)
        self._taking = Taking(opening, self._member, self._contact, self._gone)
        now = opening.clock.boot()  # then a client knows of no topic yet
        self._topics: Asking[list[str]] = Asking(TOPICS_EVERY, self._member.ask, since=now)
        self._ends: Asking[Mapping[TopicPartition, int]] = Asking(ENDS_EVERY, self._member.ask)
        group = options.consumer_group_id or str(opening.uuid)
        self._orders = Orders(opening.mapping, of_kafka_python(self._connection), group, CALL_SECONDS)
        self._ours: dict[TopicPartition, Partition] = {}
        self._lanes: dict[Partition, LogLane] = {}
        self._misplaced: dict[Partition, int] = {}
        self._backlog = Backlog(self._member, self._taking, self._answer)
        self._news, self._joined, self._resting = asyncio.Event(), False, False
        self._looking: asyncio.TimerHandle | None = None
        self._failing_since: float | None = None
        self._troubles = Troubles(self._tell_trouble)
        self.condition = Condition("connecting", since=self._clock.wall())

    # what the engine asks of a source

    def render(self, records: Sequence[Record]) -> Event:
        return self._shape.render(records)

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:  # noqa: ARG002 - records name their partition
        return self._shape.origin(records)

    def identify(self, identifier: object) -> str | None:
        return self._shape.identify(identifier)

    async def lag(self) -> int | None:
        """Of the partitions that are ours, or are being let go; None where there are none."""
        letting_go = [one for one in self._lanes if one.part not in self._ours and not one.lost_because]
        held = [*self._ours.values(), *letting_go]
        if not self._joined or not held:
            return None
        if self._resting:
            await self._backlog.look_ahead([one for one in self._ours.values() if not one.closed])
        return await self._backlog.records(held)

    def behind(self) -> Mapping[str, float | None]:
        return {one.name: one.behind for one in self._ours.values() if one not in self._lanes}

    async def dead_lettered(self) -> int | None:
        return None

    async def idle(self) -> bool:
        """Every partition of ours is read to its end, and all of it settled."""
        ours = dict(self._ours)
        if not self._joined or not all(map(self._at_rest, ours.values())):
            return False
        end = await self._answer(partial(ends, parts=list(ours)))
        read = end is not None and all((one.read_to or 0) >= end[part] for part, one in ours.items())
        return read and ours == self._ours and all(map(self._at_rest, ours.values()))

    async def _answer(self, ask: Callable[[KafkaClient], T]) -> T | None:
        """None while the cluster gives none."""
        try:
            return await self._member.ask(lambda: ask(self._member.client))
        except Exception as error:  # noqa: BLE001 - whatever it says, it is asked again soon
            self._log.warning("source.unavailable", error=self._words(error))
            return None

    def _at_rest(self, partition: Partition) -> bool:
        """Whether nothing that was polled of it is without its verdict."""
        lane = self._lanes.get(partition)
        return lane is not None and partition.drained and not lane.held.records

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        await self._member.close()
        self._orders.close()
        await self._wrapping.close()

    # lanes

    async def lanes(self) -> AsyncIterator[Lane]:
        await self._join()
        try:
            while True:
                self._news.clear()
                self._begin_anew_if_failing()
                for partition in self._to_take():
                    if lane := await self._take(partition):
                        yield self._wrapping.lane(partition, lane, self._clock)
                for partition, offset in list(self._misplaced.items()):
                    await self._go_on_behind(partition, offset)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._news.wait()
        finally:  # nobody takes partitions any more: paused, or about to be closed
            self._resting = True

    async def _join(self) -> None:
        wait = capped(JOINS_WITHIN)
        async for attempt in again(self._log, "source.unavailable", wait=wait, topics=self._options.topics):
            with attempt:
                before = self.condition
                try:
                    await self._member.open()
                except Exception as error:
                    self._set_condition("unavailable", self._words(error))
                    raise SourceUnavailable(self._words(error)) from error
        if self.condition is before:  # else it polls already, and has said more
            self._set_condition("connecting", SHARES_OUT)
        self._learn_the_session()
        self._look()

    def _learn_the_session(self) -> None:
        """Where the brokers say how long it is; too long a one would have us dispatch what another has already."""
        session = self._member.client.session
        if session is not None:
            self._contact.lasts(session)
            return
        mend = "allow this principal to describe the configs of its group (DESCRIBE_CONFIGS)"
        self._log.warning("group.session_unknown", assumed=self._contact.session, mend=mend)

    def _begin_anew_if_failing(self) -> None:
        """A client that is broken for good says the same for ever, or nothing; another one may do better."""
        failing = 0.0 if self._failing_since is None else self._clock.boot() - self._failing_since
        longest = max(2 * self._contact.session, LEAST_BEFORE_ANEW)
        if max(failing, self._member.client.silence()) > longest:
            raise SourceUnavailable(self.condition.reason or "the group's coordinator says nothing")

    def _to_take(self) -> list[Partition]:
        """Those without a lane, but for one at whose records a call of an earlier assignment still runs."""
        found = [one for one in self._ours.values() if one not in self._lanes and not one.closed]
        running = [one.name for one in found if self._opening.still_runs(one.name)]
        if running:
            why = "a call that was made under an earlier assignment still runs here"
            self._set_condition(LEFT_ALONE, f"{', '.join(running)} is left alone: {why}")
        elif self.condition.state == LEFT_ALONE:
            self._set_condition("polling")
        return [one for one in found if one.name not in running]

    async def _take(self, partition: Partition) -> LogLane | None:
        try:
            lane = await self._taking.take(partition)
        except LaneLost:
            self._gone(partition)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a cluster says, it is tried again
            self._log.warning("source.unavailable", lane=partition.name, error=self._words(error))
            self._set_condition("unavailable", self._words(error))
            return None
        if lane is None:
            self._set_condition(
                "waiting", f"where {partition.part.topic} begins is for who owns its partition 0 to say"
            )
            return None
        self._lanes[partition] = lane
        self._set_condition("polling")
        return lane

    def _gone(self, partition: Partition) -> None:
        """Nothing of ours uses it any more. What the group leaves with us begins anew."""
        self._lanes.pop(partition, None)
        self._misplaced.pop(partition, None)
        self._taking.forget(partition)
        partition.gone()
        if self._ours.get(partition.part) is partition:
            if partition.lost_because:
                self._log.warning("partition.dropped", lane=partition.name, why=partition.lost_because)
            self._member.renew(partition)

    async def _go_on_behind(self, partition: Partition, offset: int) -> None:
        """The record at *offset*, which comes next, is not there."""
        part = partition.part
        begin = await self._answer(lambda client: client.beginnings([part], CALL_SECONDS)[part])
        if begin is not None and self._misplaced.pop(partition, None) is not None:
            self._opening.tally(partition.name).lost_to_retention += 1
            self._log.warning("records.lost_to_retention", lane=partition.name, offset=offset, goes_on_at=begin)
            partition.moved()
            self._member.move(partition, begin)

    # what the member asks and tells

    def _new_partition(self, part: TopicPartition) -> Partition:
        return Partition(part, clock=self._clock)

    def records(self, messages: Sequence[Message]) -> Sequence[Record]:
        return self._wrapping.records(self._shape, messages, received=self._clock.wall())

    def unreadable(self, fault: Unreadable) -> Record:
        place = PlainMessage(fault.part.topic, fault.part.partition, fault.offset, None, None, None, None)
        return unreadable(place, fault.why, received=self._clock.wall())

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self._joined = True
        self._ours |= {one.part: one for one in partitions}
        self._set_condition("polling", "" if self._ours else "other members of the group have every partition")
        self._news.set()

    def revoked(self, partitions: Sequence[Partition]) -> None:
        allowed = self._options.max_poll_interval_ms / 1000 * OF_THE_INTERVAL
        self._take_away(partitions, lambda one: one.ask(allowed), LET_GO)

    def lost(self, partitions: Sequence[Partition]) -> None:
        self._take_away(partitions, lambda one: one.lose(COUNTED_OUT), COUNTED_OUT)

    def _take_away(self, partitions: Sequence[Partition], tell: Callable[[Partition], None], why: str) -> None:
        for partition in partitions:
            self._ours.pop(partition.part, None)
            self._log.info("partition.taken_away", lane=partition.name, why=why)
            if partition in self._lanes:
                tell(partition)
            else:  # it is being taken, or waits to be
                if why == LET_GO:
                    self._taking.give_back(partition)
                partition.lose(why)
                self._gone(partition)

    def out_of_range(self, partition: Partition, offset: int) -> None:
        if self._options.on_trimmed == "skip":
            self._misplaced[partition] = offset
            self._news.set()
            return
        partition.set_condition(
            "trimmed",
            f"the record at offset {offset} comes next and is not there: retention took it, or the topic was made "
            "again; set on_trimmed: skip to go on at the oldest that is left, or seek to where you want to read on",
        )

    def polling(self, error: Exception | None) -> None:
        self._failing_since = None if error is None else self._failing_since or self._clock.boot()
        self._troubles.says("polls", "" if error is None else self._words(error))

    def _tell_trouble(self, trouble: str) -> None:
        """Of the source, and of each lane that has no trouble of its own."""
        if trouble:
            self._log.warning("source.unavailable", error=trouble)
        state = "unavailable" if trouble else "polling"
        self._set_condition(state, trouble)
        for partition in self._lanes:
            if partition.condition.state in {"polling", "unavailable"}:
                partition.set_condition(state, trouble)

    # looking after the membership

    def _look(self) -> None:
        """Again and again while it is open, also while lanes drain: no task of its own, for it never waits."""
        client, silence = self._member.client, self._member.client.silence()
        self._contact.look(silence)
        silent = silence > self._contact.session  # then polls bring nothing, which is no error
        self._troubles.says("coordinator", self._words(TimeoutError()) if silent else "")
        for partition, lane in self._lanes.items():
            if (offset := partition.behind_all) is not None and not lane.held.records:
                lane.rest(position_of(offset))
        now, parts = self._clock.boot(), list(self._ours)
        self._ends.look(now, lambda: ends(client, parts), self._told_ends, self._told_no_ends)
        self._topics.look(now, lambda: absent(client, self._options.topics), self._told_absent)
        self._orders.look(now, parts, self._told_orders)
        self._looking = asyncio.get_running_loop().call_later(min(self._contact.every, LOOK_EVERY), self._look)

    def _told_ends(self, found: Mapping[TopicPartition, int]) -> None:
        self._troubles.says("ends", "")
        for part, end in found.items():
            if (partition := self._ours.get(part)) is not None:
                partition.tip = end

    def _told_no_ends(self, error: Exception) -> None:
        """A client that has no answer to its polls says nothing, but tries again."""
        self._troubles.says("ends", self._words(error))

    def _told_absent(self, topics: list[str]) -> None:
        """No client says so by itself: a group of a topic that is not there has nothing to share out."""
        they = "does not exist" if len(topics) == 1 else "do not exist"
        mend = "make it, correct source.topics, or add an ACL: it is read when it is there"
        self._troubles.says("topics", f"{', '.join(topics)} {they}, or may not be seen; {mend}" if topics else "")

    def _told_orders(self, found: Mapping[TopicPartition, Request]) -> None:
        """A partition that an operator wants read from elsewhere is given up, and begun there."""
        for part, request in found.items():
            partition = self._ours.get(part)
            if partition in self._lanes and self._taking.is_news(partition, request):
                self._log.info("partition.sought", lane=part.name, to=request.next)
                partition.lose(SOUGHT)

    def _words(self, error: Exception) -> str:
        return sentence(error, self._connection, self._watch.last)

    def _set_condition(self, state: str, reason: str = "") -> None:
        if (self.condition.state, self.condition.reason) != (state, reason):
            self.condition = Condition(state, reason, self._clock.wall())
