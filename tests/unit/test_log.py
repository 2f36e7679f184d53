"""The log lane: its committer, its end and its loss."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from headrace.model import Held, LaneEnded, LaneLost
from headrace.testing import MemoryLog, tended, virtual
from support.engine import Lines


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def opened(names, *, page=100, **settings):
    log = MemoryLog(page=page)
    log.put(names)
    settings.setdefault("logger", Lines())
    async with tended(log.lane(**settings)) as lane:
        yield log, lane, await lane.fetch(100)


@virtual
async def test_commits_at_its_interval_and_not_at_every_ack():
    """Mutation: an ack that waits for the store."""
    async with opened("abcdef", commit_interval=5) as (log, lane, some):
        start = now()
        for one in some[:3]:
            await lane.ack([one])
        assert now() == start
        await asyncio.sleep(4.9)
        assert log.commits == []
        await asyncio.sleep(0.2)
        assert log.commits == [(1, some[2].token)]


@virtual
async def test_commits_sooner_when_much_was_settled():
    async with opened("abcdef", commit_interval=1000, commit_after=4) as (log, lane, some):
        await lane.ack(some[:3])
        await asyncio.sleep(1)
        assert log.commits == []
        await lane.ack(some[3:4])
        await asyncio.sleep(1)
        assert log.commits == [(1, some[3].token)]
        await lane.ack(some[4:6])
        await asyncio.sleep(1)
        assert len(log.commits) == 1, "the count begins again after a commit"


@virtual
async def test_nothing_is_committed_twice_or_above_a_gap():
    """Mutation: committing what was acked, whatever is open below it."""
    async with opened("abcdef", commit_interval=1) as (log, lane, some):
        await lane.ack(some[1:])
        await asyncio.sleep(10)
        assert log.commits == []
        await lane.ack(some[:1])
        await asyncio.sleep(10)
        assert log.commits == [(1, some[-1].token)]


@virtual
async def test_tries_again_while_the_store_is_away():
    async with opened("ab", commit_interval=1) as (log, lane, some):
        log.away = True
        await lane.ack(some)
        await asyncio.sleep(300)
        assert log.commits == []
        assert lane._log.of("commit.failed")
        log.away = False
        await asyncio.sleep(25)
        assert log.commits == [(1, some[1].token)]


@virtual
async def test_close_commits_what_is_settled():
    async with opened("abc", commit_interval=1000) as (log, lane, some):
        await lane.ack(some[:2])
    assert log.commits == [(1, some[1].token)]
    assert lane._reader.closed
    assert not log.finished


@virtual
async def test_close_tries_again_while_the_store_is_away():
    """Rule 14: retries until the deadline. Mutation: one try, whose error leaves the lane unreleased."""
    async with opened("abc", commit_interval=1000) as (log, lane, some):
        await lane.ack(some[:2])
        log.refuse_commits = 3
    assert log.commits == [(1, some[1].token)]
    assert lane._reader.closed


@virtual
async def test_a_close_that_is_cut_short_still_closes_the_reader():
    async with opened("abc", commit_interval=1000) as (log, lane, some):
        await lane.ack(some[:2])
        log.away = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await lane.close()
        assert lane._reader.closed


@virtual
async def test_a_log_is_finished_when_it_has_ended_and_all_is_settled():
    """Mutation: finished at the end of reading: the last records of a shard are lost."""
    for settled, finished in ((2, False), (3, True)):
        log = MemoryLog()
        log.put("abc")
        log.seal()
        async with tended(log.lane()) as lane:
            some = await lane.fetch(10)
            with pytest.raises(LaneEnded):
                await lane.fetch(10)
            await lane.ack(some[:settled])
        assert log.finished is finished


@virtual
async def test_a_lost_lane_writes_nothing_and_says_so():
    async with opened("abc", commit_interval=1) as (log, lane, some):
        log.seize()
        await lane.ack(some)
        assert await lane.leave() == 0
        with pytest.raises(LaneLost):
            await lane.ack(some)
        with pytest.raises(LaneLost):
            await lane.nack(some, 0)
        with pytest.raises(LaneLost):
            await lane.fetch(1)
    assert log.commits == []
    assert lane._reader.closed


@virtual
async def test_a_loss_that_close_finds_is_raised():
    async with opened("abc", commit_interval=1000) as (log, lane, some):
        await lane.ack(some)
        log.seize()
        with pytest.raises(LaneLost):
            await lane.close()
    assert log.commits == []
    assert lane._reader.closed


@virtual
async def test_nack_is_no_verdict():
    async with opened("abc") as (log, lane, some):
        await lane.nack(some, 0)
        assert lane.held == Held(3, sum(one.size for one in some))
    assert log.commits == []
