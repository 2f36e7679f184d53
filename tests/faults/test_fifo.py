"""FIFO queues: what answers mean, what a batch is, and handlers that hang, by the handlers' own files.

What "in order" is stands in `headrace.testing.order`.

Mutations that these fail on: giving back before the thread has ended (hung), or at a stop (a stop while); a batch
filled up from another receive (mixes); groups not kept apart (one_group_per_batch); what follows a failure deleted in
strict mode (strict), or given back in aws mode (partial).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import pairwise

import pytest

from headrace.testing.history import Attempt, Kill
from headrace.testing.order import turns
from support.groups import GROUPS, STRICT, GroupBooks, GroupProducer, choosing, some_done
from support.queues import counts, drain, send_all
from support.service import boot, config, mapping, until


@pytest.mark.parametrize("alone", [True, False], ids=["one_group_per_batch", "mixed"])
async def test_a_group_waits_for_its_hung_handler_and_the_others_go_on(plain, fifo, books, serve, alone) -> None:
    """The call times out after a second; its thread ends after seven, its messages' visibility is two."""
    url = await fifo(visibility_timeout=2)
    await GroupProducer(plain, url, books.sent).send(300)
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
    url = await fifo(visibility_timeout=3, dead_letter=dead, max_receive_count=4)
    await GroupProducer(plain, url, books.sent).send(600)
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
    url = await fifo(visibility_timeout=3)
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


def _by_call(books: GroupBooks) -> dict[str, list[Attempt]]:
    calls: dict[str, list[Attempt]] = defaultdict(list)
    for one in books.deliveries():
        calls[one.call].append(one)
    return dict(calls)


def _overtaken_within_a_turn(deliveries: list[Attempt]) -> int:
    """Turns in which one that was done follows one that was listed."""
    ends = [[one.end for one in turn.attempts] for turn in turns(deliveries)]
    return sum("done" in each[each.index("listed") :] for each in ends if "listed" in each)
