"""Handlers that are slow, that fail, that never return.

Mutations that these fail on: no renewal, or only one (slow: a second delivery); a failed message deleted or set
visible at once, receives that dispatch nothing (poison: another number of deliveries); a visibility of 0 for what is
left at the deadline; threads or slots shared between mappings, exits that join threads (hung).
"""

from __future__ import annotations

import asyncio

from support.books import Producer
from support.queues import counts, drain
from support.service import boot, config, mapping, until


async def test_slower_than_the_visibility(plain, new_queue, books, serve) -> None:
    """Four seconds of visibility, three of window, seven of handler: one delivery of each message."""
    urls = [await new_queue(visibility_timeout=4) for _ in range(2)]
    slow = {
        "batch_size": 12,
        "maximum_batching_window_in_seconds": 3,
        "scaling_config": {"maximum_concurrency": 2},
    }
    mappings = {name: mapping(url, function=name, **slow) for name, url in zip(("plain", "loop"), urls, strict=True)}
    functions = {"plain": {"handler": "handlers.work"}, "loop": {"handler": "handlers.work_on_the_loop"}}
    service = serve(config(mappings, functions=functions), SECONDS=7)
    for number, url in enumerate(urls):  # two batches at the handler, then waiting, then a part of one
        await Producer(plain, url, books.sent, first=1 + 1000 * number).send(45)
    await service.drained()
    for url in urls:
        assert await counts(plain, url) == (0, 0, 0)
    assert not books.hold().causes
    deliveries = books.deliveries()
    assert [one.count for one in deliveries] == [1] * 90
    assert {one.end for one in deliveries} == {"done"}


async def test_poison_is_dead_after_exactly_the_maximum_of_receives(plain, new_queue, books, serve) -> None:
    """Three deliveries of each poison message, one of each good one, also of those in the same batches."""
    dead = await new_queue()
    url = await new_queue(visibility_timeout=4, dead_letter=dead, max_receive_count=3)
    places = {"scaling_config": {"maximum_concurrency": 4}, "batch_size": 10}
    service = serve(config({"m": mapping(url, **places)}), SECONDS=0.02, POISON=7)
    await Producer(plain, url, books.sent).send(300)
    await service.drained()
    letters = [int(message["Body"]) for message in await drain(plain, dead)]
    poison = {number for number in books.accepted() if number % 7 == 0}
    assert sorted(letters) == sorted(poison)
    numbers = books.by_number()
    assert {number: len(numbers[number]) for number in poison} == dict.fromkeys(poison, 3)
    assert all([one.count for one in numbers[number]] == [1, 2, 3] for number in poison)
    assert books.hold(dead=letters).causes == {"failed": 2 * len(poison)}
    assert all(len(numbers[number]) == 1 for number in numbers.keys() - poison)


async def test_poison_takes_its_batch_along_when_the_handler_raises(plain, new_queue, books, serve) -> None:
    """As on Lambda: the whole batch failed. Who is dead has failed three times, each time beside a poison message."""
    dead = await new_queue()
    url = await new_queue(visibility_timeout=4, dead_letter=dead, max_receive_count=3)
    exploding = mapping(url, function="explode", function_response_types=[])
    settings = config({"m": exploding}, functions={"explode": {"handler": "handlers.explode"}})
    service = serve(settings, SECONDS=0.02, POISON=25)
    await Producer(plain, url, books.sent).send(100)
    await service.drained()
    letters = {int(message["Body"]) for message in await drain(plain, dead)}
    poison = {25, 50, 75, 100}
    assert letters >= poison
    books.hold(dead=letters)
    numbers = books.by_number()
    assert all([one.end for one in numbers[number]] == ["failed"] * 3 for number in letters)
    assert all(numbers[number][-1].end == "done" for number in numbers.keys() - letters)
    calls_with_poison = {one.call for number in poison for one in numbers[number]}
    failed = {one.call for number in numbers for one in numbers[number] if one.end == "failed"}
    assert failed == calls_with_poison
    assert len(numbers.keys() - letters) >= 40  # at most 4 of 5 beside each poison message, three batches of it


async def test_a_function_that_hangs_holds_nothing_but_its_own_places(plain, new_queue, books, serve, own_port) -> None:
    """Every place of one mapping hangs for ever: health and the other mapping go on, readiness names it.

    The calls timed out and their records were given back, so nothing is left: exit 0 though their threads still hang.
    """
    stuck, good = await new_queue(visibility_timeout=600), await new_queue()
    listen = f"127.0.0.1:{own_port}"
    hanging = mapping(stuck, function="hang", batch_size=1, scaling_config={"maximum_concurrency": 8})
    settings = config(
        {"hanging": hanging, "good": mapping(good)},
        functions={"hang": {"handler": "handlers.hang", "timeout": 1}},
        listen=listen,
        drain_timeout=3,
    )
    service = serve(settings)
    await Producer(plain, stuck, books.sent).send(20)
    service.start()
    await until(lambda: service.events("handler.still_running") >= 1, why=service.log_text)
    hung = books.by_number()
    await Producer(plain, good, books.sent, first=1001).send(200)
    await until(lambda: books.done_so_far() >= 200, why=service.log_text)
    assert (await asyncio.to_thread(service.get, "/healthz"))[0] == 200
    await until(lambda: service.events("handler.still_running") >= 8, why=service.log_text)
    status, said = await asyncio.to_thread(service.get, "/readyz")
    assert status == 503
    assert said["mappings"].keys() == {"hanging"}
    assert said["mappings"]["hanging"]["state"] == "stuck"
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    assert all(number > 1000 or not one.end for number, all_of_it in books.by_number().items() for one in all_of_it)
    assert hung
    assert await counts(plain, good) == (0, 0, 0)


async def test_what_is_at_the_handler_at_the_deadline_is_left_and_said(plain, new_queue, books, serve) -> None:
    """A stop does not wait longer than the drain: exit 1, how many were left, and their visibility is theirs still."""
    url = await new_queue(visibility_timeout=20)
    hanging = mapping(url, function="hang", batch_size=5, scaling_config={"maximum_concurrency": 2})
    settings = config({"m": hanging}, functions={"hang": {"handler": "handlers.hang", "timeout": 600}}, drain_timeout=2)
    service = serve(settings)
    await Producer(plain, url, books.sent).send(30)
    service.start()
    await until(lambda: len(books.by_number()) == 10, why=service.log_text)
    service.terminate()
    assert await service.ended() == 1, service.log_text()
    assert "10 records left at the handler" in service.log_text()
    left = boot()
    assert await counts(plain, url) == (20, 10, 0)
    other = serve(config({"m": mapping(url)}))
    await other.drained()
    assert await counts(plain, url) == (0, 0, 0)
    numbers = books.by_number()
    again = [all_of_it for all_of_it in numbers.values() if len(all_of_it) > 1]
    assert len(again) == 10
    assert all(one.end == "" and two.end == "done" and two.begun > left for one, two in again)
    assert len(numbers) == 30
