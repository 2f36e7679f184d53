"""SqsPoller against a real server: what a user of the library sees."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace_connectors import SqsPoller
from support.queues import counts, drain, send_all
from support.servers import Ministack

NewQueue = Callable[..., Awaitable[str]]
REPORT = ["ReportBatchItemFailures"]


pytestmark = pytest.mark.usefixtures("in_aws")


@asynccontextmanager
async def polling(url: str, handler: Any, **arguments: Any) -> Any:
    async with SqsPoller(queue_url=url, handler=handler, **arguments) as poller:
        running = asyncio.ensure_future(poller.run())
        yield poller
        poller.stop()
        await running


async def until(true: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not (await found if asyncio.iscoroutine(found := true()) else found):
            await asyncio.sleep(0.1)


async def test_a_plain_handler_gets_lambdas_event_and_context(new_queue: NewQueue, sqs: Any) -> None:
    url = await new_queue()
    ids = await send_all(sqs, url, [f'{{"n": {n}}}' for n in range(25)])
    seen: list[tuple[dict[str, Any], Any, str]] = []

    def handler(event: dict[str, Any], context: Any) -> None:
        seen.append((event, context, threading.current_thread().name))

    async with polling(url, handler) as poller:
        await until(poller.idle)
    records = [record for event, _, _ in seen for record in event["Records"]]
    assert sorted(record["messageId"] for record in records) == sorted(ids)
    assert {record["eventSource"] for record in records} == {"aws:sqs"}
    assert records[0]["eventSourceARN"].endswith(url.rpartition("/")[2])
    _, context, thread = seen[0]
    assert context.get_remaining_time_in_millis() >= 0
    assert context.headrace.attempt == 1
    assert thread != threading.main_thread().name
    assert await counts(sqs, url) == (0, 0, 0)


async def test_an_async_handler_runs_on_the_loop(new_queue: NewQueue, sqs: Any) -> None:
    url = await new_queue()
    await send_all(sqs, url, "abc")
    loops = set()

    async def handler(event: dict[str, Any], context: Any) -> None:
        loops.add(asyncio.get_running_loop())

    async with polling(url, handler) as poller:
        await until(poller.idle)
    assert loops == {asyncio.get_running_loop()}


async def test_a_batch_is_gathered_from_several_receives(new_queue: NewQueue, sqs: Any) -> None:
    """Lambda's receives bring ten at most; batches of 50 take five. Catches: a window that one receive ends."""
    url = await new_queue()
    sizes: list[int] = []

    async def handler(event: dict[str, Any], context: Any) -> None:
        sizes.append(len(event["Records"]))

    await send_all(sqs, url, map(str, range(120)))
    async with polling(url, handler, batch_size=50, maximum_batching_window_in_seconds=2) as poller:
        await until(poller.idle)
    assert sum(sizes) == 120
    assert sorted(sizes, reverse=True)[:2] == [50, 50]


async def test_an_answer_fails_what_it_names_and_the_dead_letters_come_exactly(new_queue: NewQueue, sqs: Any) -> None:
    """maxReceiveCount 2 is exactly two deliveries (recorded on AWS). Catches: a nack to 0, a delivery of our own."""
    dead = await new_queue()
    url = await new_queue(visibility_timeout=4, dead_letter=dead, max_receive_count=2)
    ids = await send_all(sqs, url, map(str, range(20)))
    deliveries: Counter[str] = Counter()

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        names = [record["messageId"] for record in event["Records"]]
        deliveries.update(names)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in names if name in ids[:2]]}

    async with polling(url, handler, function_response_types=REPORT) as poller:
        await until(poller.idle)
    assert {name: deliveries[name] for name in ids[:2]} == dict.fromkeys(ids[:2], 2)
    assert all(deliveries[name] == 1 for name in ids[2:])
    assert sorted(message["MessageId"] for message in await drain(sqs, dead)) == sorted(ids[:2])
    (tally,) = poller.tally.values()
    assert (tally.balance, tally.in_flight, tally.succeeded, tally.returned) == (0, 0, 18, 4)


async def test_without_report_batch_item_failures_the_answer_is_ignored(new_queue: NewQueue, sqs: Any) -> None:
    """As on Lambda, where it is the first way to lose data: a handler that answers, and nobody listens."""
    url = await new_queue()
    (name,) = await send_all(sqs, url, "a")
    async with polling(url, lambda *_: {"batchItemFailures": [{"itemIdentifier": name}]}) as poller:
        await until(poller.idle)
    (tally,) = poller.tally.values()
    assert tally.deleted == 1


