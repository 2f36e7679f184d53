"""The server stopped, started, put to sleep, and away when the service starts.

Mutations that these fail on: giving the mapping up when a receive or the first call fails; forgetting deletes that a
server did not answer (repeats without a cause after it is back); `/readyz` that is ready without a server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headrace.testing.history import Outage
from support.books import Producer, reported
from support.queues import counts, make_queue, sqs_client
from support.service import boot, config, mapping, until

PLACES = {"scaling_config": {"maximum_concurrency": 4}, "batch_size": 5}


@pytest.fixture
async def its_client(server, account) -> AsyncIterator[Any]:
    async with sqs_client(server.url, account, retries={"total_max_attempts": 1}) as client:
        yield client


async def test_stopped_and_started_asleep_and_awake(server, its_client, books, serve, own_port) -> None:
    """The service stays up through all of it, and says when it cannot poll. Nothing is lost."""
    url = await make_queue(its_client, visibility_timeout=4)
    listen = f"127.0.0.1:{own_port}"
    service = serve(config({"m": mapping(url, **PLACES)}, listen=listen), endpoint=server.url)
    producer = Producer(its_client, url, books.sent)
    chance = random.Random(3)
    outages = []
    service.start()
    pid = service.pid
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(200, at_least=1000))
        for kind in ("stop", "sleep", "stop", "short sleep", "sleep", "stop"):
            before = books.done_so_far()
            await until(lambda before=before: books.done_so_far() > before, why=service.log_text)
            await asyncio.sleep(chance.uniform(0, 1))
            begin = boot()
            if kind == "stop":
                await asyncio.to_thread(server.stop, 60)
                await service.answers("/readyz", 503)
                await asyncio.to_thread(server.start)
            else:
                server.pause()
                await asyncio.sleep(1 if kind == "short sleep" else 6)
                server.resume()
            await service.answers("/readyz", 200)
            outages.append(Outage(begin, boot()))
            assert (await asyncio.to_thread(service.get, "/healthz"))[0] == 200
        producer.enough()
    await until(lambda: len(books.by_number()) >= len(books.accepted()), why=service.log_text)
    assert service.pid == pid
    assert service.alive
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    await service.drained()
    assert await counts(its_client, url) == (0, 0, 0)
    books.hold([*reported(service.log()), *outages])


async def test_started_while_the_server_is_away(server, its_client, books, serve, own_port) -> None:
    """It stays up, says why it is not ready, and begins by itself; nothing was lost or handled twice."""
    url = await make_queue(its_client, visibility_timeout=60)
    await Producer(its_client, url, books.sent).send(50)
    await asyncio.to_thread(server.stop, 60)
    listen = f"127.0.0.1:{own_port}"
    service = serve(config({"m": mapping(url)}, listen=listen), endpoint=server.url)
    service.start()
    told = await service.answers("/readyz", 503)
    while told["mappings"]["m"]["state"] != "unavailable":  # starting and connecting come first
        await asyncio.sleep(0.1)
        told = await service.answers("/readyz", 503)
    assert server.url in told["mappings"]["m"]["reason"]
    assert (await asyncio.to_thread(service.get, "/healthz"))[0] == 200
    await asyncio.to_thread(server.start)
    await service.answers("/readyz", 200)
    await until(lambda: books.done_so_far() >= 50, why=service.log_text)
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    assert await counts(its_client, url) == (0, 0, 0)
    assert not books.hold().causes


async def test_terminated_while_the_server_is_away(server, its_client, books, serve) -> None:
    """A stop does not wait for a server that does not answer: neither before the first call nor in the middle of work.

    What was handled and could not be deleted is a repeat to come, and is said.
    """
    url = await make_queue(its_client, visibility_timeout=5)
    service = serve(config({"m": mapping(url, **PLACES)}, drain_timeout=3), endpoint=server.url)
    producer = Producer(its_client, url, books.sent)
    await producer.send(400)
    service.start()
    await until(lambda: books.done_so_far() > 50, why=service.log_text)
    begin = boot()
    await asyncio.to_thread(server.stop, 60)
    service.terminate()
    await service.ended()
    service.start()
    await until(lambda: service.events("source.unavailable"), why=service.log_text)
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    await asyncio.to_thread(server.start)
    outage = Outage(begin, boot())
    await service.drained()
    books.hold([*reported(service.log()), outage])
