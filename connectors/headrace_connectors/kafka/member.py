"""A member of a consumer group on the event loop: one thread polls, a second makes calls, the loop is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Event, Thread
from typing import Protocol, TypeAlias, TypeVar

from headrace.model import Record
from headrace.ownthread import OwnThread
from headrace_connectors.kafka.client import (
    Done,
    KafkaClient,
    Membership,
    Offset,
    OutOfRange,
    TopicPartition,
    Unreadable,
)
from headrace_connectors.kafka.commits import Commits
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.telling import Teller

T = TypeVar("T")

OpenClient: TypeAlias = Callable[[Membership], KafkaClient]
"""Connects and joins; blocks, and raises the library's own errors."""

PATIENCE = 0.1
"""Seconds that a poll waits at most: so long may something take that the poll thread is to do."""

GLANCE = 0.01
"""The same, where nothing more is wanted: it only keeps the membership."""

AFTER_ERRORS = 0.5
"""Seconds of rest after a poll that failed; the client's own back-off is beside it."""

CALL_SECONDS = 5.0
"""What one call may take, before it is said that the cluster does not answer."""


class Group(Protocol):
    """Is told on the loop what becomes of the member; makes records of what was polled, in the poll thread."""

    def records(self, messages: Sequence[Message]) -> Sequence[Record]:
        """Of *messages*, which are of one partition."""
        ...

    def unreadable(self, fault: Unreadable) -> Record:
        """A record all the same, which no event can show: it goes its way to be given up."""
        ...

    def assigned(self, partitions: Sequence[Partition]) -> None: ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """They are to be let go: the group waits for `Partition.gone` of each."""
        ...

    def lost(self, partitions: Sequence[Partition]) -> None: ...

    def out_of_range(self, partition: Partition, offset: int) -> None:
        """It is paused until it is moved."""
        ...

    def polling(self, error: Exception | None) -> None:
        """The last poll succeeded, or why it did not; told when that changes."""
        ...