async def test_a_slow_handler_is_no_second_delivery(new_queue: NewQueue, sqs: Any) -> None:
    """Catches: no renewal, or one that ends with the receive."""
    url = await new_queue(visibility_timeout=4)
    await send_all(sqs, url, "abc")
    seen: Counter[str] = Counter()

    def handler(event: dict[str, Any], context: Any) -> None:
        seen.update(record["body"] for record in event["Records"])
        time.sleep(9)

    async with polling(url, handler) as poller:
        await until(poller.idle)
    assert seen == {"a": 1, "b": 1, "c": 1}


async def test_retry_backoff_brings_a_failed_message_back_sooner_than_its_visibility(
    new_queue: NewQueue, sqs: Any
) -> None:
    url = await new_queue(visibility_timeout=600)
    await send_all(sqs, url, "a")
    tries: list[int] = []

    async def handler(event: dict[str, Any], context: Any) -> None:
        tries.append(context.headrace.attempt)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    async with polling(url, handler, retry_backoff={"initial": 1, "maximum": 2}) as poller:
        await until(poller.idle)
    assert tries == [1, 2, 3]


async def test_a_stop_gives_back_what_waits_and_finishes_what_runs(new_queue: NewQueue, sqs: Any) -> None:
    """Catches: a drain that handles what waits, one that drops what runs, one that leaves the window's messages hidden.

    The poll that is parked at the server may meet what is given back once more; its answer is given back too.
    """
    url = await new_queue(visibility_timeout=600)
    await send_all(sqs, url, map(str, range(8)))
    begun, done = asyncio.Event(), 0

    async def handler(event: dict[str, Any], context: Any) -> None:
        nonlocal done
        begun.set()
        await asyncio.sleep(1)
        done += len(event["Records"])

    arguments = {"batch_size": 5, "maximum_batching_window_in_seconds": 60}
    async with polling(url, handler, **arguments) as poller:
        await begun.wait()
        (tally,) = poller.tally.values()
        await until(lambda: tally.polled == 8)
    assert done == 5
    assert tally.returned in (3, 6)
    assert tally.balance == 0
    assert await counts(sqs, url) == (3, 0, 0)
    assert poller.report.clean


async def test_a_queue_that_does_not_exist_yet(ministack: Ministack, new_queue: NewQueue, sqs: Any) -> None:
    """Stays up, says so, and recovers by itself."""
    url = await new_queue()
    missing = f"{url}-later"
    seen: list[str] = []

    async def handler(event: dict[str, Any], context: Any) -> None:
        seen.extend(record["body"] for record in event["Records"])

    async with polling(missing, handler) as poller:
        await until(lambda: poller.condition.state == "unavailable")
        assert "NonExistentQueue" in poller.condition.reason
        await new_queue(name=missing.rpartition("/")[2])
        await send_all(sqs, missing, "a")
        await until(lambda: seen)
        assert poller.condition.ready


async def test_cancelling_drains(new_queue: NewQueue, sqs: Any) -> None:
    url = await new_queue()
    await send_all(sqs, url, "a")
    begun, done = asyncio.Event(), asyncio.Event()

    async def handler(event: dict[str, Any], context: Any) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        done.set()

    async with SqsPoller(queue_url=url, handler=handler) as poller:
        running = asyncio.ensure_future(poller.run())
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert done.is_set()
    assert await counts(sqs, url) == (0, 0, 0)


async def test_two_pollers_in_one_process(new_queue: NewQueue, sqs: Any) -> None:
    urls = [await new_queue(), await new_queue()]
    seen: list[str] = []

    async def handler(event: dict[str, Any], context: Any) -> None:
        seen.extend(json.loads(record["body"]) for record in event["Records"])

    for number, url in enumerate(urls):
        await send_all(sqs, url, [str(number)])
    async with polling(urls[0], handler) as one, polling(urls[1], handler) as other:
        await until(one.idle)
        await until(other.idle)
    assert sorted(seen) == [0, 1]


def test_wrong_arguments_are_all_named() -> None:
    with pytest.raises(ConfigError) as refused:
        SqsPoller(queue_url="http://h/1/q.fifo", handler=print, batch_size=20000, bisect_batch_on_function_error=True)
    paths = {fault.path for fault in refused.value.faults}
    assert {"batch_size", "bisect_batch_on_function_error"} <= paths
    with pytest.raises(ConfigError, match="queue_url"):
        SqsPoller(queue_url=7, handler=print)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Maximum batch window in seconds must be greater than 0"):
        SqsPoller(queue_url="http://h/1/q", handler=print, batch_size=11)


