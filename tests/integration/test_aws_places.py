"""Every kind of destination in AWS, on a real server: down, slow, too large, denied, and whose credentials they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import CONFIRMED, SUCCESS, Destination, Message, Reply, Said
from headrace_connectors.aws import AwsSettings
from headrace_connectors.destinations import singly, tens
from support import guarded as iam
from support.messages import message, opening
from support.places import KINDS, Place
from support.servers import Microburst, Ministack, aws_environment

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST"
WRITES = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "eventbridge": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
    "s3": "s3:PutObject",
}

pytestmark = pytest.mark.parametrize("word", list(KINDS))


@pytest.fixture(autouse=True)
def _environment(account: str, soon_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment("http://127.0.0.1:1", account).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def own() -> AsyncIterator[Ministack]:
    """A server of the test's own, to be stopped."""
    server = await asyncio.to_thread(Ministack().start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__)


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


async def test_down_at_the_start_and_in_the_middle(word: str, own: Ministack, account: str, tmp_path: Path) -> None:
    """Nothing is lost, and the client is good again. Mutations: CONFIRMED unasked; a connection that stays broken."""
    await asyncio.to_thread(own.stop)
    async with Place(word, own.url, account, tmp_path) as place, opened(place) as destination:
        replies = await destination.send(messages(1, 2))
        assert [one.said for one in replies] == [Said.FAILED] * 2
        assert "is the server up" in replies[0].reason
        await asyncio.to_thread(own.start)
        await place.make()
        assert await destination.send(messages(1, 2)) == [CONFIRMED] * 2
        assert numbers(await place.arrived(2)) == [1, 2]
        await asyncio.to_thread(own.stop)
        assert [one.said for one in await destination.send(messages(3))] == [Said.FAILED]
        await asyncio.to_thread(own.start)
        await place.make()  # its memory went with it
        assert await destination.send(messages(3)) == [CONFIRMED]
        assert numbers(await place.arrived(1)) == [3]


async def test_one_that_does_not_answer_in_time(
    word: str, own: Ministack, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutation: a call without a bound, for which a stop would wait."""
    async with Place(word, own.url, account, tmp_path) as place, opened(place) as destination:
        await place.make()
        assert await destination.send(messages(1)) == [CONFIRMED]
        for file in (singly, tens):
            monkeypatch.setattr(file, "PATIENCE", 1)
        own.pause()
        try:
            (reply,) = await destination.send(messages(2))
        finally:
            own.resume()
        assert reply == Reply(Said.FAILED, "no answer within 1 s")
        for file in (singly, tens):
            monkeypatch.setattr(file, "PATIENCE", 10)
        assert await destination.send(messages(2)) == [CONFIRMED]
        assert set(numbers(await place.arrived(2))) == {1, 2}


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


@pytest.fixture(scope="module")
def guarded() -> Iterator[Ministack]:
    """A server that asks IAM about every call."""
    with Ministack(guarded=True) as server:
        yield server


def allowing(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}


async def user(server: Ministack, account: str) -> tuple[dict[str, Any], Any]:
    """A new user's credentials, without any right, and what allows him an action."""
    key, secret = await iam.user(server.url, account)

    async def allow(*actions: str) -> None:
        await iam.allow_user(server.url, account, iam.as_ministack_reads(allowing(*actions)))

    return {"credentials": {"access_key_id": key, "secret_access_key": secret}}, allow


async def test_a_denial_names_the_right_that_is_missing(
    word: str, guarded: Ministack, account: str, tmp_path: Path
) -> None:
    """On what, too; and with that right it goes. Mutations: the operation for the action; REFUSED, which drops the
    payload of a log's record for a right that comes tomorrow.
    """
    who, allow = await user(guarded, account)
    async with Place(word, guarded.url, account, tmp_path) as place, opened(place, **who) as destination:
        await place.make()
        reads = ("sqs:GetQueueUrl", "events:DescribeEventBus")
        await allow(*reads)
        (reply,) = await destination.send(messages(1))
        assert reply.said is Said.FAILED
        where = f"{place.arn}/*" if word == "s3" else place.arn
        assert reply.reason.endswith(f"; allow {WRITES[word]} on {where}")
        assert who["credentials"]["secret_access_key"] not in reply.reason
        await allow(*reads, WRITES[word])
        assert await destination.send(messages(1)) == [CONFIRMED]
        assert numbers(await place.arrived(1)) == [1]


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
