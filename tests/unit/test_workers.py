"""Threads that are reused when idle, never when hung, and waited for by nobody."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest

from headrace.functions.workers import Workers


async def run(workers, work):
    done = asyncio.get_running_loop().create_future()
    workers.submit(work, done.set_result)
    return await done


def ended(thread):
    thread.join(5)
    return not thread.is_alive()


@pytest.fixture
def workers():
    made = Workers("test")
    yield made
    made.close()


async def test_sequential_calls_share_one_daemon_thread(workers):
    """Fails when a thread goes idle only after its result is on the way: the next call would find none."""
    threads = {await run(workers, threading.current_thread) for _ in range(300)}
    assert len(threads) == 1
    [thread] = threads
    assert thread.daemon
    assert thread is not threading.main_thread()


async def test_concurrent_calls_have_a_thread_each(workers):
    barrier = threading.Barrier(8, timeout=5)
    await asyncio.gather(*(run(workers, barrier.wait) for _ in range(8)))  # breaks if two share a thread


async def test_quick_calls_that_come_together_wake_one_thread():
    """Fails when each call wakes a thread of its own: that costs more than the call."""
    workers = Workers("test", quick=60, patience=60)
    await run(workers, lambda: None)
    here = lambda: (time.sleep(0.005), threading.current_thread())[1]  # noqa: E731 - time for others, were they awake
    threads = await asyncio.gather(*(run(workers, here) for _ in range(8)))
    assert len(set(threads)) <= 2  # the thread of the call before may still be looking for more
    workers.close()


async def test_calls_behind_one_that_is_slow_after_all_get_threads_of_their_own():
    """Fails without the patience: what waits behind a hung call would wait for good."""
    workers, barrier = Workers("test", quick=60), threading.Barrier(8, timeout=5)
    await run(workers, lambda: None)
    await asyncio.gather(*(run(workers, barrier.wait) for _ in range(8)))
    workers.close()


async def test_a_loop_that_ended_leaves_nothing_waiting(workers):
    """Fails when the next loop trusts a wake-up that the ended one was to give."""
    ran = []

    def elsewhere():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(submit(lambda: ran.append("before")))
        loop.close()

    async def submit(work):
        workers.submit(work, lambda _: None)

    await asyncio.to_thread(elsewhere)
    assert await asyncio.wait_for(run(workers, lambda: "after"), 5) == "after"
    assert ran == ["before"]


async def test_a_hung_thread_is_reused_only_after_its_end(workers):
    release = threading.Event()
    hung = asyncio.ensure_future(run(workers, lambda: (release.wait(5), threading.current_thread())[1]))
    await asyncio.sleep(0)
    others = {await asyncio.wait_for(run(workers, threading.current_thread), 2) for _ in range(5)}
    release.set()
    thread = await hung
    assert thread not in others
    assert await run(workers, threading.current_thread) in {thread, *others}
    assert workers.threads == 2


async def test_done_runs_on_the_loop(workers):
    seen = asyncio.Event()
    where = []

    def done(_):
        where.append(threading.current_thread())
        seen.set()

    workers.submit(lambda: None, done)
    await seen.wait()
    assert where == [threading.current_thread()]


async def test_close_ends_idle_threads_now_and_busy_ones_after_their_call():
    workers, release = Workers("test"), threading.Event()
    busy = []

    def hang():
        busy.append(threading.current_thread())
        release.wait(60)

    first = asyncio.ensure_future(run(workers, hang))
    while not busy:
        await asyncio.sleep(0.01)
    idle = await run(workers, threading.current_thread)
    before = time.monotonic()
    workers.close()
    workers.close()
    assert time.monotonic() - before < 30
    assert ended(idle)
    assert busy[0].is_alive()
    release.set()
    await first
    assert ended(busy[0])
    with pytest.raises(RuntimeError, match="closed"):
        workers.submit(lambda: None, lambda _: None)


async def test_what_was_submitted_before_the_close_still_runs():
    for _ in range(50):
        workers = Workers("test")
        await run(workers, lambda: None)
        done = asyncio.get_running_loop().create_future()
        workers.submit(lambda: 5, done.set_result)
        workers.close()
        assert await asyncio.wait_for(done, 5) == 5


async def test_an_idle_thread_keeps_nothing_of_its_last_call(workers):
    """Fails without the `del`: an event of 6 MB would live until the next call."""

    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    await run(workers, lambda kept=thing: None)
    del thing
    for _ in range(100):
        gc.collect()
        if gone() is None:
            break
        await asyncio.sleep(0.01)
    assert gone() is None


def script(text):
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=20, check=False)


def test_the_interpreter_exits_with_a_hung_thread():
    """Fails with threads that are not daemons, and with a ThreadPoolExecutor: both are joined at exit."""
    ran = script("""
import asyncio, threading
from headrace.functions.workers import Workers
async def main():
    started = threading.Event()
    Workers("w").submit(lambda: (started.set(), threading.Event().wait()), print)
    while not started.is_set():
        await asyncio.sleep(0.01)
asyncio.run(main())
print("end")
""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "end\n", "")


def test_a_result_for_a_closed_loop_is_dropped_without_noise():
    """Fails without the suppression: threading prints a traceback, and the thread is lost."""
    ran = script("""
import asyncio, threading
from headrace.functions.workers import Workers
workers, release, threads = Workers("w"), threading.Event(), []
async def main():
    workers.submit(lambda: (release.wait(), threads.append(threading.current_thread())), print)
asyncio.run(main())
release.set()
async def again():
    while workers.busy:
        await asyncio.sleep(0.01)
    done = asyncio.get_running_loop().create_future()
    workers.submit(threading.current_thread, done.set_result)
    print(await done in threads)
asyncio.run(again())
""")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "True\n", "")
