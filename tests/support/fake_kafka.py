"""A Kafka cluster in memory with one member of one group, scripted: what the group does, and when calls are answered.

The client blocks in real threads as the real ones do, so its tests run in real time, with sessions of a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Condition, Event, RLock
from typing import Any, Self

from headrace.clock import SYSTEM
from headrace.functions import Function
from headrace.mapping import Mapping as Running
from headrace.plugins import Destined, Opening
from headrace.settings import MappingSettings
from headrace_connectors.kafka.client import Fenced, KafkaClient, Membership, Offset, OutOfRange, TopicPartition
from headrace_connectors.kafka.member import OpenClient
from headrace_connectors.kafka.message import Message, PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.registration import kafka
from headrace_connectors.kafka.source import KafkaSource
from headrace_connectors.kafka.watching import Watch
from support.engine import Lines

TOPIC = "orders"
PATIENCE = 20.0


def part(number: int = 0) -> TopicPartition:
    return TopicPartition(TOPIC, number)


class FakeKafka:
    """The cluster, the group's offsets, and what a test does with them. `told` is what happened, in order."""

    def __init__(self, partitions: int = 1) -> None:
        self.logs: dict[TopicPartition, list[Message]] = {part(number): [] for number in range(partitions)}
        self.offsets: dict[TopicPartition, Offset] = {}
        self.told: list[str] = []
        self.calls: Counter[str] = Counter()
        self.script: SimpleQueue[Callable[[FakeClient], None]] = SimpleQueue()
        self.fenced = False
        self.silence = 0.0
        self.session: float | None = 1.0
        self.lock = RLock()
        self.came = Condition(self.lock)
        self._gates: dict[str, Event] = defaultdict(_opened)
        self.faults: dict[str, Exception] = {}

    def put(self, count: int, number: int = 0) -> None:
        with self.came:
            log = self.logs[part(number)]
            for offset in range(len(log), len(log) + count):
                log.append(PlainMessage(TOPIC, number, offset, 1_750_000_000_000, 0, None, str(offset).encode()))
            self.came.notify_all()

    def assign(self, *numbers: int) -> None:
        """In the member's next poll, as all of these."""
        self.script.put(lambda client: client.give([part(number) for number in numbers]))

    def revoke(self, *numbers: int) -> Event:
        """To be let go; the event is set when they are."""
        return self._take("revoked", numbers)

    def lose(self, *numbers: int) -> Event:
        """The group goes on without the member; the event is set when it may join again."""
        self.fenced = True
        return self._take("lost", numbers)

    def _take(self, how: str, numbers: Sequence[int]) -> Event:
        done = Event()
        self.script.put(lambda client: client.take(how, [part(number) for number in numbers], done))
        return done

    @contextmanager
    def holding(self, call: str) -> Iterator[None]:
        """Calls of that name are carried out, and not answered before the end of the block."""
        gate = self._gates[call] = Event()
        try:
            yield
        finally:
            gate.set()

    def enter(self, call: str) -> None:
        self.calls[call] += 1
        if (fault := self.faults.get(call)) is not None:
            raise fault

    def answer(self, call: str) -> None:
        assert self._gates[call].wait(PATIENCE)

    def joining(self, _: Opening, __: Watch) -> OpenClient:
        return lambda membership: FakeClient(self, membership)


def _opened() -> Event:
    event = Event()
    event.set()
    return event


