"""`headrace iam` prints what is needed, no more and no less: against what every call was, and against who guards."""

from __future__ import annotations

import asyncio
import fnmatch
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support import guarded as iam
from support.command import PATIENCE, Running, project
from support.guarded_shop import Shop, World
from support.policies import allowed, beyond, done, idle
from support.recorder import Recorder
from support.servers import Ministack


@pytest.fixture(scope="module")
def guarded() -> Iterator[Ministack]:
    with Ministack(guarded=True) as server:
        yield server


@pytest.fixture
async def shop(guarded: Ministack, account: str, tmp_path: Path) -> AsyncIterator[Shop]:
    world = World(guarded.url, account, tmp_path)
    async with AsyncExitStack() as stack:
        config = await world.make(stack)
        with project(tmp_path) as made:
            yield Shop(made, world, config, await iam.user(guarded.url, account))


async def test_what_is_printed_is_what_is_called(
    shop: Shop, guarded: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed exactly what is printed, all of it runs, and no call is one that the policy does not name, nor does it
    name one that is not made. Mutations: a right left out; one too many; a resource too wide or too narrow.
    """
    async with Recorder(guarded.url) as recorder:
        shop.aim(recorder.url, monkeypatch)
        policies = shop.printed()
        await shop.allow(policies)
        await shop.world.send()
        status, said = await shop.run("run", "config.yaml", "--exit-when-idle", "3")
        assert status == 0, said
        assert "denied" not in said.lower(), said
        ran = done(recorder.take(), shop.key[0], shop.world.account)
        await shop.run("status", "config.yaml")
        assert recorder.take() == []
        status, said = await shop.run("check", "config.yaml", "--connect")
        assert status == 0, said
        checked = done(recorder.take(), shop.key[0], shop.world.account)
    assert beyond(ran, allowed(policies, "Run", "Look")) == set()
    assert idle(ran, allowed(policies, "Run", "Look")) == set()
    assert beyond(checked, allowed(policies, "Run", "Look", "Check")) == set()
    assert idle(checked, allowed(policies, "Check")) == set()


ROUNDS = (
    {"sqs:ReceiveMessage", "kinesis:DescribeStreamSummary", "dynamodb:DescribeStream"},
    {"sqs:GetQueueAttributes", "kinesis:ListShards", "dynamodb:GetShardIterator"},
    {"sqs:DeleteMessage", "kinesis:GetShardIterator", "kinesis:SubscribeToShard", "dynamodb:GetRecords"},
    {
        "sqs:ChangeMessageVisibility",
        "kinesis:GetRecords",
        "kinesis:DescribeStreamConsumer",
        "s3:PutObject",
        "dynamodb:DescribeTable",
    },
    {
        "sqs:SendMessage",
        "sqs:GetQueueUrl",
        "sns:Publish",
        "events:PutEvents",
        "sts:AssumeRole",
        "lambda:InvokeFunction",
    },
)
"""Every action that is needed to run, each with others that other mappings need: so that few runs are enough."""


def without(policies: dict[str, dict[str, Any]], actions: set[str]) -> dict[str, dict[str, Any]]:
    """What is needed to run, and no more than that, but for *actions*."""
    return {
        who: {
            **policy,
            "Statement": [
                {**one, "Action": left}
                for one in policy["Statement"]
                if one["Sid"].startswith("Run") and (left := [word for word in one["Action"] if word not in actions])
            ],
        }
        for who, policy in policies.items()
    }


async def reasons(shop: Shop, running: Running, actions: set[str]) -> dict[str, str]:
    """What /readyz says of each mapping, when it has named every one of *actions*.

    Messages are sent until then: a poll of the process before, which was killed, may take some with it.
    """
    said: dict[str, str] = {}
    deadline, due = time.monotonic() + PATIENCE, 0.0
    while unnamed := [one for one in actions if not re.search(rf"allow {one}\b", " ".join(said.values()))]:
        assert time.monotonic() < deadline, f"{unnamed} not in {said}"
        if time.monotonic() >= due:
            await shop.world.send()
            due = time.monotonic() + 3
        _, answer = await asyncio.to_thread(running.get, "/readyz")
        said = {name: one["reason"] for name, one in answer.get("mappings", {}).items()}
        await asyncio.sleep(0.2)
    return said


async def test_each_right_to_run_is_named_where_it_is_missing(
    shop: Shop, guarded: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /readyz, with what it is on; the others, and no more than those, are enough for all else. Mutations: a denied
    delete that only the log tells of; a right that is needed to run, and printed as one to look with.
    """
    shop.aim(guarded.url, monkeypatch)
    policies = shop.printed()
    needed = allowed(policies, "Run")
    assert {action for _, action, _ in needed} == set().union(*ROUNDS)
    for number, actions in enumerate(ROUNDS):
        await shop.allow(without(policies, actions))
        shop.write(f"shop{number}")
        running = shop.made.start("run", "config.yaml")
        try:
            said = await reasons(shop, running, actions)
        finally:
            running.process.kill()
        found = {one for text in said.values() for one in re.findall(r"; allow (\S+)(?: on (\S+))?", text)}
        assert {action for action, _ in found} == actions
        for action, on_this in found:
            on_these = {resource for _, one, resource in needed if one == action}
            assert not on_this or any(meets(on_this, resource) for resource in on_these), (on_this, on_these)


def meets(said: str, printed: str) -> bool:
    """A denial knows the account, and a bucket whole; the config knows the prefix of its keys."""
    return fnmatch.fnmatchcase(said, printed) or fnmatch.fnmatchcase(printed, said)
