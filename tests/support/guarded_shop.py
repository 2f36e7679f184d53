"""An account with one of everything that a config may name, and a service on it that may do what it is allowed."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import guarded as iam
from support.command import Project
from support.places import Place
from support.queues import client_of, make_queue, send_all
from support.servers import REGION, aws_environment
from support.tables import make_table

HANDLERS = """
def handler(event, context):
    failed = [one["messageId"] for one in event["Records"] if one.get("body") == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
"""
REPORTS = {"function_response_types": ["ReportBatchItemFailures"]}


class World:
    """An account with everything in it that the config names, and records that wait."""

    def __init__(self, url: str, account: str, folder: Path) -> None:
        self.url, self.account, self.folder = url, account, folder
        self.prefix = f"{REGION}:{account}"

    async def send(self) -> None:
        """Messages for both queues, one of which fails."""
        bodies = ["good", "bad"]
        async with client_of("sqs", self.url, self.account) as sqs:
            for name, groups in ("orders", None), ("groups.fifo", [secrets.token_hex(4) for _ in bodies]):
                await send_all(sqs, (await sqs.get_queue_url(QueueName=name))["QueueUrl"], bodies, groups)

    async def make(self, stack: AsyncExitStack) -> dict[str, Any]:
        """The mappings, and the named destinations."""
        sqs = await stack.enter_async_context(client_of("sqs", self.url, self.account))
        kinesis = await stack.enter_async_context(client_of("kinesis", self.url, self.account))
        dynamodb = await stack.enter_async_context(client_of("dynamodb", self.url, self.account))
        orders = await make_queue(sqs, "orders", dead_letter=await make_queue(sqs, "letters"), max_receive_count=9)
        groups = await make_queue(sqs, "groups.fifo", fifo=True)
        given_up = await make_queue(sqs, "given-up")
        await make_queue(sqs, "done.fifo", fifo=True)
        for name in ("clicks", "pushed"):
            await kinesis.create_stream(StreamName=name, ShardCount=1)
            await kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="k")
        stream = f"arn:aws:kinesis:{self.prefix}:stream/pushed"
        consumers = [
            (await kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=name))["Consumer"]["ConsumerARN"]
            for name in ("one", "two")
        ]
        table, changes = await make_table(dynamodb, "items")
        await dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
        for word in ("sns", "eventbridge", "lambda", "s3"):
            place = await stack.enter_async_context(Place(word, self.url, self.account, self.folder))
            await place.make()
        writer = await iam.role(self.url, self.account, "writer")
        bucket = {"type": "s3", "bucket": f"failed-{self.account}", "prefix": "a/", "role_arn": writer}
        start = {"starting_position": "TRIM_HORIZON"}
        return {
            "destinations": {"audit": bucket},
            "mappings": {
                "orders": {
                    "source": {"type": "sqs", "queue_url": orders},
                    "maximum_retry_attempts": 1,
                    "retry_backoff": {"initial": 1},
                    **on("failure", {"type": "sqs", "queue_url": given_up}),
                },
                "groups": {
                    "source": {"type": "sqs", "queue_url": groups},
                    "maximum_retry_attempts": 1,
                    "retry_backoff": {"initial": 1},
                    **on("failure", f"arn:aws:sqs:{self.prefix}:done.fifo"),
                },
                "clicks": {
                    "source": {"type": "kinesis", "stream": "clicks"},
                    **start,
                    **on("success", f"arn:aws:sns:{self.prefix}:failed"),
                },
                "named": {
                    "source": {"type": "kinesis", "stream": "pushed", "consumer": "one"},
                    **start,
                    **on("success", f"arn:aws:events:{self.prefix}:event-bus/failed"),
                },
                "pushed": {
                    "source": {"type": "kinesis", "stream": stream, "consumer": consumers[1]},
                    **start,
                    **on("success", "audit"),
                },
                "items": {
                    "source": {"type": "dynamodb", "table": table},
                    **start,
                    **on("success", f"arn:aws:lambda:{self.prefix}:function:failed"),
                },
                "changes": {
                    "source": {"type": "dynamodb", "stream_arn": changes},
                    **start,
                    **on("success", {"type": "eventbridge", "event_bus_name": "default"}),
                },
            },
        }


def on(end: str, destination: Any) -> dict[str, Any]:
    return {"destination_config": {f"on_{end}": {"destination": destination}}}


class Shop:
    """The config in a folder, run as a user and a role that may do what they are allowed."""

    def __init__(self, made: Project, world: World, config: dict[str, Any], key: tuple[str, str]) -> None:
        self.made, self.world, self.config = made, world, config
        (made.folder / "handlers.py").write_text(HANDLERS)
        self.key = key
        self.write("shop")

    def write(self, service: str) -> None:
        """With another name it has another store, and begins anew."""
        mappings = {name: {"function": "f", **REPORTS, **one} for name, one in self.config["mappings"].items()}
        written = {
            "service": {"name": service, "listen": "127.0.0.1:0", "log": {"level": "info", "format": "json"}},
            "functions": {"f": {"handler": "handlers.handler", "path": "."}},
            "destinations": self.config["destinations"],
            "mappings": mappings,
        }
        self.made.config.write_text(yaml.safe_dump(written))

    def aim(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = aws_environment(url, self.key[0]) | {"AWS_SECRET_ACCESS_KEY": self.key[1]}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def printed(self) -> dict[str, dict[str, Any]]:
        """The policies, by `user` and `role`."""
        done = self.made.run("iam", "config.yaml", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return {"role" if one["role_arn"] else "user": one["policy"] for one in json.loads(done.stdout)}

    async def allow(self, policies: dict[str, dict[str, Any]]) -> None:
        url, account = self.world.url, self.world.account
        await iam.allow_user(url, account, iam.as_ministack_reads(policies["user"]))
        await iam.allow_role(url, account, iam.as_ministack_reads(policies["role"]), "writer")

    async def run(self, *words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(self.made.run, *words)
        return done.returncode, done.stdout + done.stderr
