"""How far a mapping is behind, as `/v1/mappings` shows it: at rest, paused, and while the group shares out anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from headrace.poller import Poller
from headrace.service.sampling import Sampler
from headrace.service.status import MappingView, view
from support.kafka import Cluster
from support.kafka_members import produce
from support.kafka_polling import running

SESSION = 6000
"""Milliseconds: the least that brokers allow."""


class Held:
    """A handler that waits while it is told to."""

    def __init__(self) -> None:
        self.goes_on, self.begun, self.count = Event(), Event(), 0
        self.goes_on.set()

    def __call__(self, event: dict[str, Any], _: object) -> None:
        self.begun.set()
        self.goes_on.wait(60)
        self.count += sum(map(len, event["records"].values()))


class Shown:
    """A poller with its status."""

    def __init__(self, poller: Poller) -> None:
        self._mapping, self._sampler = poller._mapping, Sampler(poller._mapping)

    async def now(self) -> MappingView:
        await self._sampler.sample()
        return view(self._mapping, self._sampler.sampled)

    async def until(self, true: Callable[[MappingView], object]) -> MappingView:
        async with asyncio.timeout(60):
            while not true(seen := await self.now()):
                await asyncio.sleep(0.1)
        return seen


def seconds(seen: MappingView) -> list[float | None]:
    return [lane.lag_seconds for lane in seen.lanes]


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
async def test_at_rest_and_paused(apache_kafka: Cluster, client: str) -> None:
    """Nothing behind; then all that is put, as old as the first of it. Mutation: no look at what a paused one skips."""
    topic, group, servers = apache_kafka.topic(2), apache_kafka.group(), apache_kafka.bootstrap_servers
    handler = Held()
    await asyncio.to_thread(produce, servers, topic, {0: 20, 1: 20})
    async with running(servers, topic, group, handler, client=client) as poller:
        shown = Shown(poller)
        await shown.until(lambda seen: handler.count == 40 and seen.lag_records == 0 and seconds(seen) == [0, 0])
        poller._mapping.pause(paused=True)
        await shown.until(lambda seen: seen.state == "paused" and seen.lag_records == 0)
        began = time.time()
        await asyncio.to_thread(produce, servers, topic, {0: 7, 1: 7})
        await shown.until(lambda seen: seen.lag_records == 14 and all(seconds(seen)))
        await asyncio.to_thread(produce, servers, topic, {0: 3})
        seen = await shown.until(lambda seen: seen.lag_records == 17)
        await asyncio.sleep(1)
        later = await shown.now()
        assert later.state == "paused"
        assert later.lag_records == 17
        for before, after in zip(seconds(seen), seconds(later), strict=True):
            assert before is not None
            assert after is not None
            assert before + 1 <= after <= time.time() - began
        assert handler.count == 40
        poller._mapping.pause(paused=False)
        await shown.until(lambda seen: handler.count == 57 and seen.lag_records == 0)


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
async def test_while_a_second_member_joins(apache_kafka: Cluster, client: str) -> None:
    """The first's handler is held, and with it what is to be let go: it counts where it is until it is let go.

    Mutations: what is to be let go counted no more; asked for what brokers do not tell a member that joins.
    """
    topic, group, servers = apache_kafka.topic(2), apache_kafka.group(), apache_kafka.bootstrap_servers
    first, second, put = Held(), Held(), 20_000  # more than is read ahead of a handler
    more: dict[str, Any] = {"client": client, "batch_size": 500, "session_timeout_ms": SESSION}
    async with running(servers, topic, group, first, **more) as its:
        one = Shown(its)
        await one.until(lambda seen: len(seen.lanes) == 2)
        first.goes_on.clear()
        await asyncio.to_thread(produce, servers, topic, {0: put // 2, 1: put // 2})
        await one.until(lambda seen: seen.lag_records == put and all(seconds(seen)))
        async with running(servers, topic, group, second, **more) as theirs:
            other = Shown(theirs)
            end, last = time.monotonic() + 8, 0.0  # longer than a session
            while time.monotonic() < end:
                seen = await one.now()
                assert seen.lag_records == put
                oldest = min(one or 0 for one in seconds(seen))
                assert oldest > last, seen
                last = oldest
                assert (await other.now()).lag_records in {None, 0}, "what the first has still is not the second's"
                await asyncio.sleep(0.2)
            assert last > 6
            first.goes_on.set()
            await one.until(lambda seen: first.count + second.count >= put and seen.lag_records == 0)
            await other.until(lambda seen: seen.lag_records == 0)
    assert first.count + second.count == put
