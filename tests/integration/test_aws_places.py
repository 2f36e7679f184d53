"""Every kind of destination in AWS, on a real server: what arrives, what passes, and whose credentials they are.

What else can befall it is in test_destination_table.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import CONFIRMED, SUCCESS, Destination, Message, Said
from headrace_connectors.aws import AwsSettings
from support import guarded as iam
from support.messages import message, opening
from support.places import FIFO, KINDS, Place
from support.servers import Microburst, Ministack, aws_environment

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST"
pytestmark = pytest.mark.parametrize("word", [one for one in KINDS if one != FIFO])


@pytest.fixture(autouse=True)
def _environment(account: str, soon_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment("http://127.0.0.1:1", account).items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def opened(place: Place, **aws: Any) -> AsyncIterator[Destination]:
    settings = AwsSettings(**{"endpoint_url": place.url, **aws})
    destination = place.kind.open(opening(sections={"aws": settings}), place.options)
    try:
        yield destination
    finally:
        await destination.close()


def messages(*numbers: int) -> list[Message]:
    return [
        message(f"m{n}", json.dumps({"n": n, "ü": "\x00"}).encode(), function_arn=FUNCTION, condition=SUCCESS)
        for n in numbers
    ]


def numbers(found: list[Any]) -> list[int]:
    return sorted(one["n"] for one in found)


async def test_all_arrive_whole(word: str, ministack: Ministack, account: str, tmp_path: Path) -> None:
    """More than a call takes, by the ARN alone. Mutations: one less; a body that is not the record."""
    async with Place(word, ministack.url, account, tmp_path) as place, opened(place) as destination:
        await place.make()
        assert await destination.send(messages(*range(12))) == [CONFIRMED] * 12
        found = await place.arrived(12)
    assert numbers(found) == list(range(12))
    assert found[0]["ü"] == "\x00"
    probed = await place.kind.probe(opening(sections={"aws": AwsSettings(endpoint_url=place.url)}), place.options)
    assert [*probed.faults] == []


@pytest.mark.parametrize(
    "rule",
    [{"error": {"code": "ServiceUnavailable", "status": 503}}, {"reset": True}],
    ids=["unavailable", "reset"],
)
async def test_faults_of_the_server_pass(
    *, word: str, ministack: Ministack, microburst: Microburst, account: str, tmp_path: Path, rule: dict[str, Any]
) -> None:
    """Mutations: taken for a yes; REFUSED, which drops the payload of a log's record."""
    service = "events" if word == "eventbridge" else word
    async with Place(word, ministack.url, account, tmp_path) as place:
        await place.make()
        async with opened(place, endpoint_url=microburst.url) as destination:
            microburst.rules([{"service": service, "probability": 1.0, **rule}])
            (reply,) = await destination.send(messages(1))
            assert reply.said is Said.FAILED
            microburst.clear()
            assert await destination.send(messages(1)) == [CONFIRMED]
        assert numbers(await place.arrived(1)) == [1]


def allowing(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}


async def user(server: Ministack, account: str) -> tuple[dict[str, Any], Any]:
    """A new user's credentials, without any right, and what allows him an action."""
    key, secret = await iam.user(server.url, account)

    async def allow(*actions: str) -> None:
        await iam.allow_user(server.url, account, iam.as_ministack_reads(allowing(*actions)))

    return {"credentials": {"access_key_id": key, "secret_access_key": secret}}, allow


async def test_a_role_that_may_not_be_assumed_is_named(
    word: str, guarded: Ministack, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutation: the right of the call that was not even tried."""
    who, allow = await user(guarded, account)
    monkeypatch.setenv("AWS_ENDPOINT_URL", guarded.url)
    async with Place(word, guarded.url, account, tmp_path) as place:
        await place.make()
        role = await iam.role(guarded.url, account, "writer")
        await iam.allow_role(guarded.url, account, allowing("*"), "writer")
        async with opened(place, **who, role_arn=role) as destination:
            (reply,) = await destination.send(messages(1))
            assert reply.reason.endswith(f"; allow sts:AssumeRole on {role}")
            await allow("sts:AssumeRole")
            assert await destination.send(messages(1)) == [CONFIRMED]
