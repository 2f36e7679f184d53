"""Functions in processes of their own: what is killed, and that nothing is lost by it.

Mutations that these fail on: a process that outlives the service, or only until its handler comes back from C code; a
call that is not begun again when the process dies under several; one that waits for ever; a process that is not started
again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

from support.books import Producer
from support.queues import counts
from support.service import config, mapping, until


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    """Not a zombie either, which nobody may come to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_they_end_with_the_service_however_it_ends(plain, new_queue, books, serve) -> None:
    """Also while C code holds the interpreter: what it was at is handled again, and must not be at two handlers."""
    urls = {name: await new_queue(visibility_timeout=60) for name in ("work", "hold")}
    functions = {
        "work": {"handler": "handlers.work", "environment": {"SIDE": "work"}},
        "hold": {"handler": "handlers.hold_the_interpreter", "environment": {"SIDE": "hold"}},
    }
    mappings = {name: mapping(url, function=name) for name, url in urls.items()}
    service = serve(config(mappings, functions=functions), SECONDS=60)
    await Producer(plain, urls["work"], books.sent).send(1)
    await Producer(plain, urls["hold"], books.sent, first=2).send(1)
    service.start()
    await until(lambda: len(books.deliveries()) == 2, why=service.log_text)
    hosts = children(service.pid)
    assert {one.pid for one in books.deliveries()} == set(hosts)
    assert all(map(lives, hosts))
    service.kill()
    await until(lambda: not any(map(lives, hosts)), seconds=5)


async def test_killed_again_and_again_they_lose_nothing(plain, new_queue, books, serve) -> None:
    """What was at work when one died is begun again at once; no message waits for its visibility, nor spends a receive,
    unless it was alone.
    """
    urls = {name: await new_queue(visibility_timeout=20) for name in ("one", "other")}
    functions = {name: {"handler": "handlers.work", "environment": {"SIDE": name}} for name in urls}
    places = {"scaling_config": {"maximum_concurrency": 8}, "batch_size": 5}
    mappings = {name: mapping(url, function=name, **places) for name, url in urls.items()}
    service = serve(config(mappings, functions=functions), SECONDS=0.3)
    for number, url in enumerate(urls.values()):
        await Producer(plain, url, books.sent, first=1 + 1000 * number).send(400)
    service.start("--exit-when-idle", "3")
    kills = 0
    while kills < 8 and service.alive:
        await asyncio.sleep(random.uniform(0.3, 1))
        at_work = {one.pid for one in books.deliveries() if not one.end and lives(one.pid)}
        if at_work:
            with suppress(ProcessLookupError):
                os.kill(random.choice(sorted(at_work)), signal.SIGKILL)
            kills += 1
    assert await service.ended() == 0, service.log_text()
    assert [await counts(plain, url) for url in urls.values()] == [(0, 0, 0)] * 2
    done = {one.number for one in books.deliveries() if one.end == "done"}
    assert done == books.accepted()
    again, failed = service.events("function.begun_again"), service.events("batch.failed")
    assert again + failed >= kills / 2, "most kills met nothing"
    assert failed <= kills, service.log()
