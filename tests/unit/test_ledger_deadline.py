"""A worker's own deadline, and the thread in which a blocking store works."""

from __future__ import annotations

import asyncio
import threading

import pytest

from headrace.ownthread import OwnThread
from headrace.renewing import deadline


def test_a_deadline_counts_from_the_sending_and_keeps_a_margin():
    """Catches: a deadline from the answer, which the store's may precede."""
    assert deadline(sent=100.0, ttl=10.0) == 109.0


async def test_a_thread_works_in_turn_and_beside_the_loop():
    """Catches: two jobs at once, a thread that holds the exit, work that runs in the loop's own thread."""
    own = OwnThread("store")
    seen: list[int] = []
    threads = await asyncio.gather(
        *(own.run(lambda n=n: (seen.append(n), threading.current_thread())[1]) for n in range(50))
    )
    assert seen == list(range(50))
    assert {(thread.name, thread.daemon) for thread in threads} == {("store", True)}
    own.close()
    own.close()
    with pytest.raises(RuntimeError, match="store is closed"):
        await own.run(lambda: None)
    threads[0].join(10)


async def test_what_is_raised_comes_back_and_the_thread_goes_on():
    own = OwnThread("store")
    with pytest.raises(ZeroDivisionError):
        await own.run(lambda: 1 // 0)
    assert await own.run(lambda: 7) == 7
    own.close()


async def test_what_nobody_waits_for_is_carried_out():
    """A cancelled verb may have been carried out, and the next one comes behind it."""
    own, go, done = OwnThread("store"), threading.Event(), []
    await own.run(lambda: None)
    call = asyncio.ensure_future(own.run(lambda: (go.wait(10), done.append(1))))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go.set()
    assert await own.run(lambda: list(done)) == [1]
    own.close()
