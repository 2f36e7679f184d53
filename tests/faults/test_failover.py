"""A real Redis that fails over under two workers at work, to an older copy of itself or to one that is up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from headrace.ledger import LedgerOpening
from headrace_connectors.redis.ledger import open_redis
from support.failover import Older, Promoted, Restored
from support.fleet import Fleet, Worker

SHARDS = 4


class FarOff:
    """A ledger whose answers are on their way for a while, so that a doubt lasts longer than a call."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.watch = ledger.watch

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._ledger, name)

        async def answered(*arguments: Any, **more: Any) -> Any:
            answer = await verb(*arguments, **more)
            await asyncio.sleep(0.05)
            return answer

        return answered


class Shop:
    """Workers over one Redis, and a stream that grows all the time. Their calls stand among what they say."""

    def __init__(self, url: str) -> None:
        self.fleet, self._url = Fleet(SHARDS, ttl=10.0), url
        self._produced: list[str] = []

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[Worker]:
        ledger: Any = FarOff(await open_redis(LedgerOpening(url=self._url, service="shop")))

        async def behave(_: list[str], context: Any) -> None:
            worker.told.info("begun", lease=(context.headrace.lane, context.headrace.epoch))
            await asyncio.sleep(0.001)

        worker = self.fleet.worker(name, ledger=ledger, behave=behave).start()
        try:
            yield worker
        finally:
            await worker.stop()
            await ledger.close()

    async def produce(self) -> None:
        while True:
            self._produced.append(f"r{len(self._produced)}")
            self.fleet.stream.put(self._produced[-1:])
            await asyncio.sleep(0.002)

    async def all_done(self) -> None:
        await self.fleet.until(lambda: set(self.fleet.names()) == set(self._produced), 30)


def leases(*workers: Worker) -> set[tuple[str, int]]:
    return {(shard, one.epoch) for worker in workers for shard, one in worker.leases.holding("m").items()}


def begun(worker: Worker, after: str, before: str = "") -> list[tuple[str, int]]:
    """(shard, epoch) of each call, between two things that the worker said."""
    names = [name for name, _ in worker.told.lines]
    lines = worker.told.lines[names.index(after) : names.index(before) if before else None]
    return [context["lease"] for name, context in lines if name == "begun"]


@pytest.fixture(params=[Promoted, Restored])
async def older(request: pytest.FixtureRequest) -> AsyncIterator[Older]:
    async with request.param() as store:
        yield store


@asynccontextmanager
async def failed_over(store: Older) -> AsyncIterator[tuple[Shop, list[Worker], set[tuple[str, int]]]]:
    """Two workers with two shards each, whose store has just failed over; and what they held then."""
    shop = Shop(store.url)
    async with AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            producing = group.create_task(shop.produce())
            async with shop.worker("first"):  # writes the graph, and lets go of all
                await shop.fleet.until(lambda: len(shop.fleet.done) > 20, 30)
            await store.keep()
            workers = [await stack.enter_async_context(shop.worker(name)) for name in ("a", "b")]
            await shop.fleet.until(lambda: all(len(one.shards) == SHARDS / 2 for one in workers), 30)
            held = leases(*workers)
            for one in workers:
                one.told.info("failover")
            await store.fail_over()
            await shop.fleet.until(lambda: all(one.told.of("leases.in_doubt") for one in workers), 30)
            yield shop, workers, held
            producing.cancel()
        await shop.all_done()


async def test_who_holds_what_an_older_copy_does_not_know_begins_nothing_once_it_is_connected_to_it(
    older: Older,
) -> None:
    """Neither copy knows of a lease of theirs. What was begun before is at the handler then, and is excused.

    Mutations (tried): one that dispatches in doubt; connections that are not looked at.
    """
    async with failed_over(older) as (shop, workers, held):
        await shop.fleet.until(lambda: len(leases(*workers)) == SHARDS and not leases(*workers) & held, 30)
        for one in workers:
            await shop.fleet.until(lambda one=one: set(begun(one, "leases.in_doubt")) - held, 30)
    for one in workers:
        assert set(begun(one, "failover", "leases.in_doubt")) <= held
        assert begun(one, "failover", "leases.in_doubt"), "work goes on while the store is away"
        assert not set(begun(one, "leases.in_doubt")) & held


async def test_who_holds_what_an_up_to_date_copy_knows_goes_on_at_once() -> None:
    """Mutation (tried): a doubt that loses the leases, or waits for the next renewal in its turn."""

    class UpToDate(Promoted):
        async def keep(self) -> None:
            pass

    async with UpToDate() as store, failed_over(store) as (shop, workers, held):
        for one in workers:
            await shop.fleet.until(lambda one=one: one.told.of("leases.confirmed"), 30)
            print(one.told.of("leases.confirmed"))  # noqa: T201 - the measurement
            await shop.fleet.until(lambda one=one: begun(one, "leases.confirmed"), 30)
        assert leases(*workers) == held
    assert len(shop.fleet.names()) == len(set(shop.fleet.names()))
