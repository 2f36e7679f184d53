"""How far a member is behind, while the group gives and takes and while it is paused: over a scripted client."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from headrace.service.sampling import Sampler
from headrace_connectors.kafka.client import Offset
from support.fake_kafka import FakeKafka, Member, part, until


@pytest.fixture
def fake() -> FakeKafka:
    return FakeKafka(2)


class Held:
    """A handler that waits."""

    def __init__(self) -> None:
        self.begun, self.goes_on = Event(), Event()

    def __call__(self, *_: Any) -> None:
        self.begun.set()
        self.goes_on.wait(10)


async def test_what_is_being_let_go_counts_until_it_is(fake) -> None:
    """Mutation: a partition that is the group's again as soon as it is asked for: the lag disappears."""
    fake.put(30)
    fake.assign(0)
    held = Held()
    async with Member(fake, held) as member:
        await until(held.begun.is_set)
        done = fake.revoke(0)
        await until(lambda: member.told.of("partition.taken_away"))
        assert await member.mapping.lag() == 30
        held.goes_on.set()
        await until(done.is_set)
        assert await member.mapping.lag() is None


async def test_it_is_told_while_a_commit_waits_for_the_group_to_stand(fake) -> None:
    """Mutations: asked behind the commits; asked what is committed, which is not answered before that either."""
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: fake.offsets.get(part(), Offset(0)).next == 10)
        with fake.holding("commit"), fake.holding("committed"):
            before = fake.calls["commit"]
            fake.put(10)
            await until(lambda: fake.calls["commit"] > before)
            async with asyncio.timeout(10):
                assert await member.mapping.lag() == 10
                fake.put(5)
                assert await member.mapping.lag() == 15


async def test_it_grows_while_it_is_paused_and_nothing_is_handled(fake) -> None:
    """Mutations: no seconds of a lane that nobody runs; what was looked at handed to the handler, or settled."""
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: fake.offsets.get(part(), Offset(0)).next == 10)
        sampler = Sampler(member.mapping)
        member.mapping.pause(paused=True)
        await until(lambda: not member.lanes and part().name in member.mapping.behind())
        await sampler.sample()
        assert sampler.sampled.lag_records == 0
        fake.put(7)
        async with asyncio.timeout(20):
            while not member.mapping.behind()[part().name]:
                await asyncio.sleep(0.05)
                await sampler.sample()
        await sampler.sample()
        assert sampler.sampled.lag_records == 7
        first = sampler.sampled.lag_seconds[part().name] or 0
        fake.put(1)
        await sampler.sample()
        assert sampler.sampled.lag_records == 8
        assert (sampler.sampled.lag_seconds[part().name] or 0) >= first > 1
        assert (len(member.offsets), fake.offsets[part()].next) == (10, 10)
        fake.script.put(lambda client: client.give([part(0)]))
        member.mapping.pause(paused=False)
        await until(lambda: len(member.offsets) == 18)
    assert member.offsets == list(range(18))