async def test_leaving_the_block_stops_a_run_that_was_begun_as_a_task(new_queue: NewQueue, sqs: Any) -> None:
    """Catches: a poller that goes on receiving after its block, and burns delivery attempts."""
    url = await new_queue(visibility_timeout=600)

    async def handler(event: dict[str, Any], context: Any) -> None:
        pass

    async with SqsPoller(queue_url=url, handler=handler) as poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: poller.condition.ready)
    assert running.done()
    await send_all(sqs, url, "abc")
    await asyncio.sleep(1)  # the server may hand a message to the poll that was dropped; the poller takes none
    assert [tally.polled for tally in poller.tally.values()] == [0]


async def test_a_partial_answer_on_fifo_is_taken_as_lambda_takes_it(new_queue: NewQueue, sqs: Any) -> None:
    """As recorded on AWS (lambda-semantics 4.2). Catches: withholding the deletes of what was not listed."""
    dead = await new_queue(fifo=True)
    url = await new_queue(fifo=True, visibility_timeout=4, dead_letter=dead, max_receive_count=2)
    ids = await send_all(sqs, url, "1234", ["g"] * 4)
    calls: list[list[tuple[str, str]]] = []

    async def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        calls.append([(one["body"], one["attributes"]["ApproximateReceiveCount"]) for one in event["Records"]])
        bad = "234" if len(calls) == 1 else "4"
        listed = [one["messageId"] for one in event["Records"] if one["body"] in bad]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in listed]}

    async with polling(url, handler, function_response_types=REPORT) as poller:
        await until(poller.idle)
    assert calls == [[(n, "1") for n in "1234"], [(n, "2") for n in "234"]]
    assert [message["MessageId"] for message in await drain(sqs, dead)] == ids[3:]


async def test_strict_holds_the_order_of_a_group_that_the_handler_does_not(new_queue: NewQueue, sqs: Any) -> None:
    """Catches: deleting what follows a failed message of its group."""
    url = await new_queue(fifo=True, visibility_timeout=4)
    await send_all(sqs, url, ["a1", "b1", "a2", "b2", "a3"], ["a", "b", "a", "b", "a"])
    tries: Counter[str] = Counter()
    good: list[str] = []

    def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        bad = []
        for record in event["Records"]:
            tries[record["body"]] += 1
            (bad if (record["body"], tries[record["body"]]) == ("a1", 1) else good).append(record)
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in bad]}

    async with polling(url, handler, function_response_types=REPORT, response_mode="strict") as poller:
        await until(poller.idle)
    assert (tries["a1"], tries["a2"], tries["b1"], tries["b2"]) == (2, 2, 1, 1)
    assert [record["body"] for record in good][-3:] == ["a1", "a2", "a3"]


@pytest.mark.parametrize("apart", [False, True])
async def test_groups_may_share_a_batch_unless_told_otherwise(new_queue: NewQueue, sqs: Any, apart: bool) -> None:
    url = await new_queue(fifo=True)
    await send_all(sqs, url, [str(n) for n in range(12)], ["a", "b", "c"] * 4)
    batches: list[list[tuple[str, str]]] = []

    async def handler(event: dict[str, Any], _: Any) -> None:
        batches.append([(one["attributes"]["MessageGroupId"], one["body"]) for one in event["Records"]])

    async with polling(url, handler, one_group_per_batch=apart) as poller:
        await until(poller.idle)
    most = max(len({group for group, _ in batch}) for batch in batches)
    assert most == 1 if apart else most > 1
    for group, first in (("a", 0), ("b", 1), ("c", 2)):
        assert [n for batch in batches for g, n in batch if g == group] == [str(n) for n in range(first, 12, 3)]


async def test_what_a_fifo_queue_cannot_do_is_said() -> None:
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo"
    with pytest.raises(ConfigError) as raised:
        SqsPoller(queue_url=url, handler=print, batch_size=11, maximum_batching_window_in_seconds=1)
    assert [fault.path for fault in raised.value.faults] == ["batch_size", "maximum_batching_window_in_seconds"]
    with pytest.raises(ConfigError, match="only a FIFO queue has message groups"):
        SqsPoller(queue_url=url.removesuffix(".fifo"), handler=print, one_group_per_batch=True)
