"""The service killed while it gives messages up, and the destination's server away for a while.

Mutations that these fail on: deleting before the destination has confirmed (kill: a poison message at neither place);
dropping what could not be sent; a file line glued to one that a kill tore.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.testing.history import Kill
from headrace_connectors.destinations.rotation import rotated
from support.books import Books, Producer, reported
from support.queues import counts, drain, make_queue, sqs_client
from support.servers import Ministack
from support.service import Service, config, mapping, until

KILLS = 10
POISON = 3
PLACES = {"scaling_config": {"maximum_concurrency": 4}, "batch_size": 5}
GIVING_UP = {"maximum_retry_attempts": 1, "retry_backoff": {"initial": 0, "maximum": 0}}


def giving_up(url: str, destination: Any) -> dict[str, Any]:
    return mapping(url, **PLACES, **GIVING_UP, destination_config={"on_failure": {"destination": destination}})


def arrived(bodies: list[str]) -> Counter[int]:
    """How often each number is at the destination; every record must be whole."""
    records = [json.loads(body) for body in bodies]
    return Counter(int(record["payload"]["Records"][0]["body"]) for record in records)


def hold(books: Books, dead: Counter[int], *causes: Any) -> None:
    """Every poison message is at the destination at least once, nothing else is, and the rest was handled."""
    books.hold(causes, dead=dead)
    done = {number for number, all_of_it in books.by_number().items() if any(one.end == "done" for one in all_of_it)}
    accepted = books.accepted()
    assert {number for number in accepted if number % POISON == 0} <= set(dead)
    assert all(number % POISON == 0 for number in dead)
    assert not done & set(dead)
    print(f"at the destination: {len(dead)}, of them more than once: {sum(n > 1 for n in dead.values())}")  # noqa: T201


def hold_balance(service: Service) -> None:
    """The accounts that the last process printed at its end add up."""
    assert "does NOT add up" not in service.log_text()


def lines(path: Path) -> list[str]:
    """Of the file, and of those that it was rotated to."""
    return [line for one in (*rotated(path), path) if one.exists() for line in one.read_text().splitlines()]


@pytest.mark.parametrize("kind", ["sqs", "file", "rotated"])
async def test_killed_while_it_gives_up(*, plain, new_queue, books, serve, tmp_path: Path, kind: str) -> None:
    url, failed = await new_queue(visibility_timeout=2), await new_queue()
    path = tmp_path / "failed.jsonl"
    destination: dict[str, Any] = {"type": "file", "path": str(path)}
    if kind == "sqs":
        destination = {"type": "sqs", "queue_url": failed}
    elif kind == "rotated":
        destination["rotate"] = {"max_bytes": 5000}
    service = serve(config({"m": giving_up(url, destination)}), POISON=POISON, SECONDS=0.02)
    producer = Producer(plain, url, books.sent)
    chance = random.Random(4)
    kills = []
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(200, at_least=600))
        for _ in range(KILLS):
            service.start()
            before = books.done_so_far()
            await until(lambda before=before: books.done_so_far() > before, why=service.log_text)
            await asyncio.sleep(chance.uniform(0, 0.8))
            kills.append(Kill(service.pid, service.kill()))
        producer.enough()
        service.start("--exit-when-idle", "3")
    await service.drained()
    assert await counts(plain, url) == (0, 0, 0)
    bodies = [one["Body"] for one in await drain(plain, failed)] if kind == "sqs" else lines(path)
    assert bool(rotated(path)) is (kind == "rotated")
    hold(books, arrived(bodies), *kills)
    hold_balance(service)


@pytest.fixture
async def other() -> AsyncIterator[Ministack]:
    """A server of the destination's own, which keeps its queues over a restart."""
    own = await asyncio.to_thread(Ministack(persist=True).start)
    try:
        yield own
    finally:
        await asyncio.to_thread(own.__exit__)


async def test_the_destinations_server_is_away_for_a_while(
    *, plain, new_queue, other, account, books, serve, own_port
) -> None:
    """Its messages are held and renewed, `/readyz` says why, and no handler sees one of them again."""
    url = await new_queue(visibility_timeout=3)
    async with sqs_client(other.url, account) as client:
        failed = await make_queue(client)
        destination = {"type": "sqs", "queue_url": failed, "endpoint_url": other.url}
        listen = f"127.0.0.1:{own_port}"
        service = serve(config({"m": giving_up(url, destination)}, listen=listen), POISON=POISON)
        await asyncio.to_thread(other.stop, 60)
        await Producer(plain, url, books.sent).send(60)
        service.start()
        for _ in range(2):
            told = await service.answers("/readyz", 503)
            while told["mappings"]["m"]["state"] != "holding":  # starting and connecting come first
                await asyncio.sleep(0.1)
                told = await service.answers("/readyz", 503)
            assert "held until the destination takes them" in told["mappings"]["m"]["reason"]
            await asyncio.sleep(5)
            assert (await asyncio.to_thread(service.get, "/healthz"))[0] == 200
            await asyncio.to_thread(other.start)
            await service.answers("/readyz", 200)
            await until(lambda: books.done_so_far() >= 2 * len(books.accepted()) // 3, why=service.log_text)
            if len(books.accepted()) == 60:
                await asyncio.to_thread(other.stop, 60)
                await Producer(plain, url, books.sent, first=61).send(60)
        service.terminate()
        assert await service.ended() == 0, service.log_text()
        await service.drained()
        assert await counts(plain, url) == (0, 0, 0)
        dead = arrived([one["Body"] for one in await drain(client, failed)])
    hold(books, dead, *reported(service.log()))
    assert service.events("destination.unavailable")
    assert {len(books.by_number()[number]) for number in dead} == {2}
    assert max(dead.values()) == 1
    hold_balance(service)


@pytest.mark.parametrize("ends", ["terminated", "killed", "killed twice"])
async def test_ended_while_the_destinations_server_is_away(
    *, plain, new_queue, other, account, books, serve, ends: str
) -> None:
    """A stop waits for no destination; the next start delivers what was held, and no handler sees it again."""
    url = await new_queue(visibility_timeout=5)
    async with sqs_client(other.url, account) as client:
        failed = await make_queue(client)
        destination = {"type": "sqs", "queue_url": failed, "endpoint_url": other.url}
        service = serve(config({"m": giving_up(url, destination)}), POISON=POISON)
        await asyncio.to_thread(other.stop, 60)
        await Producer(plain, url, books.sent).send(30)
        service.start()
        await until(lambda: named(service, "outcome.kept") == 30 // POISON, why=service.log_text)
        for _ in range(ends == "killed twice"):
            service.kill()
            service.start()
            await until(lambda: named(service, "outcome.found") == 30 // POISON, why=service.log_text)
        if ends == "terminated":
            service.terminate()
            assert await service.ended() == 0, service.log_text()
        else:
            service.kill()
        assert sum(await counts(plain, url)) >= 10
        await asyncio.to_thread(other.start)
        await service.drained()
        dead = arrived([one["Body"] for one in await drain(client, failed)])
    hold(books, dead, *reported(service.log()))
    assert {len(books.by_number()[number]) for number in dead} == {2}
    assert dead == dict.fromkeys(dead, 1)


def named(service: Service, event: str) -> int:
    """How many records its lines of this name are about."""
    return sum(len(line["ids"]) for line in service.log() if line.get("event") == event)
