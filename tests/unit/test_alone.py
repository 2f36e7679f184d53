"""A record's last chance is given it alone in the process: what died beside a culprit is not given up for it."""

from __future__ import annotations

import asyncio

import pytest

from headrace.alone import UnderWay, of_this_process
from headrace.batcher import BatchPolicy
from headrace.ledger import Mark
from headrace.policy import EXHAUSTED, FailurePolicy
from headrace.testing import MemoryLog, virtual
from support.engine import Destination, Rig, ok


@virtual
async def test_who_is_alone_waits_for_those_under_way_and_keeps_out_those_that_come() -> None:
    """Mutations: begins beside one that is under way; lets one begin that came later; lets two be alone at once."""
    under_way, seen = UnderWay(), list[str]()

    async def be(name: str, how: str, start: float, seconds: float) -> None:
        await asyncio.sleep(start)
        async with getattr(under_way, how)():
            seen.append(f"{name} begins")
            await asyncio.sleep(seconds)
            seen.append(f"{name} ends")

    await asyncio.gather(
        be("first", "beside", 0, 5),
        be("second", "beside", 1, 1),
        be("culprit", "alone", 1.5, 5),
        be("other", "alone", 3, 5),
        be("late", "beside", 4, 1),
    )
    assert seen == [
        *("first begins", "second begins", "second ends", "first ends"),
        *("culprit begins", "culprit ends", "other begins", "other ends"),
        *("late begins", "late ends"),
    ]


@virtual
async def test_one_that_gives_up_waiting_to_be_alone_keeps_nobody_out() -> None:
    """Mutation: a count that is not taken back when the lane is lost meanwhile."""
    under_way = UnderWay()
    async with under_way.beside():
        waiting = asyncio.ensure_future(_alone(under_way))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(0)
        async with asyncio.timeout(1), under_way.beside():
            pass


async def _alone(under_way: UnderWay) -> None:
    async with under_way.alone():
        pass


@virtual
async def test_the_mappings_of_a_process_share_it() -> None:
    """Mutation: one for each lane."""
    assert of_this_process() is of_this_process()


@pytest.mark.parametrize(("tried", "alone"), [(1, False), (2, True)])
@virtual
async def test_only_the_last_attempt_of_a_careful_lane_is_made_alone_in_the_process(tried: int, alone: bool) -> None:
    """Mutations: never alone, so what died beside a culprit pays for it; always, so the others wait for each."""
    log, usual = MemoryLog(page=10), MemoryLog(page=10)
    log.put("a")
    usual.put("xyz")
    seen, marks = list[str](), list[Mark | None]()

    async def slowly(batch: list[str], _: int) -> object:
        seen.append(f"{batch[0]} begins")
        marks.append(log.mark)
        await asyncio.sleep(10)
        seen.append(f"{batch[0]} ends")
        return ok()

    left = Mark(position="00000000", attempt=tried)
    policy, batch = FailurePolicy(retries=2, backoff=1.0), BatchPolicy(size=1)
    other = Rig(usual.lane(), slowly, batch=batch)
    careful = Rig(log.lane(crashes=3, mark=left), slowly, failure=policy, discard=Destination())
    async with other.running():
        await asyncio.sleep(1)
        async with careful.running():
            await asyncio.sleep(1)
            assert log.mark == (None if alone else Mark(position="00000000", attempt=tried + 1))
            doing = careful.work.doing.condition
            assert doing is not None
            assert doing.state == ("waiting" if alone else "handling")
            await asyncio.sleep(60)
    begun = seen.index("a begins")
    assert (seen[begun - 1].endswith("ends") and seen[begun + 1] == "a ends") is alone, seen
    assert Mark(position="00000000", attempt=tried + 1) in marks


@virtual
async def test_what_died_beside_a_culprit_in_its_process_is_not_given_up() -> None:
    """Two careful lanes of one process, whose first records are tried at once: one kills it, each time.

    Mutation: an attempt that is marked before its place is free, or made beside others: both are given up.
    """
    logs = {name: MemoryLog(page=10) for name in ("deadly", "innocent")}
    for name, log in logs.items():
        log.put([name])
    gone, done, deaths = [], list[str](), 0
    while deaths < 10 and not all(log.position for log in logs.values()):
        died = asyncio.Event()

        async def behave(batch: list[str], _: int, died: asyncio.Event = died) -> object:
            await asyncio.sleep(0.01)
            if batch == ["deadly"]:
                died.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0.01)
            done.extend(batch)
            return ok()

        destination = Destination()
        policy = FailurePolicy(retries=1, backoff=1.0)
        rigs = [Rig(log.lane(), behave, failure=policy, discard=destination) for log in logs.values()]
        lives = [asyncio.ensure_future(rig.pipeline.run()) for rig in rigs]
        dead = asyncio.ensure_future(died.wait())
        await asyncio.wait({dead, asyncio.ensure_future(asyncio.sleep(5))}, return_when=asyncio.FIRST_COMPLETED)
        deaths += died.is_set()
        for log in logs.values():
            log.kill()
        for life in (*lives, dead):
            life.cancel()
        await asyncio.gather(*lives, dead, return_exceptions=True)
        gone += [(one.records[0].id, one.reason) for one in destination.confirmed]
    assert (gone, done) == ([("deadly", EXHAUSTED)], ["innocent"])
    assert deaths == 2 + 2, "twice in company, and as often as it may be tried"
