"""FIFO queues under faults: nothing lost, and every group begun in order, by the handlers' own files.

What "in order" is stands in `headrace.testing.order`. This server's facts: it locks a group while one of it is in
flight, ignores ReceiveRequestAttemptId (a lost answer's messages come again with their visibility), and refuses a
delete under an old receipt.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from headrace.testing import FaultProxy
from headrace.testing.history import Attempt, Kill, Outage, Stopped
from headrace.testing.order import turns
from support.books import reported
from support.groups import GroupBooks, GroupProducer
from support.queues import counts, drain, make_queue, send_all, sqs_client
from support.servers import Ministack
from support.service import Service, boot, config, mapping, until

KILLS = 20
GROUPS = 40
STRICT = {"response_mode": "strict"}
CHOOSE = {"choose": {"handler": "handlers.choose"}}


@pytest.fixture
def books(tmp_path) -> GroupBooks:
    return GroupBooks(tmp_path)


@pytest.fixture
def fifo(new_queue) -> Callable[..., Awaitable[str]]:
    async def make(**options: Any) -> str:
        return await new_queue(fifo=True, **options)

    return make


def choosing(url: str, **settings: Any) -> dict[str, Any]:
    """A config whose handler lists messages at random, eight batches at once."""
    places = {"scaling_config": {"maximum_concurrency": 8}, "batch_size": 10}
    return config({"m": mapping(url, function="choose", **{**places, **settings})}, functions=CHOOSE)


async def some_done(books: GroupBooks, service: Service, count: int = 1) -> None:
    """Until so many more are done."""
    before = books.done_so_far()
    await until(lambda: books.done_so_far() >= before + count, why=service.log_text)


async def test_killed_twenty_times_at_random_moments(plain, fifo, books, serve) -> None:
    """Also with answers that name some at random, and calls that raise."""
    url = await fifo(visibility_timeout=2)
    service = serve(choosing(url, **STRICT), LISTED=4, RAISED=2)
    producer = GroupProducer(plain, url, books.sent, GROUPS)
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
    producer = GroupProducer(plain, url, books.sent, GROUPS)
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
    url = await fifo(visibility_timeout=1)
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
            await asyncio.sleep(1.4)
            sleeper.resume()
            await asyncio.sleep(0.2)
        producer.enough()
    for service in (sleeper, other):
        service.terminate()
        assert await service.ended() == 0, service.log_text()
    await other.drained(1)
    assert set(books.in_order(stops, strict=True).found.causes) <= {"begun before the stop"}


@pytest.mark.parametrize("alone", [True, False], ids=["one_group_per_batch", "mixed"])
async def test_a_group_waits_for_its_hung_handler_and_the_others_go_on(plain, fifo, books, serve, alone) -> None:
    """The call times out after a second; its thread ends after seven, its messages' visibility is two."""
    url = await fifo(visibility_timeout=2)
    await GroupProducer(plain, url, books.sent, GROUPS).send(300)
    stuck = books.accepted_first()
    hanging = mapping(
        url,
        function="hang_once",
        batch_size=5,
        scaling_config={"maximum_concurrency": 4},
        source={"one_group_per_batch": alone},
    )
    settings = config({"m": hanging}, functions={"hang_once": {"handler": "handlers.hang_once", "timeout": 1}})
    service = serve(settings, HANGS=stuck, HANGING=7)
    await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    books.in_order(strict=True, timeout=1)
    assert service.events("handler.still_running") == 1
    deliveries = books.deliveries()
    hung = next(one for one in deliveries if one.number == stuck)
    waiting = {one.group for one in deliveries if one.call == hung.call}
    assert hung.ended - hung.begun > 6
    assert alone == (len(waiting) == 1)
    beside = [one for one in deliveries if one.group not in waiting]
    assert beside
    assert all(one.ended < hung.ended for one in beside)


async def test_partial_answers_mean_what_they_mean_to_lambda(plain, fifo, books, serve) -> None:
    """What is listed comes again, with one more receive each time, and dies after the fourth; nothing else does."""
    dead = await fifo()
    url = await fifo(visibility_timeout=1, dead_letter=dead, max_receive_count=4)
    await GroupProducer(plain, url, books.sent, GROUPS).send(600)
    service = serve(choosing(url), LISTED=30, SECONDS=0.02)
    await service.drained(1)
    letters = {int(message["Body"]) for message in await drain(plain, dead)}
    assert await counts(plain, url) == (0, 0, 0)
    found = books.in_order(strict=False, dead=letters).found
    assert found.causes.keys() == {"failed"}
    numbers = books.by_number()
    for number, all_of_it in numbers.items():
        assert [one.count for one in all_of_it] == list(range(1, len(all_of_it) + 1))
        ends = ["listed"] * 4 if number in letters else ["listed"] * (len(all_of_it) - 1) + ["done"]
        assert [one.end for one in all_of_it] == ends
    deliveries = books.deliveries()
    assert _overtaken_within_a_turn(deliveries), "no later one of a group was settled beside a listed one"
    assert letters


async def test_in_strict_mode_what_follows_a_listed_one_in_its_group_comes_again(plain, fifo, books, serve) -> None:
    url = await fifo(visibility_timeout=1)
    await GroupProducer(plain, url, books.sent, 10).send(200)
    service = serve(choosing(url, **STRICT), LISTED=15, SECONDS=0.02)
    await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    found = books.in_order(strict=True).found
    assert found.causes.keys() == {"failed"}
    assert _overtaken_within_a_turn(books.deliveries()), "none followed a listed one, so nothing was shown"


