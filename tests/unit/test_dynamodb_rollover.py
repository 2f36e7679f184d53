"""A mapping over DynamoDB Streams whose shards roll over every five minutes: core's sharded source on the fake."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import Any

from headrace.functions import Function
from headrace.leases import Leases
from headrace.ledger import Ledger
from headrace.log import LOG_TRAITS
from headrace.mapping import Mapping
from headrace.memory import MemoryLedger
from headrace.plugins import Connector
from headrace.testing import FakeClock, virtual
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.dynamodb.source import DynamoDBShards, probe
from support.dynamodb import connected_to, opening_of
from support.engine import Lines
from support.fake_dynamodb import FakeDynamoDB


class World:
    """A table with a mapping over it; `seen` is what the handler was given: shard, item, its number, when.

    The handler takes `seconds` for each batch.
    """

    seconds = 0.0

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.fake = FakeDynamoDB(shards=2, rollover_every=300.0, clock=self.clock)
        self.ledger = MemoryLedger(clock=self.clock)
        self.settings = settings
        self.seen: list[tuple[str, str, int, float]] = []
        self.put = 0

    @asynccontextmanager
    async def running(self, owner: str) -> Any:
        leases = Leases(self._ledger, owner=owner, closes=False, clock=self.clock, logger=Lines())
        connector = Connector(
            type="dynamodb",
            summary="",
            options=DynamoDBOptions,
            traits=LOG_TRAITS,
            shards=lambda opening: DynamoDBShards(opening, connected_to(self.fake)),
            probe=probe,
        )
        opening = opening_of({"table": "orders"}, clock=self.clock, leases=leases, log=Lines(), settings=self.settings)
        mapping = Mapping(connector, opening, Function.of("f", self._handle, timeout=60, clock=self.clock))
        renewing = asyncio.ensure_future(leases.run())
        task = asyncio.ensure_future(mapping.run())
        try:
            yield task
        finally:
            mapping.stop(10)
            await asyncio.gather(task, return_exceptions=True)
            renewing.cancel()

    async def _ledger(self) -> Ledger:
        return self.ledger

    async def _handle(self, event: Any, context: Any) -> None:
        for record in event["Records"]:
            image = record["dynamodb"]["NewImage"]
            self.seen.append((context.headrace.lane, image["id"]["S"], int(image["n"]["N"]), self.clock.wall()))
        await asyncio.sleep(self.seconds)

    def change(self) -> None:
        """One of ten items, with the next number."""
        self.put += 1
        self.fake.put_item({"id": {"S": str(self.put % 10)}, "n": {"N": str(self.put)}})

    def hold(self) -> None:
        """Every change was handled, each item's in order."""
        of_item: defaultdict[str, list[int]] = defaultdict(list)
        for _, name, number, _ in self.seen:
            of_item[name].append(number)
        assert all(numbers == sorted(numbers) for numbers in of_item.values())
        assert sorted(number for _, _, number, _ in self.seen) == list(range(1, self.put + 1))


@virtual
async def test_rollovers_lose_nothing_and_keep_the_order_of_each_item() -> None:
    """Catches: a pause of the audit's minute at every rollover."""
    world = World(batch_size=10)
    async with world.running("one"):
        for _ in range(200):
            world.change()
            await asyncio.sleep(7)
        await asyncio.sleep(30)
    world.hold()
    assert len({shard for shard, *_ in world.seen}) >= 8
    began = world.seen[0][3] - world.seen[0][2] * 7
    assert max(at - (began + number * 7) for _, _, number, at in world.seen) < 10


@virtual
async def test_a_child_waits_for_a_parent_that_is_behind() -> None:
    """And is listed half a minute late, with changes in it. Catches: a child beside its parent, a child from LATEST."""
    world = World(batch_size=1)
    world.seconds, world.fake.list_delay = 10.0, 30.0
    for _ in range(60):
        world.change()
    async with world.running("one"):
        await asyncio.sleep(5)
        for shard in world.fake.open_shards():
            world.fake.rollover(shard)
        for _ in range(20):
            world.change()
        await asyncio.sleep(900)
    world.hold()


@virtual
async def test_latest_survives_a_crash_before_the_first_record() -> None:
    """Catches: a LATEST that is taken anew at each start, one that is written with the first record only."""
    world = World(starting_position="LATEST")
    world.change()
    await asyncio.sleep(5)
    async with world.running("one") as task:
        await asyncio.sleep(30)
        task.cancel()
    await asyncio.sleep(60)
    world.change()
    async with world.running("two"):
        await asyncio.sleep(60)
    assert [number for _, _, number, _ in world.seen] == [2]
