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
from headrace_connectors.kafka.backlog import Backlog
from headrace_connectors.kafka.client import KafkaClient, TopicPartition, Unreadable
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.extent import ends
from headrace_connectors.kafka.faring import Faring
from headrace_connectors.kafka.joining import joining
from headrace_connectors.kafka.lookout import LOOK_EVERY, Lookout
from headrace_connectors.kafka.member import CALL_SECONDS, Member, OpenClient
from headrace_connectors.kafka.message import Message, PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.orders import Orders
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.present.shape import unreadable
from headrace_connectors.kafka.presenting import shape_of
from headrace_connectors.kafka.taking import Taking
from headrace_connectors.kafka.watching import Watch
from headrace_connectors.kafka.wrapping import Bare, Wrapping

T = TypeVar("T")

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

LET_GO, COUNTED_OUT = "let go, for the group or for good", "the group counts us in no more"


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
        connection, watch = options.connection(opening), Watch()
        aws = opening.sections.get("aws")
        self._shape = shape_of(
            options.present_as,
            options.event_source_arn,
            topic=options.topics[0],
            bootstrap_servers=",".join(connection.servers),
            region=aws.region if isinstance(aws, AwsSettings) else None,
            windowed=bool(opening.settings.maximum_batching_window_in_seconds),
        )
        self._ours: dict[TopicPartition, Partition] = {}
        self._lanes: dict[Partition, LogLane] = {}
        self._faring = Faring(opening, connection, watch, self._lanes)
        self._contact = Contact(options.session_timeout_ms / 1000, opening.clock)
        self._member = Member(opening.mapping, self, join(opening, watch), self._new_partition)
        self._taking = Taking(opening, self._member, self._contact, self._gone)
        group = options.consumer_group_id or str(opening.uuid)
        self._orders = Orders(opening.mapping, of_kafka_python(connection), group, CALL_SECONDS)
        self._lookout = Lookout(
            opening,
            self._member,
            self._contact,
            self._faring,
            taking=self._taking,
            orders=self._orders,
            ours=self._ours,
            lanes=self._lanes,
        )
        self._misplaced: dict[Partition, int] = {}
        self._backlog = Backlog(self._member, self._taking, self._answer)
        self._news, self._joined, self._resting = asyncio.Event(), False, False

    # what the engine asks of a source

    @property
    def condition(self) -> Condition:
        return self._faring.condition

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
            self._log.warning("source.unavailable", error=self._faring.words(error))
            return None

    def _at_rest(self, partition: Partition) -> bool:
        """Whether nothing that was polled of it is without its verdict."""
        lane = self._lanes.get(partition)
        return lane is not None and partition.drained and not lane.held.records

    async def close(self) -> None:
        self._lookout.close()
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
                    self._faring.is_now("unavailable", self._faring.words(error))
                    raise SourceUnavailable(self._faring.words(error)) from error
        if self.condition is before:  # else it polls already, and has said more
            self._faring.is_now("connecting", SHARES_OUT)
        self._learn_the_session()
        self._lookout.begin()

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
        longest = max(2 * self._contact.session, LEAST_BEFORE_ANEW)
        if max(self._faring.failing, self._member.client.silence()) > longest:
            raise SourceUnavailable(self.condition.reason or "the group's coordinator says nothing")

    def _to_take(self) -> list[Partition]:
        """Those without a lane, but for one at whose records a call of an earlier assignment still runs."""
        found = [one for one in self._ours.values() if one not in self._lanes and not one.closed]
        running = [one.name for one in found if self._opening.still_runs(one.name)]
        if running:
            why = "a call that was made under an earlier assignment still runs here"
            self._faring.is_now(LEFT_ALONE, f"{', '.join(running)} is left alone: {why}")
        elif self.condition.state == LEFT_ALONE:
            self._faring.is_now("polling")
        return [one for one in found if one.name not in running]

    async def _take(self, partition: Partition) -> LogLane | None:
        try:
            lane = await self._taking.take(partition)
        except LaneLost:
            self._gone(partition)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a cluster says, it is tried again
            self._log.warning("source.unavailable", lane=partition.name, error=self._faring.words(error))
            self._faring.is_now("unavailable", self._faring.words(error))
            return None
        if lane is None:
            self._faring.is_now(
                "waiting", f"where {partition.part.topic} begins is for who owns its partition 0 to say"
            )
            return None
        self._lanes[partition] = lane
        self._faring.is_now("polling")
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
        self._faring.is_now("polling", "" if self._ours else "other members of the group have every partition")
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
        self._faring.polling(error)
