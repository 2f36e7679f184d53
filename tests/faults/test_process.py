"""The process killed, stopped and put to sleep while it works.

Mutations that these fail on: deleting before the handler (kill: lost); dropping the inbox, or a half-gathered batch, at
a stop (terminate: hidden, or exit 1); dispatching what lapsed (sleep: a second delivery without a cause).
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
from pathlib import Path

import pytest

from headrace.testing.history import Kill, Stopped
from support.books import Producer
from support.queues import counts, drain
from support.service import config, mapping, until

KILLS = 20
STOPS = 10
PLACES = {"scaling_config": {"maximum_concurrency": 4}, "batch_size": 5}


async def test_killed_twenty_times_while_it_works(plain, new_queue, books, serve) -> None:
    """Nothing is lost. Repeated is what was at the handler at a kill, or whose delete was under way then."""
    url = await new_queue(visibility_timeout=2)
    service = serve(config({"m": mapping(url, **PLACES)}))
    producer = Producer(plain, url, books.sent)
    chance = random.Random(1)
    kills = []
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(300, at_least=2000))
        for _ in range(KILLS):
            service.start()
            before = books.done_so_far()
            await until(lambda before=before: books.done_so_far() > before, why=service.log_text)
            await asyncio.sleep(chance.uniform(0, 0.8))
            kills.append(Kill(service.pid, service.kill()))
        producer.enough()
        service.start("--exit-when-idle", "3")
    await service.drained()
    assert await counts(plain, url) == (0, 0, 0)
    found = books.hold(kills)
    deliveries = books.deliveries()
    for kill in kills:  # no more at the handler than there are places
        assert sum(one.pid == kill.pid and not one.end for one in deliveries) <= 4 * 5
    print(f"repeated by kill: {[found.by_cause[kill] for kill in kills]}")  # noqa: T201 - the measurement
    assert found.accepted >= 2000
    assert len({one.pid for one in deliveries}) == KILLS + 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's view of a process's signals")
async def test_terminated_as_soon_as_it_listens(new_queue, serve) -> None:
    """From the moment that the command has taken SIGTERM over, the exit is clean, whatever it was doing."""
    service = serve(config({"m": mapping(await new_queue())}))
    for wait in (0.0, 0.0, 0.1, 0.3, 0.6):
        service.start()
        await until(lambda: _catches_sigterm(service.pid))
        await asyncio.sleep(wait)
        service.terminate()
        assert await service.ended() == 0, service.log_text()


async def test_terminated_ten_times_while_it_works(plain, new_queue, books, serve) -> None:
    """Exit 0, no number twice, and nothing hidden: the visibility is ten minutes, and all is there at once.

    A second queue's few messages wait for the rest of their batch at every stop, and are never handled.
    """
    url, few = await new_queue(visibility_timeout=600), await new_queue(visibility_timeout=600)
    windowed = mapping(url, **PLACES | {"batch_size": 20}, maximum_batching_window_in_seconds=1)
    gathering = mapping(few, batch_size=100, maximum_batching_window_in_seconds=300)
    service = serve(config({"m": windowed, "gathering": gathering}))
    await Producer(plain, few, books.sent, first=1_000_001).send(15)
    producer = Producer(plain, url, books.sent)
    chance = random.Random(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(300, at_least=0))
        for _ in range(STOPS):
            service.start()
            before = books.done_so_far()
            await until(lambda before=before: books.done_so_far() > before, why=service.log_text)
            while await counts(plain, few) != (0, 15, 0):
                await asyncio.sleep(0.05)
            await asyncio.sleep(chance.uniform(0, 1.5))
            service.terminate()
            assert await service.ended() == 0, service.log_text()
            _, hidden, _ = await counts(plain, url)
            assert hidden == 0, service.log_text()
            assert await counts(plain, few) == (15, 0, 0), service.log_text()
        producer.enough()
    left = {int(message["Body"]) for queue in (url, few) for message in await drain(plain, queue)}
    assert await counts(plain, url) == (0, 0, 0)
    done = set(books.by_number())
    assert not left & done
    found = books.hold(dead=left)
    assert not found.causes
    assert all(one.end == "done" for one in books.deliveries())


async def test_asleep_beyond_the_visibility(plain, new_queue, books, serve) -> None:
    """What lapsed while the process slept belongs to somebody else: it is not dispatched afterwards.

    A batch that had begun before goes on where it was; that repeat has a name.
    """
    url = await new_queue(visibility_timeout=3)
    windowed = mapping(url, batch_size=20, maximum_batching_window_in_seconds=2, scaling_config=_places(2))
    sleeper, other = (serve(config({"m": one}), SECONDS=0.2) for one in (windowed, mapping(url, **PLACES)))
    producer = Producer(plain, url, books.sent)
    stops = []
    sleeper.start()
    await until(lambda: sleeper.events("lane.opened"), why=sleeper.log_text)
    other.start()
    await until(lambda: other.events("lane.opened"), why=other.log_text)
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(25, at_least=0))
        for wait in (0.3, 1.1, 1.7, 2.3):
            await asyncio.sleep(wait)
            stops.append(Stopped(sleeper.pid, sleeper.pause()))
            await asyncio.sleep(6)
            sleeper.resume()
            await asyncio.sleep(1)
        producer.enough()
    sleeper.terminate()
    assert await sleeper.ended() == 0, sleeper.log_text()
    other.terminate()
    assert await other.ended() == 0, other.log_text()
    await other.drained()
    found = books.hold(stops)
    assert len({one.pid for one in books.deliveries()}) >= 2
    assert sleeper.events("message.lapsed"), f"nothing lapsed, so nothing was shown: {found}"


def _places(count: int) -> dict[str, int]:
    return {"maximum_concurrency": count}


def _catches_sigterm(pid: int) -> bool:
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)
