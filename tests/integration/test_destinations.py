"""What a mapping gives up, on a real server: whole at its destination, and gone from the queue."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.cli.probing import ask
from headrace.config import load
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog
from headrace_connectors.sqs.source import sqs as sqs_source
from support.queues import counts, drain, queue_arn, send_all

NewQueue = Callable[..., Awaitable[str]]
AT_ONCE = {"initial": 0, "maximum": 0}
REPORT = ["ReportBatchItemFailures"]


pytestmark = pytest.mark.usefixtures("in_aws")


@asynccontextmanager
async def polling(url: str, handler: Any, destination: object, **arguments: Any) -> Any:
    settings = {"maximum_retry_attempts": 2, "retry_backoff": AT_ONCE, **arguments}
    to = {"on_failure": {"destination": destination}}
    async with SqsPoller(queue_url=url, handler=handler, destination_config=to, **settings) as poller:
        running = asyncio.ensure_future(poller.run())
        yield poller
        poller.stop()
        await running
        (tally,) = poller.tally.values()
        assert (tally.balance, tally.in_flight, tally.dropped) == (0, 0, 0)


async def until(true: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not (await found if asyncio.iscoroutine(found := true()) else found):
            await asyncio.sleep(0.1)


def failing(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fails the messages whose body says bad."""
    bad = [record["messageId"] for record in event["Records"] if "bad" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in bad]}


