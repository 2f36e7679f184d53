"""README's files, as they stand there, against a real server."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from support.queues import counts, drain, send_all

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHOWN = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL)
FILES = dict(SHOWN)
HEADRACE = Path(sys.executable).with_name("headrace")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
async def run(
    folder: Path, new_queue: Callable[..., Awaitable[str]], aws_env: dict[str, str]
) -> Callable[..., Awaitable[subprocess.Popen[str]]]:
    url = await new_queue(visibility_timeout=31, dead_letter=await new_queue(), max_receive_count=1)

    async def start(*command: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **aws_env, "ORDERS_QUEUE_URL": url, "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    start.url = url
    return start


async def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = await asyncio.to_thread(process.communicate, timeout=60)
    return process.returncode, said


def test_it_names_the_five_commands() -> None:
    assert "make demo " in README
    assert "make demo-replay " in README
    assert "make testbed-demo " in README
    assert "make demo-streams " in README
    assert "make test " in README


def test_no_file_of_it_takes_the_place_of_another() -> None:
    """Who follows the page would lose the first. Mutation, tried: two examples of one name."""
    assert len(SHOWN) == len(FILES)


@pytest.mark.parametrize("line", re.findall(r"^\.venv/bin/headrace (check .*?)\s*#", README, re.MULTILINE))
async def test_check(run: Any, line: str) -> None:
    status, said = await ended(await run(HEADRACE, *line.split()))
    assert status == 0, said


async def test_the_service_handles_the_orders(run: Any, sqs: Any) -> None:
    await send_all(sqs, run.url, [f'{{"total": {total}}}' for total in (1, 2, 3)])
    status, said = await ended(await run(HEADRACE, "run", "orders.yaml", "--exit-when-idle", "1"))
    assert status == 0, said
    assert await counts(sqs, run.url) == (0, 0, 0)
    assert "succeeded 3" in said


async def test_an_order_that_came_twice_is_recorded_once(run: Any, sqs: Any) -> None:
    orders = ['{"shop": "a", "id": 1, "total": 1}', '{"shop": "b", "id": 1, "total": 1}']
    await send_all(sqs, run.url, [*orders, orders[0]])
    status, said = await ended(await run(HEADRACE, "run", "once.yaml", "--exit-when-idle", "1"))
    assert status == 0, said
    assert await counts(sqs, run.url) == (0, 0, 0)
    assert "succeeded 2" in said
    assert "deduplicated 1" in said


async def test_a_card_that_cannot_be_charged_is_in_no_file_and_no_log(run: Any, folder: Path, sqs: Any) -> None:
    body = '{"card": {"number": "4111222233334444"}, "customer": {"home": {"email": "bob@example.com"}, "id": 7.10}}'
    await send_all(sqs, run.url, [body])
    status, said = await ended(await run(HEADRACE, "run", "cards.yaml", "--exit-when-idle", "1"))
    assert status == 0, said
    assert "cannot charge ***" in said
    failed = (folder / "failed-cards.jsonl").read_text()
    for secret in ("4111222233334444", "bob@example.com"):
        assert secret not in said + failed
    assert '\\"customer\\": {\\"home\\": {\\"email\\": \\"***\\"}, \\"id\\": 7.10}' in failed
    assert '"payloadRedacted":["body.card.number","body.customer.*.email"]' in failed


async def test_an_order_that_fails_is_named(run: Any, sqs: Any) -> None:
    (name,) = await send_all(sqs, run.url, ['{"total": -1}'])
    process = await run(HEADRACE, "run", "orders.yaml")

    def until_it_failed() -> str:
        return next(line for line in process.stdout if "batch.failed" in line)

    line = await asyncio.wait_for(asyncio.to_thread(until_it_failed), 30)
    assert f"ids=['{name}']" in line
    process.send_signal(signal.SIGTERM)
    status, said = await ended(process)
    assert status == 0, said


async def test_the_library(run: Any, sqs: Any) -> None:
    await send_all(sqs, run.url, ["{}"])
    process = await run(sys.executable, "library.py")
    async with asyncio.timeout(30):
        while any(await counts(sqs, run.url)):
            await asyncio.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = await ended(process)
    assert "1 messages" in said
    assert await drain(sqs, run.url) == []


def test_the_commands_of_the_table_exist() -> None:
    named = set(re.findall(r"`headrace ([\w-]+)", README))
    for command in named:
        done = subprocess.run([HEADRACE, command, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_it_shows_of_schedules_is_what_is_printed() -> None:
    """Mutation, tried: another word in the page."""
    shown = re.findall(r"^\$ headrace (schedule .*)\n((?:(?!\$ |```).*\n)+)", README, re.MULTILINE)
    assert len(shown) == 2
    for words, expected in shown:
        done = subprocess.run([HEADRACE, *shlex.split(words)], capture_output=True, text=True, check=False, timeout=60)
        printed = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())
        assert printed == expected.strip()


async def test_its_schedules_are_listed_and_the_sweep_runs_at_once(
    run: Callable[..., Awaitable[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    """Mutation: an example that is refused, or that fires nothing."""
    listed = await run(HEADRACE, "schedule", "list", "reports.yaml", "--count", "1")
    status, said = await ended(listed)
    assert status == 0, said
    for name in ("daily/closing", "daily/stock", "daily/sweep"):
        assert name in said
    service = await run(HEADRACE, "run", "reports.yaml")
    assert service.stdout is not None
    line = ""
    async with asyncio.timeout(60):
        while not line.startswith("sweep "):
            line = await asyncio.to_thread(service.stdout.readline)
            assert line, "it ended"
    service.send_signal(signal.SIGTERM)
    assert (await ended(service))[0] == 0


async def test_its_charge_is_made_and_the_receipt_is_told(
    run: Callable[..., Awaitable[subprocess.Popen[str]]],
) -> None:
    """Mutation: an event that nobody carries; a success that is told to nobody."""
    status, said = await ended(
        await run(HEADRACE, "invoke", "results.yaml", "charge", "--async", "--event", "charge.json")
    )
    assert status == 0, said
    assert said.startswith("accepted: ")
    status, said = await ended(await run(HEADRACE, "run", "results.yaml", "--exit-when-idle", "2"))
    assert status == 0, said
    assert "receipt 7 12.5" in said
