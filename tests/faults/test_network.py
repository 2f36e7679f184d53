"""Connections between service and server cut, refused, silent and slow; and answers that are errors, or half an answer.

Mutations that these fail on: an answer that names nothing taken for success (repeats without a cause); a delete that is
not asked again and not named; renewals whose failure ends them; ending a mapping on an error. Not seen here: entries
that a server refuses, because these servers refuse only what is somebody else's already (unit/test_sqs_outbox.py).
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest

from headrace.testing.history import Outage
from support.books import Producer, reported
from support.lines import Lines, break_line
from support.queues import counts
from support.servers import Microburst, Ministack
from support.service import boot, config, mapping, until

PLACES = {"scaling_config": {"maximum_concurrency": 4}, "batch_size": 5}
CALLS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueAttributes")


@dataclass(frozen=True, slots=True)
class Storm:
    """Microburst before the shared server."""

    faults: Microburst
    server: Ministack

    @property
    def url(self) -> str:
        return self.faults.url

    def through(self, queue_url: str) -> str:
        return queue_url.replace(self.server.url, self.faults.url)


@pytest.fixture
def storm(ministack, microburst) -> Storm:
    return Storm(microburst, ministack)


async def test_connections_cut_refused_silent_and_slow(ministack, plain, new_queue, books, serve) -> None:
    """Nothing is lost. An outage shorter than what is left of a visibility repeats nothing."""
    visibility = 8
    url = await new_queue(visibility_timeout=visibility)
    producer = Producer(plain, url, books.sent)
    chance = random.Random(4)
    silences = []
    async with Lines("127.0.0.1", ministack.port) as line:
        through = url.replace(ministack.url, line.url)
        service = serve(config({"m": mapping(through, **PLACES)}), endpoint=line.url)
        service.start("--exit-when-idle", "4")
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(200, at_least=1000))
            await until(books.done_so_far, why=service.log_text)
            for kind in ["cut", "refuse", "silent", "no answers", "slow", "long silence", "strand"]:
                await asyncio.sleep(chance.uniform(0.2, 0.8))
                begin = boot()
                await break_line(line, kind, chance, visibility)
                if kind in ("long silence", "strand"):  # a stranded call hangs until its own time-out
                    silences.append(Outage(begin, boot() + (40 if kind == "strand" else 0)))
            producer.enough()
        await service.drained()
    assert await counts(plain, url) == (0, 0, 0)
    books.hold([*reported(service.log()), *silences])


async def test_throttled_failing_torn_and_reset_calls(storm, plain, new_queue, books, serve) -> None:
    """Every call that the lane makes fails some of the time, in each way that AWS can fail. Nothing is lost.

    What a torn or reset receive had picked returns after its visibility. A delete whose answer was torn is asked
    again, and this server refuses a second delete: the log says so, and nothing is handled twice for it.
    """
    url = await new_queue(visibility_timeout=4)
    through = storm.through(url)
    places = {"scaling_config": {"maximum_concurrency": 16}, "batch_size": 5}
    service = serve(config({"m": mapping(through, **places)}), endpoint=storm.url, SECONDS=2.5)
    producer = Producer(plain, url, books.sent)
    await asyncio.to_thread(storm.faults.rules, _weather(0.05))
    service.start("--exit-when-idle", "4")
    async with asyncio.TaskGroup() as group:
        group.create_task(producer.keep(150, at_least=600))
        await until(lambda: books.done_so_far() > 500, why=service.log_text)
        producer.enough()
    await until(lambda: len(books.by_number()) >= len(books.accepted()), why=service.log_text)
    fired = await asyncio.to_thread(storm.faults.fired)
    await asyncio.to_thread(storm.faults.clear)
    await service.drained()
    assert await counts(plain, url) == (0, 0, 0)
    seen = {(one["operation"], one["action"].partition(":")[0]) for one in fired}
    print(f"faults: {sorted(seen)}")  # noqa: T201 - shown when the test fails
    assert {operation for operation, _ in seen} >= set(CALLS[:3])  # the fourth is rare once the lane is open
    found = books.hold(reported(service.log()))
    torn_receives = any(one["operation"] == "ReceiveMessage" for one in fired)
    came_back = any(one.count > 1 for one in books.deliveries())
    assert not torn_receives or came_back, found


async def test_deletes_that_never_work(storm, plain, new_queue, books, serve) -> None:
    """While every delete fails, every message comes again, and the log names each of them; then all is deleted."""
    url = await new_queue(visibility_timeout=2)
    through = storm.through(url)
    service = serve(config({"m": mapping(through, **PLACES)}), endpoint=storm.url)
    await Producer(plain, url, books.sent).send(30)
    rule = {"service": "sqs", "operation": "DeleteMessageBatch", "error": {"code": "InternalError", "status": 500}}
    await asyncio.to_thread(storm.faults.rules, [rule])
    service.start("--exit-when-idle", "3")
    await until(lambda: books.done_so_far() >= 60, why=service.log_text)
    await asyncio.to_thread(storm.faults.clear)
    await service.drained()
    assert await counts(plain, url) == (0, 0, 0)
    found = books.hold(reported(service.log()))
    assert found.causes["delete given up"] >= 30


def _weather(probability: float) -> list[dict[str, object]]:
    faults: list[dict[str, object]] = [
        {"error": {"code": "ThrottlingException", "status": 400}},
        {"error": {"code": "InternalError", "status": 500}},
        {"error": {"code": "ServiceUnavailable", "status": 503}},
        {"error": {"code": "InternalError", "status": 200}},  # nothing was done, and the answer looks well
        {"reset": True},
        {"response": {"truncate_frac": 0.5}},
        {"response": {"truncate_frac": 0.0}},
        {"response": {"abort_frac": 0.3}},
    ]
    return [
        {"service": "sqs", "operation": operation, "probability": probability, **fault}
        for operation in CALLS
        for fault in faults
    ]
