"""Replay from and to SQS, on a real server: dead letters of every kind, and what becomes of each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from support.command import project as made
from support.letters import failure, invocation, message
from support.queues import counts, drain, queue_arn, send_all
from support.replaying import Shop, destination

NewQueue = Callable[..., Awaitable[str]]


@pytest.fixture
def shop(tmp_path: Path, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    with made(tmp_path) as project:

        def make(queue: str, failed: str | None = None) -> Shop:
            to = destination(type="sqs", queue_url=failed) if failed else {}
            return Shop(project, {"orders": {"type": "sqs", "queue_url": queue}}, **to)

        yield make


async def test_failure_records_are_handled_again_and_deleted_and_what_fails_stays(
    shop: Any, new_queue: NewQueue, sqs: Any
) -> None:
    """Mutations: deleted before the verdict; what failed again is deleted, or left in flight."""
    url, failed = await new_queue(), await new_queue()
    letters = [failure(message(f"m{n}", "bad" if n == 3 else f"good {n}")) for n in range(23)]
    await send_all(sqs, failed, [json.dumps(one) for one in letters])
    own = shop(url, failed)
    status, said = own.replay()
    assert status == 1, said
    assert "22 replayed, 1 failed again" in said
    assert await counts(sqs, failed) == (1, 0, 0)
    assert sorted(call["event"]["Records"][0]["messageId"] for call in own.handled()) == sorted(
        f"m{n}" for n in range(23)
    )
    status, said = own.replay("orders", "--edit", '.body = "mended"')
    assert (status, await counts(sqs, failed)) == (0, (0, 0, 0)), said


async def test_the_preview_and_what_is_skipped_leave_the_queue_as_it_was(
    shop: Any, new_queue: NewQueue, sqs: Any
) -> None:
    url, failed = await new_queue(), await new_queue()
    await send_all(sqs, failed, [json.dumps(failure(message(f"m{n}", {"n": n}))) for n in range(12)])
    own = shop(url, failed)
    status, said = own.replay("orders", "--dry-run")
    assert (status, await counts(sqs, failed)) == (0, (12, 0, 0)), said
    assert "12 would be replayed" in said
    status, said = own.replay(failed, "--filter", '{"body": {"n": [7]}}')
    assert (status, await counts(sqs, failed)) == (0, (11, 0, 0)), said
    assert [call["event"]["Records"][0]["messageId"] for call in own.handled()] == ["m7"]


async def test_a_redrive_queue_of_the_mapping_by_name_and_by_arn(shop: Any, new_queue: NewQueue, sqs: Any) -> None:
    """A raw message, as the event of the queue that it came from, its id and attributes its own."""
    dead = await new_queue()
    url = await new_queue(visibility_timeout=0, dead_letter=dead, max_receive_count=1)
    attributes = {
        "tenant": {"DataType": "String", "StringValue": "grüße"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    names = await send_all(sqs, url, ["good", "bad"], MessageAttributes=attributes)
    while (await counts(sqs, dead))[0] < 2:
        await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    own = shop(url)
    status, said = own.replay()
    assert status == 1, said
    shown = [call["event"]["Records"][0] for call in own.handled()]
    assert {one["messageId"]: one["body"] for one in shown} == dict(zip(names, ["good", "bad"], strict=True))
    for one in shown:
        assert one["eventSourceARN"] == await queue_arn(sqs, url)
        assert one["messageAttributes"]["tenant"]["stringValue"] == "grüße"
        assert one["messageAttributes"]["raw"]["binaryValue"] == "AP8="
    status, said = own.replay(await queue_arn(sqs, dead), "--to", "source")
    assert (status, await counts(sqs, dead)) == (0, (0, 0, 0)), said
    (back,) = await drain(sqs, url)
    assert (back["Body"], back["MessageAttributes"]["raw"]["BinaryValue"]) == ("bad", b"\x00\xff")


async def test_a_functions_dead_letters_and_records_of_invocations(shop: Any, new_queue: NewQueue, sqs: Any) -> None:
    url, dead = await new_queue(), await new_queue()
    told = {
        "RequestID": {"DataType": "String", "StringValue": "req-1"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }
    await send_all(sqs, dead, ['{"order": 1}'], MessageAttributes=told)
    await send_all(sqs, dead, [json.dumps(invocation({"order": 2}, "req-2"))])
    own = shop(url)
    status, said = own.replay(dead)
    assert (status, await counts(sqs, dead)) == (0, (0, 0, 0)), said
    assert {(call["id"], call["event"]["order"]) for call in own.handled()} == {("req-1", 1), ("req-2", 2)}
    await send_all(sqs, dead, ['{"order": 3}'], MessageAttributes=told)
    status, said = own.replay(dead, "--to", "source")
    assert (status, await counts(sqs, dead)) == (1, (1, 0, 0)), said
    assert "is not invoked asynchronously, so there is no queue" in said


async def test_back_to_a_fifo_queue_in_its_groups(shop: Any, new_queue: NewQueue, sqs: Any) -> None:
    """Mutations: no group; a message that takes another's place as its repeat."""
    url, failed = await new_queue(fifo=True), await new_queue()
    arn = await queue_arn(sqs, url)
    told = {"MessageGroupId": "x", "SentTimestamp": "1764088000000"}
    letters = [failure(message(f"m{n}", f"{n}", arn=arn, attributes=told)) for n in range(3)]
    await send_all(sqs, failed, [json.dumps(one) for one in letters])
    status, said = shop(url, failed).replay("orders", "--to", "source")
    assert status == 0, said
    back = await drain(sqs, url)
    assert sorted(one["Body"] for one in back) == ["0", "1", "2"]
    assert {one["Attributes"]["MessageGroupId"] for one in back} == {"x"}


async def test_a_queue_that_is_not_there(shop: Any, new_queue: NewQueue) -> None:
    own = shop(await new_queue())
    status, said = own.replay("http://127.0.0.1:1/000000000000/missing")
    assert status == 1
    assert "NonExistentQueue" in said or "QueueDoesNotExist" in said, said
