"""A mapping with `idempotency`, from settings to handler: two processes at one store, late answers, its words."""

from __future__ import annotations

import asyncio
from typing import Any

from headrace.filters import View
from headrace.functions import Function
from headrace.leases import Leases
from headrace.mapping import Mapping
from headrace.once import BEGIN_WITHIN
from headrace.plugins import Connector, Opening, Probe
from headrace.settings import Idempotency, MappingSettings, ScalingConfig, Settings
from headrace.testing import FakeClock, MemoryQueue, MemoryQueueLane, virtual
from support.keyed import Store
from support.onelane import Source, Told

VIEW = View(
    record="message",
    payload="body",
    content=lambda record: record.raw["body"],
    fields=lambda render, record: render([record])["Records"][0],
    keys=frozenset({"id"}),
)


class Process:
    """One that polls *queue* with the mapping `m`, and what its handler was given."""

    def __init__(self, queue: MemoryQueue, store: Store, seconds: float = 0.0) -> None:
        self.begun: list[str] = []
        self.times: list[float] = []

        async def handler(event: Any, _: Any) -> None:
            self.begun += [one["id"] for one in event["Records"]]
            self.times.append(asyncio.get_running_loop().time())
            await asyncio.sleep(seconds)

        async def probe(_: Opening) -> Probe:
            return Probe()

        connector = Connector(
            type="memory",
            summary="",
            options=Settings,
            traits=MemoryQueueLane(queue).traits,
            open=lambda _: Source(queue),
            probe=probe,
            view=VIEW,
        )
        clock = FakeClock()
        opening = Opening(
            service="s",
            mapping="m",
            settings=MappingSettings(
                batch_size=10,
                scaling_config=ScalingConfig(maximum_concurrency=2),
                idempotency=Idempotency(key="body.id", expires_after="1h"),
            ),
            options=Settings(),
            sections={},
            function_timeout=3,
            log=Told(),
            clock=clock,
            leases=Leases(store.opened),
        )
        self.mapping = Mapping(connector, opening, Function.of("f", handler, timeout=3, clock=clock))
        self.running = asyncio.ensure_future(self.mapping.run())

    async def stop(self) -> None:
        self.mapping.stop(5)
        await self.running
        (tally,) = self.mapping.tallies.values()
        assert (tally.balance, tally.in_flight) == (0, 0)

    @property
    def deduplicated(self) -> int:
        return sum(tally.deduplicated for tally in self.mapping.tallies.values())


@virtual
async def test_each_key_is_run_once_by_two_processes():
    """Mutation, tried: a `Once` that no lane is given."""
    store, queue = Store(), MemoryQueue(visibility=30)
    queue.send([f'{{"id": {number % 5}}}' for number in range(50)])
    one, two = Process(queue, store, seconds=0.5), Process(queue, store, seconds=0.5)
    await asyncio.sleep(60)
    await one.stop()
    await two.stop()
    assert len(one.begun) + len(two.begun) == 5
    assert one.deduplicated + two.deduplicated == 45
    assert len(queue) == 0


@virtual
async def test_no_call_begins_when_its_hold_may_end_before_its_hard_stop():
    """The store's answer came late. Mutation, tried: a call without that deadline."""
    store, queue = Store(), MemoryQueue(visibility=60)
    queue.send(['{"id": 1}'])
    store.answers_after = [BEGIN_WITHIN + 0.5]
    began = asyncio.get_running_loop().time()
    process = Process(queue, store)
    await asyncio.sleep(20)
    await process.stop()
    (at,) = process.times
    assert at > began + BEGIN_WITHIN + 0.5
    assert [verb for verb, _ in store.verbs].count("begin") == 2


@virtual
async def test_a_mapping_whose_store_is_away_is_not_ready_and_says_why():
    """Mutation, tried: a lane that polls, and says so."""
    store, queue = Store(), MemoryQueue(visibility=30)
    store.away = True
    queue.send(['{"id": 1}'])
    process = Process(queue, store)
    await asyncio.sleep(20)
    condition = process.mapping.condition
    assert (condition.ready, condition.state) == (False, "waiting")
    assert "nothing is run without the state store" in condition.reason
    assert process.begun == []
    store.away = False
    await asyncio.sleep(20)
    assert process.mapping.condition.ready
    assert len(process.begun) == 1
    await process.stop()
