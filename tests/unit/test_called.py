"""What a run of the tests called in AWS, held to what `headrace iam` prints: how calls are noted, and compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.plugins import discover
from headrace_connectors.aws import AwsError, AwsSettings, aws_client
from headrace_connectors.rights import RIGHTS
from support import called, printed
from support.noting import aws_calls
from support.queues import sqs_client

NOWHERE = "http://127.0.0.1:9"
KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_MAX_ATTEMPTS": "1"}
ALL = {(service, operation): "t" for service, rows in RIGHTS.items() for operation in rows}

PROCESS = """
import asyncio
from contextlib import suppress
from aiobotocore.session import get_session
from headrace_connectors.aws import AwsError, AwsSettings, aws_client
where = {"region_name": "r", "endpoint_url": NOWHERE, "aws_access_key_id": "k", "aws_secret_access_key": "s"}
async def ours():
    async with aws_client("sqs", AwsSettings(region="r", endpoint_url=NOWHERE), retries=0) as client:
        await client.call("ReceiveMessage", QueueUrl=NOWHERE + "/q")
async def others():
    async with get_session().create_client("sqs", **where) as client:
        await client.purge_queue(QueueUrl=NOWHERE + "/q")
for one in ours, ours, others:
    with suppress(Exception):
        asyncio.run(one())
"""


def test_a_process_that_a_test_starts_is_noted_with_the_test(tmp_path: Path) -> None:
    """Its calls by headrace's client, once each. Mutation: those of other clients."""
    file = tmp_path / "calls"
    file.touch()
    script = tmp_path / "process.py"
    script.write_text(f"NOWHERE = {NOWHERE!r}\n{PROCESS}")
    subprocess.run([sys.executable, script], env={**os.environ, **KEYS, aws_calls.FILE: str(file)}, check=True)
    test = "tests/unit/test_called.py::test_a_process_that_a_test_starts_is_noted_with_the_test"
    assert file.read_text() == f"sqs ReceiveMessage {test}\n"


async def test_what_a_test_asks_for_itself_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a client of its own, or through headrace's. Mutation: whoever stands behind the call."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AwsError):
        async with aws_client("sqs", AwsSettings(region="r", endpoint_url=NOWHERE), retries=0) as client:
            await client.call("ListQueues")
    async with sqs_client(NOWHERE, "1") as sqs:
        with pytest.raises(Exception, match="Could not connect"):
            await sqs.list_queues()
    assert "ListQueues" not in Path(os.environ[aws_calls.FILE]).read_text()


def test_a_whole_run_that_calls_what_is_printed_has_no_faults() -> None:
    assert list(called.faults(ALL, whole=True)) == []
    assert list(called.faults({}, whole=False)) == []


def test_what_is_called_and_not_printed_fails_any_run() -> None:
    """With the test that called it. Mutation: a call that the table does not know is passed over."""
    assert list(called.faults({("sqs", "PurgeQueue"): "a test"}, whole=False)) == [
        "called, and in no row of the table of rights: sqs PurgeQueue, by a test"
    ]


def test_what_is_printed_and_never_called_fails_a_whole_run() -> None:
    """By its call, and by its action where no other call needs that. Mutation: one of both."""
    without = {call: test for call, test in ALL.items() if call != ("sns", "PublishBatch")}
    assert list(called.faults(without, whole=False)) == []
    assert list(called.faults(without, whole=True)) == [
        "in the table of rights, and never called: sns PublishBatch",
        "printed, and never called: sns:Publish",
    ]


SUITE = {
    "pyproject.toml": """
[tool.pytest.ini_options]
testpaths = ["suite"]
addopts = ["--import-mode=importlib"]
""",
    "conftest.py": """
from support import called

def pytest_configure(config):
    called.begin(config)
""",
    "suite/test_it.py": f"""
import os
from pathlib import Path

def test_one():
    Path(os.environ[{aws_calls.FILE!r}]).write_text("sqs ReceiveMessage one\\n")
""",
}


@pytest.mark.parametrize(
    ("words", "status"), [(["-n", "1"], 1), (["suite"], 0)], ids=["whole, by a worker", "a part, in one process"]
)
def test_a_whole_run_alone_is_told_what_it_has_not_called(tmp_path: Path, words: list[str], status: int) -> None:
    """Mutations: a part of the suite fails for what the others call; a fault that is told, and the run is good."""
    for name, text in SUITE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    around = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    around["PYTHONPATH"] = str(Path(called.__file__).parents[1])
    command = [sys.executable, "-m", "pytest", "-q", *words]
    done = subprocess.run(command, cwd=tmp_path, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("in the table of rights, and never called: sqs SendMessage\n" in done.stdout) == bool(status)
    assert "never called: sqs ReceiveMessage" not in done.stdout


@pytest.mark.parametrize("option", called.PARTIAL)
def test_what_leaves_tests_out_is_no_whole_run(
    request: pytest.FixtureRequest, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = request.config
    monkeypatch.setattr(config, "args_source", pytest.Config.ArgsSource.TESTPATHS)
    for name in called.PARTIAL:
        monkeypatch.setattr(config.option, name, None)
    assert called.is_whole(config)
    monkeypatch.setattr(config.option, option, "something")
    assert not called.is_whole(config)


def test_everything_has_everything() -> None:
    """So that what it prints is all that can be printed. Mutation: a kind that is left out of it."""
    config, catalog = printed.everything(), discover()
    openings = [config.opening(name) for name in config.all]
    sources = {one.connector.type for one in config.mappings.values()}
    assert sources == {one.type for one in catalog.connectors if has_rights(one)}
    named = {to.kind.type for opening in openings for to in opening.destinations}
    assert named == {one.type for one in catalog.destinations if has_rights(one)}
    kept = {to.kind.type for opening in openings for to in opening.claim_checks}
    assert kept == {one.type for one in catalog.destinations if one.claims and has_rights(one.claims)}
    letters = {to.kind.type for name in printed.LETTERS for to in config.destinations.get(name, [])}
    assert letters == {one.type for one in catalog.mailboxes if has_rights(one)}


def has_rights(registration: object) -> bool:
    """Whether it says any: its class's own answer is none."""
    return registration.rights is not type(registration).__dataclass_fields__["rights"].default  # type: ignore[attr-defined]


def test_what_is_printed_is_what_the_table_has() -> None:
    """A row that nothing prints is a right that a user lacks. Mutation: a row that no kind names (tried)."""
    assert printed.actions() == {action for rows in RIGHTS.values() for action in rows.values()}
