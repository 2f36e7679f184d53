"""Gathering batches, and keeping places at the handler filled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from headrace.batcher import BatchPolicy
from headrace.model import Order
from headrace.strand import Strand
from headrace.testing import MemoryQueue, MemoryQueueLane, virtual
from support.engine import Rig, error


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def strand_of(names, behave=None, *, serial=False, size=2, window=0.0, nbytes=10**6, concurrency=10):
    """A strand that runs; yields it, its rig and the records that may be put."""
    queue = MemoryQueue(visibility=100_000)
    queue.send(names)
    batch = BatchPolicy(size=size, window=window, nbytes=nbytes)
    lane = MemoryQueueLane(queue, order=Order.SEQUENCE if serial else Order.NONE)
    rig = Rig(lane, behave, batch=batch, concurrency=concurrency)
    strand = Strand(rig.work)
    some = await rig.hold(len(names))
    task = asyncio.ensure_future(strand.run())
    yield strand, rig, some
    strand.end()
    await task
    assert rig.tally.in_flight == rig.tally.balance == 0


async def slow(*_):
    await asyncio.sleep(10)


@virtual
async def test_a_full_batch_goes_at_once():
    async with strand_of("abcde", slow, window=100) as (strand, rig, some):
        strand.put(some)
        await asyncio.sleep(0.001)
        assert rig.handler.batches == ["a,b", "c,d"]
        assert strand.waiting == 1


@virtual
async def test_the_window_closes_after_its_first_record():
    """Mutation: a timer that each record starts again."""
    async with strand_of("abc", size=10, window=5) as (strand, rig, some):
        await asyncio.sleep(100)
        start = now()
        for one in some:
            strand.put([one])
            await asyncio.sleep(2)
        await asyncio.sleep(10)
        assert rig.handler.batches == ["a,b,c"]
        assert rig.handler.times == [start + 5]


@virtual
async def test_without_a_window_what_is_there_goes():
    async with strand_of("abc", size=10) as (strand, rig, some):
        strand.put(some[:1])
        await asyncio.sleep(0.001)
        strand.put(some[1:])
        await asyncio.sleep(0.001)
        assert rig.handler.batches == ["a", "b,c"]


@virtual
async def test_a_batch_is_cut_at_its_bytes():
    async with strand_of("abcde", slow, size=100, window=50, nbytes=350) as (strand, rig, some):
        assert some[0].size == 101
        strand.put(some)
        await asyncio.sleep(0.001)
        assert rig.handler.batches == ["a,b,c"]
        await asyncio.sleep(51)
        assert rig.handler.batches == ["a,b,c", "d,e"]


@pytest.mark.parametrize(("serial", "concurrency", "most"), [(True, 10, 1), (False, 3, 3), (False, 1, 1)])
@virtual
async def test_no_more_batches_than_places(serial, concurrency, most):
    """Mutation: ignoring the places; in a sequence, two batches of a strand at once."""
    async with strand_of("abcdefgh", slow, size=1, serial=serial, concurrency=concurrency) as (strand, rig, some):
        strand.put(some)
        await asyncio.sleep(0.001)
        assert strand.free == 0
        await asyncio.sleep(100)
        assert rig.handler.most == most
        assert rig.handler.batches == list("abcdefgh")
        assert strand.free == (1 if serial else concurrency)


@virtual
async def test_a_freed_place_is_taken_at_once():
    async with strand_of("abc", slow, size=1, concurrency=1) as (strand, rig, some):
        start = now()
        strand.put(some)
        await asyncio.sleep(100)
        assert rig.handler.times == [start, start + 10, start + 20]


@virtual
async def test_places_follow_the_limit():
    async def behave(*_):
        await asyncio.sleep(10)
        return error()

    async with strand_of("abcdefgh", behave, size=1, concurrency=4) as (strand, rig, some):
        start = now()
        strand.put(some)
        await asyncio.sleep(100)
        assert [time - start for time in rig.handler.times] == [0, 0, 0, 0, 10, 10, 20, 30]


@virtual
async def test_what_waits_goes_at_the_end_of_the_lane_without_its_window():
    async with strand_of("a", size=10, window=1000) as (strand, rig, some):
        strand.put(some)
        await asyncio.sleep(1)
        start = now()
    assert now() == start
    assert rig.handler.batches == ["a"]


@virtual
async def test_a_stop_gives_back_what_waits_in_order_while_the_handler_runs():
    async with strand_of("abcdef", slow, concurrency=1) as (strand, rig, some):
        strand.put(some)
        await asyncio.sleep(1)
        rig.work.stopping.set()
        strand.wake()
        await asyncio.sleep(1)
        assert rig.handler.running == 1
        assert rig.lane.nacked == [("c", 0.0), ("d", 0.0), ("e", 0.0), ("f", 0.0)]
    assert rig.lane.acked == ["a", "b"]