class Member:
    """From `open` to `close`. A poll never waits for the loop, but for partitions that are to be let go."""

    def __init__(
        self,
        name: str,
        group: Group,
        open_client: OpenClient,
        new: Callable[[TopicPartition], Partition],
    ) -> None:
        self._name, self._group, self._open_client = name, group, open_client
        self._new = new
        self._calls = OwnThread(f"{name} calls")
        self._questions = OwnThread(f"{name} questions")
        self._client: KafkaClient | None = None
        self._ours: dict[TopicPartition, Partition] = {}  # of the poll thread, and of the client's while that one waits
        self._flowing: set[TopicPartition] = set()
        self._stuck: set[TopicPartition] = set()
        self._orders: deque[Callable[[KafkaClient], None]] = deque()  # added to by the loop, taken by the poll thread
        self._told: dict[TopicPartition, int] = {}
        self._commits = Commits(self._calls, CALL_SECONDS)
        self._ending, self._ended = Event(), asyncio.Event()
        self._error: Exception | None = None

    @property
    def client(self) -> KafkaClient:
        """Once it is open."""
        assert self._client is not None, "open() comes first"  # noqa: S101
        return self._client

    async def open(self) -> None:
        """Connect, join, and poll from now on.

        Raises:
            Exception: the library's own; nothing is left open.
        """
        self._tell = Teller(asyncio.get_running_loop()).tell
        await self._calls.run(self._connect)

    def _connect(self) -> None:
        """Whatever becomes of who waits for it: a client that nobody wants any more is closed by its own thread."""
        self._client = self._open_client(self)
        Thread(target=self._poll_until_closed, args=(self._client,), name=f"{self._name} poll", daemon=True).start()

    async def call(self, work: Callable[[KafkaClient], T]) -> T:
        """What *work* returns or raises, in the thread of calls."""
        return await self._calls.run(lambda: work(self.client))

    def ask(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """The same, in a thread of its own: for what need not wait for commits, which wait for the group to stand."""
        return self._questions.begin(work)

    async def commit(self, offsets: Mapping[TopicPartition, Offset]) -> None:
        """As `KafkaClient.commit`."""
        await self._commits.write(self.client, offsets)

    def commit_soon(self, part: TopicPartition, offset: Offset) -> None:
        """The same, before anything that is asked for later; it need not succeed."""
        written = self._calls.begin(lambda: self.client.commit({part: offset}, CALL_SECONDS))
        written.add_done_callback(lambda future: future.exception())

    def move(self, partition: Partition, offset: int) -> None:
        """Read *partition* from *offset* on; it is polled from now on."""

        def carry_out(client: KafkaClient) -> None:
            if self._ours.get(partition.part) is partition:
                client.seek(partition.part, offset)
                self._stuck.discard(partition.part)

        self._order(carry_out)

    def renew(self, partition: Partition) -> None:
        """Nothing uses *partition* any more, and it is assigned to us still: have it assigned anew."""

        def carry_out(client: KafkaClient) -> None:
            if self._ours.get(partition.part) is partition:
                self._stuck.add(partition.part)
                self._feed(client)
                self._told.pop(partition.part, None)
                self.assigned([partition.part])

        self._order(carry_out)

    def _order(self, carry_out: Callable[[KafkaClient], None]) -> None:
        self._orders.append(carry_out)
        self.client.wake()

    async def close(self) -> None:
        """Leave the group. What is ours still is revoked by that, and waited for."""
        self._ending.set()
        if self._client is not None:
            self._client.wake()
            await self._ended.wait()
        self._calls.close()
        self._questions.close()

    # the poll thread

    def _poll_until_closed(self, client: KafkaClient) -> None:
        while not self._ending.is_set():
            self._turn(client)
        try:
            client.close(CALL_SECONDS)
        except Exception as error:  # noqa: BLE001 - it is over all the same
            self._say(error)
        self._tell(self._ended.set)

    def _turn(self, client: KafkaClient) -> None:
        try:
            if self._sated():
                client.rest(PATIENCE)
            self._carry_out_orders(client)
            self._feed(client)
            self._hand_over(client, client.poll(GLANCE if self._sated() else PATIENCE))
            self._say(None)
        except OutOfRange as fault:
            for part, offset in fault.offsets.items():
                self._stop_at(client, part, partial(self._group.out_of_range, offset=offset))
        except Unreadable as fault:
            self._pass_over(client, fault)
        except Exception as error:  # noqa: BLE001 - whatever it is, the group is to be told and the member goes on
            self._say(error)
            self._ending.wait(AFTER_ERRORS)

    def _carry_out_orders(self, client: KafkaClient) -> None:
        """One that cannot be carried out now is tried again with the next turn."""
        while self._orders:
            self._orders[0](client)
            self._orders.popleft()

    def _sated(self) -> bool:
        """Whether there is something to poll, and enough of it was polled."""
        reading = [partition for part, partition in self._ours.items() if part not in self._stuck]
        hungry = [partition for partition in reading if partition.hungry()]
        return bool(reading) and not hungry

    def _feed(self, client: KafkaClient) -> None:
        """Have those polled that there is room for, and no others."""
        for part, partition in self._ours.items():
            wanted = part not in self._stuck and not partition.full()
            if wanted and part not in self._flowing:
                client.resume(part)
                self._flowing.add(part)
            elif not wanted and part in self._flowing:
                client.pause(part)
                self._flowing.discard(part)

    def _hand_over(self, client: KafkaClient, polled: Mapping[TopicPartition, Sequence[Message]]) -> None:
        """Nothing is assigned or revoked but within a poll: what it returned is of the assignment that holds now."""
        for part, messages in polled.items():
            if messages and (partition := self._ours.get(part)):
                self._deliver_messages(client, partition, messages)
        for part in self._flowing:
            position = client.position(part)
            if position is not None and position != self._told.get(part):
                self._told[part] = position
                self._tell(partial(self._ours[part].passed, position))

    def _deliver_messages(self, client: KafkaClient, partition: Partition, messages: Sequence[Message]) -> None:
        """What cannot be made records of leaves a gap, over which nothing may go on: the partition is begun anew."""
        try:
            records = self._group.records(messages)
        except Exception as error:  # noqa: BLE001 - the other partitions' messages are to be delivered all the same
            why = f"what was polled could not be handed over: {type(error).__name__}: {error}"
            self._stop_at(client, partition.part, lambda one: one.lose(why))
        else:
            self._deliver(partition, records)

    def _deliver(self, partition: Partition, records: Sequence[Record]) -> None:
        partition.polled(records)
        self._tell(partial(partition.deliver, records))

    def _pass_over(self, client: KafkaClient, fault: Unreadable) -> None:
        if (partition := self._ours.get(fault.part)) is not None:
            self._deliver(partition, [self._group.unreadable(fault)])
            client.seek(fault.part, fault.offset + 1)

    def _stop_at(self, client: KafkaClient, part: TopicPartition, tell: Callable[[Partition], None]) -> None:
        if (partition := self._ours.get(part)) is not None:
            self._stuck.add(part)
            self._feed(client)
            self._tell(partial(tell, partition))

    def _say(self, error: Exception | None) -> None:
        if type(error) is not type(self._error) or str(error) != str(self._error):
            self._error = error
            self._tell(partial(self._group.polling, error))

    # what the client tells, within a poll

    def assigned(self, parts: Sequence[TopicPartition]) -> None:
        found = [self._new(part) for part in parts]
        for one in found:
            one.when_hungry = self.client.wake
        self._ours |= {one.part: one for one in found}
        self._stuck |= set(parts)  # until it is known where they begin
        self._tell(partial(self._group.assigned, found))

    def revoked(self, parts: Sequence[TopicPartition], done: Done) -> None:
        self._let_go(parts, self._group.revoked, done)

    def lost(self, parts: Sequence[TopicPartition], done: Done) -> None:
        self._let_go(parts, self._group.lost, done)

    def _let_go(self, parts: Sequence[TopicPartition], tell: Callable[[Sequence[Partition]], None], done: Done) -> None:
        gone = [partition for part in parts if (partition := self._ours.pop(part, None))]
        self._flowing -= set(parts)
        self._stuck -= set(parts)
        for part in parts:
            self._told.pop(part, None)
        self._tell(partial(self._wait_for, gone, tell, done))

    def _wait_for(self, gone: Sequence[Partition], tell: Callable[[Sequence[Partition]], None], done: Done) -> None:
        """On the loop: *done* when nothing of ours uses them, behind every commit that is on its way."""
        left = len(gone) + 1

        def one_less() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._calls.begin(done)

        tell(gone)
        for partition in gone:
            partition.when_gone(one_less)
        one_less()
