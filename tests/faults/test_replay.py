"""Replays that are killed and interrupted while they work, and go on.

Mutations that these fail on: a letter deleted, or remembered, before its verdict (lost); progress that is kept in
memory, or written behind the next letter (a second delivery without a cause); a letter that failed again and is gone.
"""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from headrace.testing.history import Kill
from support.letters import failure, message
from support.queues import counts, drain, make_queue, send_all, sqs_client
from support.service import config, mapping, until

KILLS = 12
LETTERS, EACH = 120, 3
POISON = 97
"""Every so-manieth number fails for ever."""


def letters() -> list[str]:
    """Each of three messages, whose bodies are numbers from 1 on."""
    numbers = range(1, LETTERS * EACH + 1)
    shown = [message(f"m{number}", str(number)) for number in numbers]
    return [json.dumps(failure(*shown[start : start + EACH])) for start in range(0, len(shown), EACH)]


@pytest.mark.parametrize("kind", ["queue", "file"])
async def test_killed_while_it_works_and_gone_on_with(  # noqa: PLR0917 - fixtures
    plain, new_queue, books, serve, tmp_path: Path, kind
) -> None:
    """Nothing is lost, and each kill repeats the records of one letter at most; what fails is there at the end."""
    dead = await new_queue(visibility_timeout=5)
    file = tmp_path / "failed.jsonl"
    if kind == "queue":
        await send_all(plain, dead, letters())
    else:
        file.write_text("".join(f"{letter}\n" for letter in letters()))
    books.sent.write_text("".join(f"{number} accepted\n" for number in range(1, LETTERS * EACH + 1)))
    service = serve(config({"m": mapping(await new_queue())}), POISON=POISON, SECONDS=0.03, XDG_STATE_HOME=tmp_path)
    where = ["--mapping", "m", "--from", dead if kind == "queue" else str(file)]
    chance, kills = random.Random(5), []
    for _ in range(KILLS):
        service.start(*where, command="replay")
        before = books.done_so_far()
        await until(lambda before=before: books.done_so_far() > before or not service.alive, why=service.log_text)
        await asyncio.sleep(chance.uniform(0, 0.4))
        kills.append(Kill(service.pid, service.kill()))
    while True:
        service.start(*where, command="replay")
        await service.ended()
        if "hidden" not in service.log_text().rpartition("sqs q-")[2]:
            break
        await asyncio.sleep(1)
    poison = {number for number in range(1, LETTERS * EACH + 1) if number % POISON == 0}
    found = books.hold(kills, dead=poison)
    print(f"repeated by kill: {[found.by_cause[kill] for kill in kills]}")  # noqa: T201 - the measurement
    assert all(found.by_cause[kill] <= EACH for kill in kills)
    assert found.done == LETTERS * EACH - len(poison)
    left = [one["Body"] for one in await drain(plain, dead)] if kind == "queue" else file.read_text().splitlines()
    assert len(left) == (len(poison) if kind == "queue" else LETTERS)
    assert poison <= numbers_in(left)


def numbers_in(left: list[str]) -> set[int]:
    return {int(one["body"]) for letter in left for one in json.loads(letter)["payload"]["Records"]}


async def test_interrupted_it_finishes_its_letter_and_leaves_the_rest_visible(
    plain, new_queue, books, serve, tmp_path: Path
) -> None:
    """Mutation: the rest is left to its visibility, which is two minutes here."""
    dead = await new_queue(visibility_timeout=600)
    await send_all(plain, dead, letters()[:20])
    service = serve(config({"m": mapping(await new_queue())}), SECONDS=0.3, XDG_STATE_HOME=tmp_path)
    service.start("--from", dead, "--mapping", "m", command="replay")
    await until(lambda: books.done_so_far() >= EACH, why=service.log_text)
    service.interrupt()
    assert await service.ended() == 1, service.log_text()
    assert "ends behind the letter under way; Ctrl-C once more: at once" in service.log_text()
    assert "interrupted; the same command goes on" in service.log_text()
    done = books.done_so_far()
    assert all(one.end == "done" for one in books.deliveries())
    assert await counts(plain, dead) == (20 - done // EACH, 0, 0)
    service.start("--from", dead, "--mapping", "m", "--rate", "1000/s", command="replay")
    assert await service.ended() == 0, service.log_text()
    assert (books.done_so_far(), await counts(plain, dead)) == (20 * EACH, (0, 0, 0))


async def test_a_server_that_goes_away_in_the_middle(server, account, books, serve, tmp_path: Path) -> None:
    """It says so, and ends; the next goes on. Mutation: a letter whose deletion was not confirmed is handled again."""
    async with sqs_client(server.url, account) as sqs:
        dead = await make_queue(sqs, visibility_timeout=5)
        await send_all(sqs, dead, letters()[:40])
        books.sent.write_text("".join(f"{number} accepted\n" for number in range(1, 40 * EACH + 1)))
        own = config({"m": mapping(await make_queue(sqs))})
        service = serve(own, endpoint=server.url, SECONDS=0.1, XDG_STATE_HOME=tmp_path)
        service.start("--from", dead, "--mapping", "m", command="replay")
        await until(lambda: books.done_so_far() >= 4 * EACH, why=service.log_text)
        await asyncio.to_thread(server.stop)
        assert await service.ended() == 1, service.log_text()
        assert "EndpointConnectionError" in service.log_text()
        await asyncio.to_thread(server.start)
        status = 1
        while status:
            service.start("--from", dead, "--mapping", "m", command="replay")
            status = await service.ended()
            await asyncio.sleep(0.5)
        assert await counts(sqs, dead) == (0, 0, 0)
    books.hold()


async def test_a_letter_that_is_handled_for_longer_than_its_visibility_is_nobody_elses(
    plain, new_queue, books, serve, tmp_path: Path
) -> None:
    """Mutation: no renewal."""
    dead = await new_queue(visibility_timeout=5)
    await send_all(plain, dead, letters()[:1])
    service = serve(config({"m": mapping(await new_queue())}), SECONDS=9, XDG_STATE_HOME=tmp_path)
    service.start("--from", dead, "--mapping", "m", command="replay")
    while service.alive:
        assert (await counts(plain, dead))[1:] in {(0, 0), (1, 0)}
        answer = await plain.receive_message(QueueUrl=dead, WaitTimeSeconds=0, VisibilityTimeout=0)
        assert not answer.get("Messages") or not books.deliveries(), "another has it"
        await asyncio.sleep(0.2)
    assert await service.ended() == 0, service.log_text()
    assert (len(books.deliveries()), await counts(plain, dead)) == (EACH, (0, 0, 0))
