"""As whom handlers call AWS, as the server sees it, while headrace itself stays who it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support import guarded as iam
from support.command import Project, project
from support.queues import client_of, counts, make_queue, send_all
from support.servers import REGION, Ministack, aws_environment

HANDLERS = """
import os
import botocore.session

def seen(session):
    return session.create_client("sts").get_caller_identity()["Arn"]

def who(event, context):
    return seen(botocore.session.get_session())

def note(event, context):
    with open("seen.txt", "a") as file:
        file.write(who(event, context) + chr(10))

def note_name(event, context):
    with open("seen.txt", "a") as file:
        file.write(os.environ["AWS_LAMBDA_FUNCTION_NAME"] + " " + who(event, context) + chr(10))

def hold(event, context):
    with open("seen.txt", "a") as file:
        file.write(os.environ["AWS_ACCESS_KEY_ID"] + chr(10))

def often(event, context):
    with open(os.environ["AWS_CONFIG_FILE"], "a") as file:
        file.write("duration_seconds = 900")
    session = botocore.session.get_session()
    return [session.get_credentials().get_frozen_credentials().access_key for _ in range(3)]
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Ministack]:
    with Ministack(guarded=True) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path) as made:
        (tmp_path / "calling.py").write_text(HANDLERS)
        yield made


class Key(NamedTuple):
    id: str
    secret: str
    account: str


@pytest.fixture
async def key(guarded: Ministack, account: str, monkeypatch: pytest.MonkeyPatch) -> Key:
    """A user's, who may assume the role `worker`; nobody is in the environment yet."""
    made = Key(*await iam.user(guarded.url, account), account)
    role = await iam.role(guarded.url, account, "worker")
    statement = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [role]}
    await iam.allow_user(guarded.url, account, {"Version": "2012-10-17", "Statement": [statement]})
    for name, value in aws_environment(guarded.url, "").items():
        if "KEY" not in name:
            monkeypatch.setenv(name, value)
    return made


def write(shop: Project, handler: str, account: str, source: dict[str, Any] | None = None, **function: Any) -> None:
    role = {"role_arn": f"arn:aws:iam::{account}:role/worker"}
    config = {
        "service": {"name": "shop", "listen": None, "log": {"format": "json"}},
        "aws": {"region": REGION},
        "functions": {"f": {"handler": f"calling.{handler}", "path": ".", "timeout": 60, **role, **function}},
        "mappings": {"orders": {"source": source or {"type": "memory"}, "function": "f"}},
    }
    shop.config.write_text(yaml.safe_dump(config))


