"""`headrace iam --replay` prints what `headrace replay` needs, no more and no less: who guards asks for all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support import guarded as iam
from support.command import project
from support.letters import click, failure, message
from support.policies import allowed, beyond, done, idle
from support.queues import client_of, make_queue, send_all
from support.recorder import Recorder
from support.replaying import Shop, destination
from support.servers import REGION, Ministack, aws_environment
from support.tables import make_table


@pytest.fixture(scope="module")
def guarded() -> Iterator[Ministack]:
    with Ministack(guarded=True) as server:
        yield server


class Desk:
    """An account, a user of it that may do what it is allowed, and the calls that are made as him, and as `writer`."""

    def __init__(self, server: Ministack, account: str, folder: Path, stack: AsyncExitStack) -> None:
        self.account, self._url, self._folder, self._stack = account, server.url, folder, stack

    async def open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._recorder = await self._stack.enter_async_context(Recorder(self._url))
        self._project = self._stack.enter_context(project(self._folder))
        self.writer = await iam.role(self._url, self.account, "writer")
        self._key, secret = await iam.user(self._url, self.account)
        environment = aws_environment(self._recorder.url, self._key) | {"AWS_SECRET_ACCESS_KEY": secret}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    async def client(self, service: str) -> Any:
        return await self._stack.enter_async_context(client_of(service, self._url, self.account))

    def arn(self, service: str, name: str) -> str:
        return f"arn:aws:{service}:{REGION}:{self.account}:{name}"

    def shop(self, sources: dict[str, Any], **more: Any) -> Shop:
        return Shop(self._project, sources, **more)

    async def replay(self, shop: Shop, source: str, *commands: tuple[str, ...]) -> tuple[set[Any], set[Any]]:
        """What these call that is not printed, and what is printed and none of them calls."""
        ran = await asyncio.to_thread(shop.project.run, "iam", "config.yaml", "--json", "--replay", source)
        policies = {"role" if one["role_arn"] else "user": one["policy"] for one in json.loads(ran.stdout)}
        await iam.allow_user(self._url, self.account, iam.as_ministack_reads(policies["user"]))
        if "role" in policies:
            await iam.allow_role(self._url, self.account, iam.as_ministack_reads(policies["role"]), "writer")
        for words in commands:
            status, said = await asyncio.to_thread(shop.replay, source, *words)
            assert status == 0, said
            assert "denied" not in said.lower(), said
        calls = done(self._recorder.take(), self._key, self.account)
        return beyond(calls, allowed(policies)), idle(calls, allowed(policies))


@pytest.fixture
async def desk(
    guarded: Ministack, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        made = Desk(guarded, account, tmp_path, stack)
        await made.open(monkeypatch)
        yield made


async def queues(desk: Desk) -> tuple[Any, str, str]:
    """A client, and the URLs of a queue and of that of its dead letters."""
    sqs = await desk.client("sqs")
    dead = await make_queue(sqs, "dead")
    return sqs, await make_queue(sqs, "orders", dead_letter=dead), dead


async def test_a_queue_of_failure_records(desk: Desk) -> None:
    """One goes back to its queue, one stays. Mutations, tried: a right left out (DeleteMessage); one too many
    (SendMessage on the dead letters' queue); what says where a message came from is not printed.
    """
    sqs, orders, dead = await queues(desk)
    arn = desk.arn("sqs", "orders")
    await send_all(sqs, dead, [json.dumps(failure(message(f"m{number}", "good", arn=arn))) for number in range(2)])
    to = destination(type="sqs", queue_arn=desk.arn("sqs", "dead"))
    shop = desk.shop({"orders": {"type": "sqs", "queue_url": orders}}, **to)
    assert await desk.replay(shop, "orders", ("--max", "1", "--to", "source")) == (set(), set())


async def test_the_queue_of_a_redrive_policy(desk: Desk) -> None:
    """Which only the server knows. Mutation: what asks it which, is left out."""
    sqs, orders, dead = await queues(desk)
    await send_all(sqs, dead, ["good", "good"])
    shop = desk.shop({"orders": {"type": "sqs", "queue_url": orders}})
    assert await desk.replay(shop, "orders", ("--max", "1", "--to", "source")) == (set(), set())


async def test_a_bucket_of_letters_and_a_stretch_of_their_stream(desk: Desk) -> None:
    """One letter has its records, one is in a claim check. Mutations: a right to another prefix; the stream is not read
    again; the claim check by the role of the letters.
    """
    s3, kinesis = await desk.client("s3"), await desk.client("kinesis")
    for name in (letters := f"letters-{desk.account}"), (large := f"large-{desk.account}"):
        await s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    await kinesis.create_stream(StreamName="clicks", ShardCount=1)
    stream, key = desk.arn("kinesis", "stream/clicks"), "p/claims/shop/clicks/1.json"
    whole = failure(click(1, "good", arn=stream), text=True)
    ticket = {"claimCheck": {"type": "s3", "bucket": large, "key": key}}
    elsewhere = {name: value for name, value in whole.items() if name != "payload"} | ticket
    for bucket, name, body in ((large, key, whole), (letters, "a/1", whole), (letters, "a/2", elsewhere)):
        await s3.put_object(Bucket=bucket, Key=name, Body=json.dumps(body).encode())
    to = {
        "destination": {"type": "s3", "bucket": letters, "prefix": "a/", "role_arn": desk.writer},
        "claim_check": {"type": "s3", "bucket": large, "prefix": "p/"},
    }
    shop = desk.shop(
        {"clicks": {"type": "kinesis", "stream": "clicks"}},
        starting_position="TRIM_HORIZON",
        destination_config={"on_failure": to},
    )
    commands = (("--to", "source", "--delete"), ("--range", ".."))
    assert await desk.replay(shop, "clicks", *commands) == (set(), set())
    assert len(shop.handled()[0]["event"]["Records"]) == 2


async def test_a_stretch_of_a_tables_changes(desk: Desk) -> None:
    """Mutation: the table, whose stream must be found first, is left out."""
    table, _ = await make_table(dynamodb := await desk.client("dynamodb"), "items")
    await dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
    shop = desk.shop({"items": {"type": "dynamodb", "table": table}}, starting_position="LATEST")
    assert await desk.replay(shop, "items", ("--range", "..")) == (set(), set())
    assert len(shop.handled()) == 1
