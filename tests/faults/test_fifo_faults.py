"""FIFO queues while processes, servers and connections fail: nothing lost, every group begun in order.

By the handlers' own files; what "in order" is stands in `headrace.testing.order`. This server's facts: it locks a group
while one of it is in flight, ignores ReceiveRequestAttemptId (a lost answer's messages come again with their
visibility), and refuses a delete under a receipt that a later receive has replaced.

Mutations that these fail on: deleting before the handler (kill); no look at the visibility before a dispatch (asleep),
or none in the thread (on their way).
"""

from __future__ import annotations

import asyncio
import random

from headrace.testing.history import Kill, Outage, Stopped
from support.books import reported
from support.groups import GROUPS, STRICT, GroupProducer, choosing, some_done
from support.lines import Lines, break_line
from support.queues import counts, make_queue, sqs_client
from support.service import boot, until

KILLS = 20


async def test_killed_twenty_times_at_random_moments(plain, fifo, books, serve) -> None:
    """Also with answers that name some at random, and calls that raise."""
    url = await fifo(visibility_timeout=2)
    service = serve(choosing(url, **STRICT), LISTED=4, RAISED=2)
    producer = GroupProducer(plain, url, books.sent)
    chance = random.Random(11)
    kills = []
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(300, at_least=1500))
        for _ in range(KILLS):
            service.start()
            await some_done(books, service)
            await asyncio.sleep(chance.uniform(0, 0.8))
            kills.append(Kill(service.pid, service.kill()))
        producer.enough()
        service.start("--exit-when-idle", "1")
    await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    found = books.in_order(kills, strict=True).found
    assert found.causes["kill"]
    assert found.causes["failed"] > KILLS


async def test_asleep_beyond_the_visibility_beside_a_second_copy(plain, fifo, books, serve) -> None:
    """Order is that of attempts begun: one that was begun before the stop is excused, by that name, and no other."""
    url = await fifo(visibility_timeout=3)
    sleeper, other = (serve(choosing(url, batch_size=5, **STRICT), LISTED=2, SECONDS=0.3) for _ in range(2))
    producer = GroupProducer(plain, url, books.sent)
    stops = []
    for service in (sleeper, other):
        service.start()
        await until(lambda service=service: service.events("lane.opened"), why=service.log_text)
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(120, at_least=0))
        for wait in (0.3, 1.1, 1.7):
            await asyncio.sleep(wait)
            stops.append(Stopped(sleeper.pid, sleeper.pause()))
            await asyncio.sleep(5)
            sleeper.resume()
            await asyncio.sleep(1)
        producer.enough()
    sleeper.terminate()
    assert await sleeper.ended() == 0, sleeper.log_text()
    other.terminate()
    assert await other.ended() == 0, other.log_text()
    await other.drained(1)
    order = books.in_order(stops, strict=True)
    assert len({one.pid for one in books.deliveries()}) >= 2
    assert order.excused.keys() <= {"begun before the stop"}
    assert order.excused, "nothing was at a handler at any stop, so nothing was shown"
    assert set(order.found.causes) <= {"begun before the stop", "failed"}


async def test_calls_that_were_on_their_way_to_a_thread_when_the_process_was_stopped(plain, fifo, books, serve) -> None:
    """Batches of one, thousands of calls: at nearly every stop some were handed over, and not begun. They are not."""
    url = await fifo(visibility_timeout=2)
    quick = choosing(url, batch_size=1, scaling_config={"maximum_concurrency": 16})
    sleeper, other = (serve(quick, SECONDS=seconds) for seconds in (0.002, 0.01))
    producer = GroupProducer(plain, url, books.sent, 5 * GROUPS)
    stops = []
    for service in (sleeper, other):
        service.start()
        await until(lambda service=service: service.events("lane.opened"), why=service.log_text)
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(150, at_least=0))
        for _ in range(9):
            await some_done(books, sleeper, 30)
            stops.append(Stopped(sleeper.pid, sleeper.pause()))
            await asyncio.sleep(2.4)
            sleeper.resume()
            await asyncio.sleep(0.2)
        producer.enough()
    for service in (sleeper, other):
        service.terminate()
        assert await service.ended() == 0, service.log_text()
    await other.drained(1)
    assert set(books.in_order(stops, strict=True).found.causes) <= {"begun before the stop"}


async def test_server_stopped_and_started_asleep_and_awake(server, account, books, serve) -> None:
    chance = random.Random(12)
    outages = []
    async with sqs_client(server.url, account, retries={"total_max_attempts": 1}) as client:
        url = await make_queue(client, visibility_timeout=4, fifo=True)
        producer = GroupProducer(client, url, books.sent)
        service = serve(choosing(url, **STRICT), endpoint=server.url, LISTED=2)
        service.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(200, at_least=600))
            for kind in ("stop", "sleep", "stop"):
                await some_done(books, service, 20)
                await asyncio.sleep(chance.uniform(0, 1))
                begin = boot()
                if kind == "stop":
                    await asyncio.to_thread(server.stop, 60)
                    await asyncio.sleep(1)
                    await asyncio.to_thread(server.start)
                else:
                    server.pause()
                    await asyncio.sleep(6)
                    server.resume()
                outages.append(Outage(begin, boot()))
            producer.enough()
        await some_done(books, service)
        service.terminate()
        assert await service.ended() == 0, service.log_text()
        await service.drained(1)
        assert await counts(client, url) == (0, 0, 0)
    books.in_order([*reported(service.log()), *outages], strict=True)


async def test_connections_cut_refused_and_silent(ministack, plain, fifo, books, serve) -> None:
    """A receive whose answer is lost comes again with its visibility, and its groups wait for it."""
    visibility = 4
    url = await fifo(visibility_timeout=visibility)
    producer = GroupProducer(plain, url, books.sent)
    chance = random.Random(13)
    outages = []
    async with Lines("127.0.0.1", ministack.port) as line:
        through = url.replace(ministack.url, line.url)
        service = serve(choosing(through, **STRICT), endpoint=line.url, LISTED=2)
        service.start("--exit-when-idle", "2")
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(200, at_least=800))
            for kind in ("cut", "refuse", "silent", "cut", "no answers", "long silence", "cut"):
                await some_done(books, service, 20)
                begin = boot()
                await break_line(line, kind, chance, visibility)
                if kind == "long silence":
                    outages.append(Outage(begin, boot()))
            producer.enough()
        await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    books.in_order([*reported(service.log()), *outages], strict=True)
