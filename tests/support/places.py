"""Places in AWS that messages are sent to: made on a server, and looked at as those who get the messages do."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from headrace.plugins import DestinationKind
from headrace_connectors.destinations.awslambda import lambda_
from headrace_connectors.destinations.eventbridge import eventbridge
from headrace_connectors.destinations.s3 import s3
from headrace_connectors.destinations.sns import sns
from headrace_connectors.destinations.sqs import sqs
from support.queues import client_of, drain, make_queue, queue_arn
from support.servers import REGION, Ministack

_HANDLER = """
import json
def handler(event, context):
    with open({path!r}, "a") as file:
        file.write(json.dumps(event) + chr(10))
"""

FIFO = "sqs-fifo"
KINDS: dict[str, DestinationKind] = {one.type: one for one in (sqs, sns, eventbridge, lambda_, s3)} | {FIFO: sqs}


@dataclass
class Place:
    """What of a server one account sees. `make` before anything else, and again where the server has forgotten it."""

    word: str
    url: str
    account: str
    folder: Path

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._read = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def kind(self) -> DestinationKind:
        return KINDS[self.word]

    async def client(self, service: str) -> Any:
        if service not in self._clients:
            opened = client_of(service, self.url, self.account)
            self._clients[service] = await self._stack.enter_async_context(opened)
        return self._clients[service]

    async def make(self) -> None:
        made: dict[str, Callable[[], Awaitable[None]]] = {
            "sqs": self._make_queue,
            FIFO: self._make_queue,
            "sns": self._make_topic,
            "eventbridge": self._make_bus,
            "lambda": self._make_function,
            "s3": self._make_bucket,
        }
        await made[self.word]()

    @property
    def arn(self) -> str:
        """The text that means it."""
        within = f"{REGION}:{self.account}"
        return {
            "sqs": f"arn:aws:sqs:{within}:failed",
            FIFO: f"arn:aws:sqs:{within}:failed.fifo",
            "sns": f"arn:aws:sns:{within}:failed",
            "eventbridge": f"arn:aws:events:{within}:event-bus/failed",
            "lambda": f"arn:aws:lambda:{within}:function:failed",
            "s3": f"arn:aws:s3:::failed-{self.account}",
        }[self.word]

    @property
    def options(self) -> Any:
        return self.kind.options(**(self.kind.text(self.arn) or {}))

    async def arrived(self, count: int = 0, seconds: float = 30) -> list[Any]:
        """The records that are there; at least *count*, where they take a while."""
        found: list[Any] = []
        async with asyncio.timeout(seconds):
            while True:
                found += await self._look()
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.1)

    async def _look(self) -> list[Any]:
        if self.word == "s3":
            return await self._objects()
        if self.word == "lambda":
            lines = self._events.read_text().splitlines(keepends=True) if self._events.exists() else []
            new = [line for line in lines[self._read :] if line.endswith("\n")]  # the last may be half written
            self._read += len(new)
            return [json.loads(line) for line in new]
        client = await self.client("sqs")
        bodies = [json.loads(one["Body"]) for one in await drain(client, self._queue)]
        inner = {"sns": lambda one: json.loads(one["Message"]), "eventbridge": lambda one: one["detail"]}
        return [inner.get(self.word, lambda one: one)(one) for one in bodies]

    async def _objects(self) -> list[Any]:
        client = await self.client("s3")
        bucket, found = f"failed-{self.account}", []
        for one in (await client.list_objects_v2(Bucket=bucket)).get("Contents", []):
            answer = await client.get_object(Bucket=bucket, Key=one["Key"])
            found.append(json.loads(await answer["Body"].read()))
            await client.delete_object(Bucket=bucket, Key=one["Key"])
        return found

    @property
    def _events(self) -> Path:
        return self.folder / "events"

    async def _make_queue(self) -> None:
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [anybody]})}
        fed = policy if self.kind is not sqs else {}  # by a topic or a bus, which needs to be allowed to
        self._queue = await make_queue(await self.client("sqs"), "failed", fifo=self.word == FIFO, **fed)

    async def _make_topic(self) -> None:
        await self._make_queue()
        client = await self.client("sns")
        topic = (await client.create_topic(Name="failed"))["TopicArn"]
        await client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=await self._queue_arn())

    async def _make_bus(self) -> None:
        await self._make_queue()
        client = await self.client("events")
        await client.create_event_bus(Name="failed")
        await client.put_rule(Name="all", EventBusName="failed", EventPattern=json.dumps({"source": ["lambda"]}))
        targets = [{"Id": "1", "Arn": await self._queue_arn()}]
        await client.put_targets(Rule="all", EventBusName="failed", Targets=targets)

    async def _make_function(self) -> None:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        await (await self.client("iam")).create_role(RoleName="lambda", AssumeRolePolicyDocument=document)
        client, packed = await self.client("lambda"), io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("f.py", _HANDLER.format(path=str(self._events)))
        await client.create_function(
            FunctionName="failed",
            Runtime="python3.11",
            Role=f"arn:aws:iam::{self.account}:role/lambda",
            Handler="f.handler",
            Code={"ZipFile": packed.getvalue()},
        )

    async def _make_bucket(self) -> None:
        client = await self.client("s3")
        where = {"LocationConstraint": REGION}
        await client.create_bucket(Bucket=f"failed-{self.account}", CreateBucketConfiguration=where)

    async def _queue_arn(self) -> str:
        return await queue_arn(await self.client("sqs"), self._queue)


class Down:
    """A place on a server of its own, which is down; `up` starts it."""

    def __init__(self, server: Ministack, place: Place) -> None:
        self.server, self.place = server, place

    async def up(self) -> None:
        await asyncio.to_thread(self.server.start)
        await self.place.make()


@asynccontextmanager
async def down(word: str, account: str, folder: Path) -> AsyncIterator[Down]:
    """A place of the kind *word*, whose server was there before and is gone."""
    server = await asyncio.to_thread(Ministack().start)
    await asyncio.to_thread(server.stop)
    try:
        async with Place(word, server.url, account, folder) as place:
            yield Down(server, place)
    finally:
        await asyncio.to_thread(server.__exit__)