async def test_a_batch_mixes_groups_and_is_one_receive(plain, fifo, books, serve) -> None:
    """Receives that bring fewer than a batch, many of them at once after a short stop: none is filled up from another.

    Which receives come at once is chance: a service that mixes them is seen in nearly every run, not in all.
    """
    url = await fifo(visibility_timeout=10)
    producer = GroupProducer(plain, url, books.sent, 2 * GROUPS)
    service = serve(choosing(url, scaling_config={"maximum_concurrency": 16}), SECONDS=0.1)
    service.start("--exit-when-idle", "1")
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(90, at_least=1000))
        for _ in range(25):
            await some_done(books, service, 20)
            service.pause()
            await asyncio.sleep(0.2)
            service.resume()
        producer.enough()
    await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    assert not books.in_order(strict=True).found.causes
    calls = _by_call(books)
    assert max(len({one.group for one in call}) for call in calls.values()) > 1
    assert len({len(call) for call in calls.values()}) > 5, "every receive was full, so nothing was shown"


async def test_one_group_per_batch(plain, fifo, books, serve) -> None:
    """The groups of one receive are handled side by side."""
    url = await fifo(visibility_timeout=10)
    await GroupProducer(plain, url, books.sent, 5).send(100)
    await serve(choosing(url, source={"one_group_per_batch": True}), SECONDS=0.2).drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    assert not books.in_order(strict=True).found.causes
    calls = _by_call(books)
    assert all(len({one.group for one in call}) == 1 for call in calls.values())
    assert max(len(call) for call in calls.values()) > 1
    spans = sorted((min(one.begun for one in call), max(one.ended for one in call)) for call in calls.values())
    assert any(later < end for (_, end), (later, _) in pairwise(spans))


async def test_a_stop_while_a_handler_hangs_gives_its_group_to_nobody_before_the_end(
    plain, fifo, new_queue, books, serve
) -> None:
    """A second copy works beside. The first is told to stop while its thread hangs, and lives on to its deadline."""
    url, other = await fifo(visibility_timeout=2), await new_queue(visibility_timeout=600)
    await GroupProducer(plain, url, books.sent, 10).send(60)
    stuck = books.accepted_first()
    await send_all(plain, other, ["1000000"])
    one_each = mapping(url, function="hang_once", batch_size=5, source={"one_group_per_batch": True})
    functions = {
        "hang_once": {"handler": "handlers.hang_once", "timeout": 1},
        "hang": {"handler": "handlers.hang", "timeout": 600},
    }
    behind = {"drain_timeout": 6, "functions": functions}
    first = serve(
        config({"m": one_each, "hanging": mapping(other, function="hang")}, **behind), HANGS=stuck, HANGING=99
    )
    second = serve(config({"m": one_each}, functions=functions), HANGS=stuck, HANGING=99)
    first.start()
    await until(lambda: first.events("handler.still_running"), why=first.log_text)
    second.start("--exit-when-idle", "1")
    first.terminate()
    assert await first.ended() == 1, first.log_text()
    over = boot()
    await second.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    history = [one for one in books.deliveries() if one.group]
    books.in_order([Kill(first.pid, over, "ended with the process")], strict=True, timeout=1, history=history)
    assert next(one for one in history if one.number == stuck).pid == first.pid


@pytest.fixture
async def server() -> AsyncIterator[Ministack]:
    """A server of this test's own, which keeps its queues over a restart."""
    own = await asyncio.to_thread(Ministack(persist=True).start)
    try:
        yield own
    finally:
        await asyncio.to_thread(own.__exit__)


async def test_server_stopped_and_started_asleep_and_awake(server, account, books, serve) -> None:
    chance = random.Random(12)
    outages = []
    async with sqs_client(server.url, account, retries={"total_max_attempts": 1}) as client:
        url = await make_queue(client, visibility_timeout=4, fifo=True)
        producer = GroupProducer(client, url, books.sent, GROUPS)
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
    url = await fifo(visibility_timeout=4)
    producer = GroupProducer(plain, url, books.sent, GROUPS)
    chance = random.Random(13)
    outages = []
    async with FaultProxy("127.0.0.1", ministack.port) as line:
        through = url.replace(ministack.url, line.url)
        service = serve(choosing(through, **STRICT), endpoint=line.url, LISTED=2)
        service.start("--exit-when-idle", "2")
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(200, at_least=800))
            for kind in ("cut", "refuse", "silent", "cut", "no answers", "long silence", "cut"):
                await some_done(books, service, 20)
                begin = boot()
                await _break(line, kind, chance)
                if kind == "long silence":
                    outages.append(Outage(begin, boot()))
            producer.enough()
        await service.drained(1)
    assert await counts(plain, url) == (0, 0, 0)
    books.in_order([*reported(service.log()), *outages], strict=True)


async def _break(line: FaultProxy, kind: str, chance: random.Random) -> None:
    match kind:
        case "cut":
            for _ in range(8):
                line.cut()
                await asyncio.sleep(chance.uniform(0.02, 0.2))
        case "refuse":
            line.refuse()
            line.cut()
            await asyncio.sleep(chance.uniform(0.5, 2))
        case "silent" | "no answers":
            line.black_hole(requests=kind == "silent")
            await asyncio.sleep(chance.uniform(0.5, 2))
            line.cut()
        case "long silence":
            line.black_hole()
            await asyncio.sleep(6)
    line.heal()


def _by_call(books: GroupBooks) -> dict[str, list[Attempt]]:
    calls: dict[str, list[Attempt]] = defaultdict(list)
    for one in books.deliveries():
        calls[one.call].append(one)
    return dict(calls)


def _overtaken_within_a_turn(deliveries: list[Attempt]) -> int:
    """Turns in which one that was done follows one that was listed."""
    ends = [[one.end for one in turn.attempts] for turn in turns(deliveries)]
    return sum("done" in each[each.index("listed") :] for each in ends if "listed" in each)