def invoked(shop: Project) -> Any:
    done = shop.run("invoke", "config.yaml", "f", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["answer"]


def assumed(account: str) -> str:
    return f"arn:aws:sts::{account}:assumed-role/worker/headrace"


def in_file(path: Path, profile: str, key: Key) -> str:
    path.write_text(f"[{profile}]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
    return str(path)


@pytest.mark.parametrize("source", ["keys", "AWS_PROFILE", "default", "profile"])
async def test_a_handler_is_the_role_whoever_the_process_is(
    shop: Project, key: Key, account: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutations: keys of the environment that hide the profile; a source that is not looked for."""
    function: dict[str, str] = {}
    if source == "keys":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    else:
        profile = "default" if source == "default" else "mine"
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", in_file(shop.folder / "credentials", profile, key))
    if source == "AWS_PROFILE":
        monkeypatch.setenv("AWS_PROFILE", "mine")
    if source == "profile":
        function = {"profile": "mine"}
    write(shop, "who", account, **function)
    assert invoked(shop) == assumed(account)


async def test_a_profile_alone(shop: Project, key: Key, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", in_file(shop.folder / "credentials", "mine", key))
    write(shop, "who", account, role_arn=None, profile="mine")
    assert invoked(shop) == f"arn:aws:iam::{account}:user/shop"


async def test_the_role_is_assumed_anew_before_its_session_ends(
    shop: Project, key: Key, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By AWS's own library: a session of 15 minutes, the shortest, is never long enough for it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    write(shop, "often", account)
    assert len(set(invoked(shop))) == 3


@pytest.mark.parametrize("source", ["keys", "AWS_PROFILE"])
async def test_headrace_itself_stays_who_it_is(
    shop: Project, key: Key, guarded: Ministack, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the user may read the queue, with what `headrace iam` prints; the role may nothing at all. Mutation: what
    functions are given is what headrace's own clients find.
    """
    monkeypatch.setenv("TMPDIR", str(shop.folder))
    if source == "keys":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    else:
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", in_file(shop.folder / "credentials", "mine", key))
        monkeypatch.setenv("AWS_PROFILE", "mine")
    async with client_of("sqs", guarded.url, account := key.account) as sqs:
        url = await make_queue(sqs)
        await send_all(sqs, url, ["a"])
        write(shop, "note", account, {"type": "sqs", "queue_url": url})
        (printed,) = json.loads(shop.run("iam", "config.yaml", "--json").stdout)
        assert printed["for"] == ["mappings.orders.source", "functions.f"]
        await iam.allow_user(guarded.url, account, iam.as_ministack_reads(printed["policy"]))
        done = await asyncio.to_thread(shop.run, "run", "config.yaml", "--exit-when-idle", "1")
        assert done.returncode == 0, done.stderr
        assert not list(shop.folder.glob("headrace-aws-*")), "keys that outlive the process"
        assert "denied" not in done.stderr.lower()
        assert (shop.folder / "seen.txt").read_text().split() == [assumed(account)]
        assert sum(await counts(sqs, url)) == 0


async def test_keys_that_are_written_for_handlers_are_theirs_alone(
    shop: Project, key: Key, guarded: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutation: headrace reads its queue with them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    async with client_of("sqs", guarded.url, key.account) as sqs:
        url = await make_queue(sqs)
        await send_all(sqs, url, ["a"])
    written = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "x"}
    write(shop, "hold", key.account, {"type": "sqs", "queue_url": url}, role_arn=None, environment=written)
    (printed,) = json.loads(shop.run("iam", "config.yaml", "--json").stdout)
    await iam.allow_user(guarded.url, key.account, iam.as_ministack_reads(printed["policy"]))
    done = await asyncio.to_thread(shop.run, "run", "config.yaml", "--exit-when-idle", "1")
    assert done.returncode == 0, done.stderr
    assert (shop.folder / "seen.txt").read_text() == "theirs\n"


async def test_each_function_of_a_service_is_somebody_else(
    shop: Project, key: Key, guarded: Ministack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles, a profile, credentials, keys, none of these, and both: with what `headrace iam` prints.

    Mutations: the first one's role for all of them; the process's environment for those with processes of their own.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    monkeypatch.setenv("TMPDIR", str(shop.folder))
    second = await iam.role(guarded.url, key.account, "second")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", in_file(shop.folder / "credentials", "mine", key))
    theirs = Key(*await iam.user(guarded.url, key.account, "theirs"), key.account)
    written = {"AWS_ACCESS_KEY_ID": theirs.id, "AWS_SECRET_ACCESS_KEY": theirs.secret}
    monkeypatch.setenv("THEIR_SECRET", theirs.secret)
    credentials = {"access_key_id": theirs.id, "secret_access_key": "${THEIR_SECRET}"}
    worker = f"arn:aws:iam::{key.account}:role/worker"
    functions: dict[str, dict[str, Any]] = {
        "worker": {"role_arn": worker},
        "second": {"role_arn": second},
        "profile": {"profile": "mine"},
        "keys": {"environment": written},
        "credentials": {"credentials": credentials},
        "chained": {"credentials": credentials, "role_arn": worker},
        "process": {},
    }
    async with client_of("sqs", guarded.url, key.account) as sqs:
        urls = {name: await make_queue(sqs) for name in functions}
        for url in urls.values():
            await send_all(sqs, url, ["a"])
    config = {
        "service": {"name": "shop", "listen": None, "log": {"format": "json"}},
        "aws": {"region": REGION},
        "functions": {
            name: {"handler": "calling.note_name", "path": ".", "timeout": 60, **one} for name, one in functions.items()
        },
        "mappings": {
            name: {"source": {"type": "sqs", "queue_url": url}, "function": name} for name, url in urls.items()
        },
    }
    shop.config.write_text(yaml.safe_dump(config))
    printed = json.loads(shop.run("iam", "config.yaml", "--json").stdout)
    [process] = [one for one in printed if "mappings.worker.source" in one["for"]]
    assert {"functions.worker", "functions.second"} <= set(process["for"])
    [chained] = [one for one in printed if one["credentials"] == "functions.chained.credentials"]
    assert chained["for"] == ["functions.chained"]
    for one, user in ((process, "shop"), (chained, "theirs")):
        await iam.allow_user(guarded.url, key.account, iam.as_ministack_reads(one["policy"]), user)
    done = await asyncio.to_thread(shop.run, "run", "config.yaml", "--exit-when-idle", "1")
    assert done.returncode == 0, done.stderr
    assert theirs.secret not in done.stdout + done.stderr
    assert set((shop.folder / "seen.txt").read_text().splitlines()) == {
        f"worker {assumed(key.account)}",
        f"second arn:aws:sts::{key.account}:assumed-role/second/headrace",
        f"profile arn:aws:iam::{key.account}:user/shop",
        f"keys arn:aws:iam::{key.account}:user/theirs",
        f"credentials arn:aws:iam::{key.account}:user/theirs",
        f"chained {assumed(key.account)}",
        f"process arn:aws:iam::{key.account}:user/shop",
    }
    assert not list(shop.folder.glob("headrace-aws-*")), "keys that outlive their process"
