"""What our tests rely on in servers that we did not write; a new version is held to it before it is pinned."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from support.queues import counts, drain, make_queue, send_all, sqs_client
from support.servers import Ministack, random_account


async def receive(sqs, url, number=10, **options):
    answer = await sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=number, MessageSystemAttributeNames=["All"], **options
    )
    return answer.get("Messages", [])


async def test_a_message_comes_back_after_its_visibility_with_a_higher_count(sqs, new_queue) -> None:
    url = await new_queue(visibility_timeout=4)
    await send_all(sqs, url, ["a"])
    began = time.monotonic()
    (first,) = await receive(sqs, url)
    assert await receive(sqs, url) == []
    assert await counts(sqs, url) == (0, 1, 0)
    (again,) = await receive(sqs, url, WaitTimeSeconds=6)
    assert time.monotonic() - began > 3.7
    assert [one["Attributes"]["ApproximateReceiveCount"] for one in (first, again)] == ["1", "2"]
    assert first["MessageId"] == again["MessageId"]


async def test_dead_letters_after_exactly_the_maximum_of_receives(sqs, new_queue) -> None:
    dead = await new_queue()
    url = await new_queue(visibility_timeout=0, dead_letter=dead, max_receive_count=3)
    (message_id,) = await send_all(sqs, url, ["poison"])
    seen = [one["Attributes"]["ApproximateReceiveCount"] for _ in range(5) for one in await receive(sqs, url)]
    assert seen == ["1", "2", "3"]
    (letter,) = await drain(sqs, dead)
    assert letter["MessageId"] == message_id
    assert letter["Attributes"]["ApproximateReceiveCount"] == "4"
    assert await counts(sqs, url) == (0, 0, 0)


async def test_visibility_is_changed_in_batches_with_a_verdict_for_each_entry(sqs, new_queue) -> None:
    url = await new_queue(visibility_timeout=30)
    await send_all(sqs, url, ["a", "b"])
    one, two = await receive(sqs, url)
    answer = await sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "back", "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "keep", "ReceiptHandle": two["ReceiptHandle"], "VisibilityTimeout": 60},
            {"Id": "odd", "ReceiptHandle": "no such receipt", "VisibilityTimeout": 60},
        ],
    )
    assert {entry["Id"] for entry in answer["Successful"]} == {"back", "keep"}
    assert [entry["Id"] for entry in answer["Failed"]] == ["odd"]
    (back,) = await receive(sqs, url)
    assert back["MessageId"] == one["MessageId"]


async def test_an_old_receipt_no_longer_deletes(sqs, new_queue) -> None:
    url = await new_queue(visibility_timeout=0)
    await send_all(sqs, url, ["a"])
    (old,) = await receive(sqs, url)
    (new,) = await receive(sqs, url)
    assert old["ReceiptHandle"] != new["ReceiptHandle"]
    answer = await sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": "old", "ReceiptHandle": old["ReceiptHandle"]}]
    )
    left = sum(await counts(sqs, url))
    assert ("Failed" in answer, left) == (True, 1)


async def test_accounts_do_not_see_each_other(ministack, sqs, new_queue) -> None:
    await new_queue("orders")
    async with sqs_client(ministack.url, random_account()) as stranger:
        with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
            await stranger.get_queue_url(QueueName="orders")


async def test_queues_outlive_an_orderly_stop_when_asked_to(account) -> None:
    with Ministack(persist=True) as server:
        async with sqs_client(server.url, account) as sqs:
            url = await make_queue(sqs, visibility_timeout=600)
            await send_all(sqs, url, ["held", "soon", "waiting"])
            assert len(await receive(sqs, url, 1)) == len(await receive(sqs, url, 1, VisibilityTimeout=3)) == 1
            port = server.port
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            assert server.port == port
            assert sum(await counts(sqs, url)) == 3
            found = {}
            async with asyncio.timeout(60):
                while len(found) < 2:
                    some = await receive(sqs, url, WaitTimeSeconds=10)
                    found |= {(one["Body"], one["Attributes"]["ApproximateReceiveCount"]): one for one in some}
            assert found.keys() == {("waiting", "1"), ("soon", "2")}  # the first is still held
            again = found["soon", "2"]
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])  # receipts live on as well
            assert sum(await counts(sqs, url)) == 2


async def test_without_persistence_a_restart_forgets_the_queues(account) -> None:
    with Ministack() as server:
        async with sqs_client(server.url, account) as sqs:
            url = await make_queue(sqs)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
                await counts(sqs, url)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's list of sockets")
def test_listens_on_loopback_only(ministack) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    loopback = int.from_bytes(bytes([127, 0, 0, 1]), sys.byteorder)
    assert [one for one in listening if one.endswith(f":{ministack.port:04X}")] == [
        f"{loopback:08X}:{ministack.port:04X}"
    ]


async def test_faults_are_injected_by_rule_and_recorded(ministack, microburst, account) -> None:
    async with sqs_client(microburst.url, account, retries={"total_max_attempts": 1}) as sqs:
        url = (await make_queue(sqs)).replace(ministack.url, microburst.url)
        microburst.rules(
            [
                {
                    "service": "sqs",
                    "operation": "SendMessage",
                    "times": 1,
                    "error": {"code": "ThrottlingException", "status": 400},
                }
            ]
        )
        with pytest.raises(ClientError, match="ThrottlingException"):
            await sqs.send_message(QueueUrl=url, MessageBody="refused")
        await sqs.send_message(QueueUrl=url, MessageBody="taken")
        assert [(one["operation"], one["action"]) for one in microburst.fired()] == [
            ("SendMessage", "error:ThrottlingException")
        ]
        microburst.clear()
        assert microburst.fired() == []
        assert [one["Body"] for one in await drain(sqs, url)] == ["taken"]
