"""As whom AWS is called, as the server sees it: keys, a profile, a role that is assumed anew before it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headrace_connectors import SqsPoller, leanclient
from headrace_connectors.aws import AwsError, AwsSettings, aws_client
from support.queues import drain, make_queue, send_all, sqs_client
from support.servers import REGION, Ministack, aws_environment, random_account


@pytest.fixture(autouse=True)
def _environment(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that nobody is to use."""
    for name, value in aws_environment(ministack.url, "999999999999").items():
        monkeypatch.setenv(name, value)


def keys(account: str, **more: str) -> dict[str, Any]:
    return {"credentials": {"access_key_id": account, "secret_access_key": "s", **more}}


async def seen(calls: int = 1, **aws: Any) -> list[str]:
    """The access keys that sign *calls* of one client."""
    keys: list[str] = []
    async with aws_client("sqs", AwsSettings(region=REGION, **aws)) as client:
        inner: Any = client
        for _ in range(calls):
            await client.call("ListQueues")
            frozen = await inner._client._request_signer._credentials.get_frozen_credentials()
            keys.append(frozen.access_key)
    return keys


async def test_explicit_credentials_come_before_those_of_the_environment() -> None:
    account = random_account()
    assert await seen(**keys(account, session_token="t")) == [account]


async def test_a_profile_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: AWS_ACCESS_KEY_ID of whoever started the process."""
    account = random_account()
    file = tmp_path / "credentials"
    file.write_text(f"[shop]\naws_access_key_id = {account}\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert await seen(profile="shop") == [account]
    with pytest.raises(AwsError, match="correct profile"):
        await seen(profile="shup")


async def test_a_role_is_assumed_anew_before_its_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of 15 minutes, the shortest there is, has from its start less left than botocore wants: each call then
    asks for another. One of an hour is used again. Mutation: credentials that are frozen at the start.
    """
    account = random_account()
    who = {**keys(account), "role_arn": f"arn:aws:iam::{account}:role/writer"}
    once = await seen(3, **who)
    assert (len(set(once)), once[0] == account) == (1, False)
    monkeypatch.setattr(leanclient, "SESSION", 900)
    assert len(set(await seen(3, **who))) == 3


async def test_a_program_may_say_who_it_is_and_its_destinations_follow(ministack: Ministack) -> None:
    """Mutation: the environment's credentials, to which both queues are unknown."""
    account, handled = random_account(), list[str]()
    async with sqs_client(ministack.url, account) as sqs:
        url, failed = await make_queue(sqs), await make_queue(sqs)
        await send_all(sqs, url, ["good", "bad"])

        def handler(event: dict[str, Any], context: Any) -> None:
            for record in event["Records"]:
                handled.append(record["body"])
                if record["body"] == "bad":
                    raise ValueError("bad")

        to = {"on_failure": {"destination": {"type": "sqs", "queue_url": failed}}}
        limits: dict[str, Any] = {"batch_size": 1, "maximum_retry_attempts": 0, "destination_config": to}
        poller = SqsPoller(queue_url=url, handler=handler, **keys(account), **limits)
        async with asyncio.timeout(60), poller:
            running = asyncio.ensure_future(poller.run())
            while not await poller.idle():
                await asyncio.sleep(0.05)
            poller.stop()
            await running
        assert sorted(handled) == ["bad", "good"]
        assert len(await drain(sqs, failed)) == 1