class FakeClient(KafkaClient):
    """As `KafkaClient`."""

    def __init__(self, kafka: FakeKafka, membership: Membership) -> None:
        self._kafka, self._membership = kafka, membership
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._woken = Event()

    # what the group does, within a poll

    def give(self, parts: Sequence[TopicPartition]) -> None:
        self._kafka.fenced = False
        self._positions |= dict.fromkeys(parts, 0)
        self._paused |= set(parts)
        self._membership.assigned(parts)

    def take(self, how: str, parts: Sequence[TopicPartition], over: Event) -> None:
        done = Event()
        for one in parts:
            self._positions.pop(one, None)
        getattr(self._membership, how)(parts, done.set)
        assert done.wait(PATIENCE)
        self._kafka.told.append(f"{how} done")
        over.set()

    # what is asked of it

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[Message]]:
        kafka = self._kafka
        with suppress(Empty):
            kafka.script.get_nowait()(self)
        kafka.enter("poll")
        with kafka.came:
            if not (found := self._found()):
                kafka.came.wait(min(seconds, 0.02))
                found = self._found()
        return found

    def _found(self) -> dict[TopicPartition, Sequence[Message]]:
        found = {}
        for one, position in self._positions.items():
            if one not in self._paused:
                log = self._kafka.logs[one]
                if log and position < log[0].offset:
                    self._kafka.calls["out of range"] += 1
                    raise OutOfRange({one: position})
                if more := [message for message in log if message.offset >= position]:
                    found[one] = more
        for one, more in found.items():
            self._positions[one] = more[-1].offset + 1
        return dict(found)

    def rest(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def pause(self, part: TopicPartition) -> None:
        self._paused.add(part)

    def resume(self, part: TopicPartition) -> None:
        self._paused.discard(part)

    def seek(self, part: TopicPartition, offset: int) -> None:
        self._positions[part] = offset

    def position(self, part: TopicPartition) -> int | None:
        self._kafka.answer("position")
        return self._positions.get(part)

    def commit(self, offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
        kafka = self._kafka
        kafka.enter("commit")
        with kafka.lock:
            if kafka.fenced:
                raise Fenced("the group goes on without it")
            kafka.offsets |= offsets
            kafka.told += [f"committed {one.name} {offset.next}" for one, offset in offsets.items()]
        kafka.answer("commit")
        kafka.told.append("commit answered")

    def committed(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, Offset]:
        self._kafka.enter("committed")
        found = {one: self._kafka.offsets[one] for one in parts if one in self._kafka.offsets}
        self._kafka.answer("committed")
        return found

    def partitions(self, topic: str) -> Sequence[int]:
        return [one.partition for one in self._kafka.logs]

    def beginnings(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return {one: log[0].offset if (log := self._kafka.logs[one]) else 0 for one in parts}

    def ends(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        return {one: log[-1].offset + 1 if (log := self._kafka.logs[one]) else 0 for one in parts}

    def at(self, parts: Sequence[TopicPartition], time: float, seconds: float) -> Mapping[TopicPartition, int]:
        return self.ends(parts, seconds)

    @property
    def session(self) -> float | None:
        return self._kafka.session

    def silence(self) -> float:
        return self._kafka.silence

    def close(self, seconds: float) -> None:
        if self._positions:
            self.take("revoked", list(self._positions), Event())


class Told(Lines):
    exception = Lines.info


class Member:
    """A mapping over a fake, run beside a test. `handled` are the offsets of each call; `handler` takes the call."""

    def __init__(
        self,
        fake: FakeKafka,
        handler: Callable[[list[int], Any], Any] = lambda *_: None,
        *,
        options: Mapping[str, Any] | None = None,
        on_failure: Destined | None = None,
        timeout: float = 600,
        **settings: Any,
    ) -> None:
        self.fake, self.told, self.handled = fake, Told(), list[list[int]]()
        self._handler = handler
        given = {"starting_position": "TRIM_HORIZON", "batch_size": 10, **settings}
        self.opening = Opening(
            service="s",
            mapping="m",
            settings=MappingSettings(**given),
            options=KafkaOptions(
                bootstrap_servers="127.0.0.1:1",
                topics=[TOPIC],
                consumer_group_id="g",
                session_timeout_ms=1000,
                **(options or {}),
            ),
            sections={},
            function_timeout=timeout,
            log=self.told,
            on_failure=on_failure,
            commit_interval=0.05,
        )
        self.sources: list[KafkaSource] = []
        function = Function.of("f", self._handle, timeout=timeout)
        self.mapping = Running(_over(self), self.opening, function)
        self.task: asyncio.Future[None] | None = None

    def _handle(self, event: Any, context: Any) -> Any:
        """Plain: it runs in a thread, as most do."""
        offsets = [record["offset"] for records in event["records"].values() for record in records]
        self.handled.append(offsets)
        return self._handler(offsets, context)

    @property
    def offsets(self) -> list[int]:
        return [offset for call in self.handled for offset in call]

    @property
    def lanes(self) -> list[str]:
        return list(self.mapping.lanes)

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self.mapping.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.mapping.stop(5)
        async with asyncio.timeout(PATIENCE):
            await self.task


def _over(member: Member) -> Any:
    def open_source(opening: Opening) -> KafkaSource:
        source = KafkaSource(opening, join=member.fake.joining)
        member.sources.append(source)
        return source

    return replace(kafka, open=open_source)


async def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    end = SYSTEM.boot() + seconds
    while not true():
        assert SYSTEM.boot() < end, "it did not happen"
        await asyncio.sleep(0.01)