async def test_a_message_fails_three_times_and_lands_whole_in_the_other_queue(new_queue: NewQueue, sqs: Any) -> None:
    """Body, attributes, message attributes, id. Mutations: one try less or more; a record without one of them."""
    url, failed = await new_queue(visibility_timeout=600), await new_queue()
    attributes = {
        "tenant": {"DataType": "String", "StringValue": "grüße"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "count": {"DataType": "Number", "StringValue": "7"},
    }
    body = 'bad "ü" \t\n'
    (name,) = await send_all(sqs, url, [body], MessageAttributes=attributes)
    seen: list[tuple[dict[str, Any], str]] = []

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        seen.extend((record, context.aws_request_id) for record in event["Records"])
        return failing(event, context)

    async with polling(
        url, handler, {"type": "sqs", "queue_url": failed}, function_response_types=REPORT, name="orders"
    ) as poller:
        await until(poller.idle)
    assert len(seen) == 3
    (message,) = await drain(sqs, failed)
    record = json.loads(message["Body"])
    last, request_id = seen[-1]
    assert record["payload"] == {"Records": [last]}
    assert base64.b64decode(last["messageAttributes"]["raw"]["binaryValue"]) == b"\x00\xff"
    assert (last["body"], last["messageId"]) == (body, name)
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:orders",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    }
    info = record["SQSMessageInfo"]
    assert (info["messageId"], info["approximateReceiveCount"], info["queueArn"]) == (
        name,
        3,
        await queue_arn(sqs, url),
    )
    assert await counts(sqs, url) == (0, 0, 0)
    (tally,) = poller.tally.values()
    assert (tally.polled, tally.returned, tally.delivered, tally.deleted) == (3, 2, 1, 1)


async def test_only_the_poison_goes_and_an_arn_names_the_queue(new_queue: NewQueue, sqs: Any) -> None:
    url, failed = await new_queue(visibility_timeout=600), await new_queue()
    await send_all(sqs, url, [f"{number} {'bad' if number % 5 == 0 else 'good'}" for number in range(60)])
    arguments = {"function_response_types": REPORT, "batch_size": 7, "maximum_retry_attempts": 0}
    async with polling(url, failing, await queue_arn(sqs, failed), **arguments) as poller:
        await until(poller.idle)
    bodies = [json.loads(message["Body"])["payload"]["Records"][0]["body"] for message in await drain(sqs, failed)]
    assert sorted(bodies) == sorted(f"{number} bad" for number in range(0, 60, 5))
    (tally,) = poller.tally.values()
    assert (tally.delivered, tally.succeeded, tally.returned) == (12, 48, 0)


async def test_a_fifo_queue_keeps_the_group(new_queue: NewQueue, sqs: Any) -> None:
    url, failed = await new_queue(visibility_timeout=600, fifo=True), await new_queue(fifo=True)
    for number, group in enumerate("xyx"):
        await sqs.send_message(
            QueueUrl=url, MessageBody=f"bad {number}", MessageGroupId=group, MessageDeduplicationId=str(number)
        )
    arguments = {"function_response_types": REPORT, "maximum_retry_attempts": 0, "response_mode": "strict"}
    async with polling(url, failing, {"type": "sqs", "queue_url": failed}, **arguments) as poller:
        await until(poller.idle)
    messages = await drain(sqs, failed)
    found = [(json.loads(one["Body"])["payload"]["Records"][0]["body"], one["Attributes"]) for one in messages]
    assert {body: attributes["MessageGroupId"] for body, attributes in found} == {
        "bad 0": "x",
        "bad 1": "y",
        "bad 2": "x",
    }
    assert [body for body, attributes in found if attributes["MessageGroupId"] == "x"] == ["bad 0", "bad 2"]


async def test_to_a_file(new_queue: NewQueue, sqs: Any, tmp_path: Path) -> None:
    url, path = await new_queue(visibility_timeout=600), tmp_path / "failed.jsonl"
    names = await send_all(sqs, url, ["bad"] * 25)
    arguments = {"function_response_types": REPORT, "maximum_retry_attempts": 0}
    async with polling(url, failing, {"type": "file", "path": str(path)}, **arguments) as poller:
        await until(poller.idle)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(record["payload"]["Records"][0]["messageId"] for record in records) == sorted(names)


async def test_a_destination_that_is_missing_holds_and_goes_on_when_it_is_made(new_queue: NewQueue, sqs: Any) -> None:
    """The visibility is four seconds: what is held is renewed. Mutations: no start without it; dropped; two copies."""
    url, failed = await new_queue(visibility_timeout=4), await new_queue()
    missing = f"{failed}-later"
    await send_all(sqs, url, [f"bad {number}" for number in range(5)])
    tries: list[str] = []

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        tries.extend(record["body"] for record in event["Records"])
        return failing(event, context)

    arguments = {"function_response_types": REPORT, "maximum_retry_attempts": 0}
    async with polling(url, handler, {"type": "sqs", "queue_url": missing}, **arguments) as poller:
        await until(lambda: "NonExistentQueue" in poller.condition.reason)
        assert poller.condition.state == "holding"
        assert missing.rpartition("/")[2] in poller.condition.reason
        await asyncio.sleep(9)
        (tally,) = poller.tally.values()
        await until(lambda: tally.delivery_errors >= 10)
        assert (tally.in_flight, tally.deleted, tally.delivered, tally.balance) == (5, 0, 0, 0)
        assert await counts(sqs, url) == (0, 5, 0)
        await new_queue(name=missing.rpartition("/")[2])
        await until(poller.idle)
        assert poller.condition.ready
    assert sorted(tries) == [f"bad {number}" for number in range(5)]
    assert len(await drain(sqs, missing)) == 5


async def test_a_stop_while_the_destination_is_missing_gives_back(new_queue: NewQueue, sqs: Any) -> None:
    url, failed = await new_queue(visibility_timeout=600), await new_queue()
    await send_all(sqs, url, ["bad"] * 3)
    arguments = {"function_response_types": REPORT, "maximum_retry_attempts": 0}
    async with polling(url, failing, {"type": "sqs", "queue_url": f"{failed}-never"}, **arguments) as poller:
        await until(lambda: poller.condition.state == "holding")
    assert poller.report.clean
    assert await counts(sqs, url) == (3, 0, 0)


async def test_a_queue_with_a_smaller_limit_refuses_its_entry(new_queue: NewQueue, sqs: Any) -> None:
    url, failed = await new_queue(), await new_queue(MaximumMessageSize="2048")
    await send_all(sqs, url, ["bad" * 1000, "bad"])
    arguments = {"function_response_types": REPORT, "maximum_retry_attempts": 0, "retry_backoff": None}
    async with polling(url, failing, {"type": "sqs", "queue_url": failed}, **arguments) as poller:
        await until(lambda: poller.condition.state == "refused")
        (tally,) = poller.tally.values()
        await until(lambda: tally.delivered == 1)
    assert len(await drain(sqs, failed)) == 1


async def test_check_connect_asks_the_destinations_server_too(new_queue: NewQueue, sqs: Any, tmp_path: Path) -> None:
    """Mutation: only the source is asked, and a missing destination is found when the first message fails."""
    url, failed = await new_queue(), await new_queue()
    arn = await queue_arn(sqs, failed)
    mappings = {
        name: {
            "source": {"type": "sqs", "queue_url": url},
            "function": "f",
            "maximum_retry_attempts": 5,
            "destination_config": {"on_failure": {"destination": destination}},
        }
        for name, destination in {
            "found": arn,
            "missing": f"{arn}-none",
            "url": {"type": "sqs", "queue_url": f"{url}x"},
        }.items()
    }
    path = tmp_path / "c.json"
    text = {"service": {"name": "s"}, "functions": {"f": {"handler": "a.b"}}, "mappings": mappings}
    path.write_text(json.dumps(text))
    asked = await asyncio.to_thread(lambda: ask(load([path], catalog), list(mappings), 30))
    root = "destination_config.on_failure.destination"
    assert asked["found"].probe.values[f"{root}.queue_url"] == failed
    assert [*asked["found"].probe.faults] == []
    (fault,) = asked["missing"].probe.faults
    assert (fault.path, "NonExistentQueue" in fault.message) == (root, True)
    assert [fault.path for fault in asked["url"].probe.faults] == [f"{root}.queue_url"]


async def test_a_redrive_policy_that_takes_the_message_first_is_warned_of(new_queue: NewQueue, sqs: Any) -> None:
    url = await new_queue(dead_letter=await new_queue(), max_receive_count=2)
    for limit, warned in ((1, False), (2, True)):
        opening = SqsPoller(queue_url=url, handler=print, maximum_retry_attempts=limit)._mapping._opening
        probe = await sqs_source.probe(opening)
        assert any(fault.path == "maximum_retry_attempts" for fault in probe.warnings) is warned
