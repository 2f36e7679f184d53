"""Books of a topic: what its producer put, and what its group had committed meanwhile.

Each comes from a place of its own: the broker's answers to the producer, and to one who asks for the group's offsets.
What handlers noted is read by `StreamBooks`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from zlib import crc32

from confluent_kafka import Message, Producer
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from headrace.clock import SYSTEM
from headrace.testing.lineage import Lineage, Produced, Write, check_stream
from support.streambooks import KEYS, StreamBooks

QUIET = {"log_level": 0}
"""librdkafka says on standard error that a broker was stopped, which it was."""


class TopicProducer:
    """Puts rising numbers over the partitions of a topic, by key; `produced` says where the broker has put each.

    Their order is the partition's, so a partition is what `key` says to the judge: order per key follows from it. The
    client's own queue waits for a broker that is away, and writes each record once.
    """

    def __init__(self, servers: str, topic: str, partitions: int) -> None:
        self._topic, self._partitions = topic, partitions
        self._producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 5, **QUIET})
        self._put = 0
        self.produced: list[Produced] = []
        self.sent: dict[int, float] = {}
        """The timestamp of each number's record, in Unix seconds: when it was handed to the client."""
        self.taken: dict[int, float] = {}
        """When the broker's word was here that it has it."""

    async def put(self, count: int, partition: int | None = None) -> None:
        """Returns when the broker has all of them."""
        for number in range(self._put, self._put + count):
            key = f"k{number % KEYS}"
            now = int(SYSTEM.wall() * 1000)
            self.sent[number] = now / 1000
            self._producer.produce(
                self._topic,
                value=str(number),
                key=key,
                partition=crc32(key.encode()) % self._partitions if partition is None else partition,
                timestamp=now,
                on_delivery=partial(self._took, number),
            )
        self._put += count
        while self._producer.flush(0) > 0:
            await asyncio.sleep(0.01)

    def _took(self, number: int, error: object, message: Message) -> None:
        assert error is None, error
        shard, offset = f"{message.topic()}-{message.partition()}", message.offset()
        assert offset is not None
        self.produced.append(Produced(number=number, key=shard, shard=shard, sequence=offset))
        self.taken[number] = SYSTEM.wall()

    async def keep(self, count: int, seconds: float, enough: asyncio.Event, chunk: int = 500) -> None:
        """At least *count*, evenly over *seconds*, and at that pace until it is *enough*."""
        while len(self.produced) < count or not enough.is_set():
            await self.put(chunk)
            await asyncio.sleep(seconds * chunk / count)


class OffsetWatch:
    """Asks for a group's committed offsets, ten times a second, and keeps what changed as writes.

    An answer comes after the write that it shows, so what it shows as too early was too early.
    """

    def __init__(self, servers: str, group: str, topic: str, partitions: int) -> None:
        self._admin, self._group = KafkaAdminClient(bootstrap_servers=servers), group
        self._parts = [TopicPartition(topic, number) for number in range(partitions)]
        self._seen: dict[str, tuple[int, int]] = {}
        self.enough = asyncio.Event()
        self.writes: list[Write] = []

    async def run(self) -> None:
        while not self.enough.is_set():
            await self.look()
            await asyncio.sleep(0.1)

    async def look(self) -> dict[str, int]:
        """By partition: the offset that comes next; -1 where none was committed. Nothing where nobody answers."""
        try:
            said = await asyncio.to_thread(self._admin.list_group_offsets, {self._group: self._parts})
        except (KafkaError, OSError):
            return {}
        at, found = SYSTEM.boot(), {f"{part.topic}-{part.partition}": one for part, one in said[self._group].items()}
        for shard, one in found.items():
            self._note(shard, one.offset, _epoch(one.metadata), at)
        return {shard: one.offset for shard, one in found.items()}

    def _note(self, shard: str, offset: int, epoch: int, at: float) -> None:
        before = self._seen.get(shard)
        if offset < 0 or before == (offset, epoch):
            return
        self._seen[shard] = offset, epoch
        if before is None or epoch != before[1]:
            self.writes.append(Write(at=at, verb="acquire", shard=shard, epoch=epoch))
        if before is None or offset != before[0]:
            self.writes.append(Write(at=at, verb="commit", shard=shard, epoch=epoch, position=offset - 1))

    def close(self) -> None:
        self._admin.close()


def _epoch(metadata: str | None) -> int:
    """Of a note; confluent_kafka commits a NUL behind it."""
    said = json.loads((metadata or "").rstrip("\0") or '{"epoch": 0}')
    return int(said["epoch"])


@asynccontextmanager
async def watching(servers: str, group: str, topic: str, partitions: int) -> AsyncIterator[OffsetWatch]:
    watch = OffsetWatch(servers, group, topic, partitions)
    looking = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        watch.enough.set()
        await looking
        watch.close()


async def hold(
    books: StreamBooks,
    produced: Sequence[Produced],
    watch: OffsetWatch,
    *,
    broken: Mapping[tuple[str, int], str],
    given_up: Mapping[int, float] | None = None,
) -> Lineage:
    """No breach, and every partition's offset behind its last record: nothing would come again."""
    found = check_stream(books.history(), produced, parents={}, broken=broken, writes=watch.writes, given_up=given_up)
    print(f"books: {found}")  # noqa: T201 - shown by pytest when the test fails, or with -s
    assert found.holds, found
    behind = await uncommitted(produced, watch)
    assert not behind, behind
    return found


async def uncommitted(produced: Sequence[Produced], watch: OffsetWatch) -> dict[str, tuple[int | None, int]]:
    """The partitions whose offset is not behind the last record, with both."""
    ends: dict[str, int] = {}
    for one in produced:
        ends[one.shard] = max(ends.get(one.shard, 0), one.sequence + 1)
    committed = await watch.look()
    return {shard: (committed.get(shard), end) for shard, end in ends.items() if committed.get(shard) != end}


async def all_committed(produced: Sequence[Produced], watch: OffsetWatch) -> None:
    """What a member had handled as it was killed is handled again, and committed, by those that are left."""
    async with asyncio.timeout(60):
        while await uncommitted(produced, watch):
            await asyncio.sleep(0.2)
