"""Asynchronous invocations while who makes them is killed or sleeps, and while the store is away.

HEADRACE_RECORDS (300) and HEADRACE_KILLS (6) make them larger.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from headrace.asynchronous import packed, queue_of
from headrace.ledger import LedgerOpening
from headrace.testing.history import Cause, Kill, Outage, Stopped
from headrace_connectors.catalog import catalog
from support.events import ATTEMPTS, Feeder, config, judge, records
from support.redis import Valkey
from support.service import HANDLERS, Service, boot, until

RECORDS = int(os.environ.get("HEADRACE_RECORDS", "300"))
KILLS = int(os.environ.get("HEADRACE_KILLS", "6"))
COPIES = 3
COMMANDS = 3
TTL = 2.0


@dataclass(frozen=True, slots=True)
class Store:
    """Where the queues are; `away` keeps everybody from it for some seconds."""

    url: str
    away: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["valkey", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        file = tmp_path / "state.db"
        yield Store(f"sqlite:{file}", lambda seconds: asyncio.to_thread(locked, file, seconds))
        return
    with Valkey(persist=True) as valkey:

        async def away(seconds: float) -> None:
            await asyncio.to_thread(valkey.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(valkey.start)

        yield Store(valkey.url, away)


def locked(file: Path, seconds: float) -> None:
    """Nobody else writes to the file meanwhile."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")


@pytest.fixture
def copies(store: Store, tmp_path: Path) -> Iterator[list[Service]]:
    """Several over one store, that keep one book; not started."""
    around = {"BOOK": str(tmp_path / "book"), "PYTHONPATH": str(HANDLERS.parent)}
    settings = config(store.url, tmp_path, TTL)
    made = [Service(tmp_path / f"copy-{number}", settings, around) for number in range(COPIES)]
    yield made
    for copy in made:
        copy.stop()


async def test_copies_killed_at_random(*, store: Store, copies: list[Service], tmp_path: Path) -> None:
    """Mutations: settled as it is taken; settled before its record is written; a new request id for each attempt; told
    to another function after it is settled."""
    kills: list[Cause] = []
    async with judged(store, copies, tmp_path, kills):
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.5, 3))
            victim = random.choice(copies)
            pid = victim.pid
            kills.append(Kill(pid, victim.kill()))
            await asyncio.sleep(random.uniform(0, 1))
            victim.start()


async def test_copies_that_sleep_past_their_takings(*, store: Store, copies: list[Service], tmp_path: Path) -> None:
    """As on a machine that was suspended. Mutation: a taking that is not fenced."""
    stops: list[Cause] = []
    async with judged(store, copies, tmp_path, stops):
        for _ in range(3):
            sleeper = random.choice(copies)
            stops.append(Stopped(sleeper.pid, begin := sleeper.pause()))
            await asyncio.sleep(2 * TTL)
            sleeper.resume()
            if store.url.startswith("sqlite:"):  # it may have slept with the file's lock: then nobody could hold a call
                stops.append(Outage(begin, boot()))
            await asyncio.sleep(1)


async def test_the_store_is_away_for_a_while(*, store: Store, copies: list[Service], tmp_path: Path) -> None:
    """Mutation: what could not be settled is forgotten."""
    outages: list[Cause] = []
    async with judged(store, copies, tmp_path, outages):
        for _ in range(2):
            begin = boot()
            await store.away(1.5 * TTL)
            outages.append(Outage(begin, boot()))
            await asyncio.sleep(2)


async def test_an_event_that_ends_its_process_is_given_up_and_no_other(
    *, store: Store, copies: list[Service], tmp_path: Path
) -> None:
    """Of a burst that is at the handlers together, as often as it may be retried, and once more alone.

    Mutations: begun again until it is too old; a last chance beside others, who are given up with it.
    """
    copy, ledger = copies[0], await catalog.ledger(LedgerOpening(url=store.url, service="faults"))
    numbers, deadly, deaths = range(1, 25), 9, 0
    events = [packed(str(uuid4()), {"n": n, "ends": ["died" if n == deadly else "done"]}) for n in numbers]
    await ledger.put(queue_of("work"), events)
    copy.start()
    async with asyncio.timeout(120):
        while (await ledger.waiting(queue_of("work"))).total:
            await asyncio.sleep(0.1)
            if not copy.alive:
                deaths += 1
                copy.start()
    await ledger.close()
    copy.terminate()
    assert await copy.ended() == 0, copy.log_text()
    ((number, (record,)),) = records(tmp_path / "on_failure").items()
    assert (number, record["requestContext"]["condition"]) == (deadly, "RetriesExhausted")
    assert record["requestContext"]["approximateInvokeCount"] == deaths == ATTEMPTS + 1
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
    assert set(records(tmp_path / "on_success")) == {*numbers} - {deadly}


@asynccontextmanager
async def judged(store: Store, copies: list[Service], folder: Path, causes: list[Cause]) -> AsyncIterator[None]:
    """Events are fed during the block, which adds *causes* of repeats; afterwards each has come to its end."""
    for copy in copies:
        copy.start()
    ledger = await catalog.ledger(LedgerOpening(url=store.url, service="faults"))
    feeder = Feeder(ledger=ledger, at_least=RECORDS)
    async with asyncio.TaskGroup() as group:
        group.create_task(feeder.keep())
        await until((folder / "on_success").exists, why=copies[0].log_text)
        yield
        for _ in range(COMMANDS):
            await feeder.by_command(copies[0].file, copies[0].environment)
        feeder.enough()
    await feeder.emptied()
    await ledger.close()
    for copy in copies:
        copy.terminate()
    for copy in copies:
        assert await copy.ended() == 0, copy.log_text()
        assert "does NOT add up" not in copy.log_text()
    found = judge(folder / "book", folder, feeder.accepted, causes)
    print(f"{len(feeder.accepted)} events, {len(causes)} causes: {found}")  # noqa: T201 - docs/promises.md
