"""A file of letters: read line by line, and what was replayed taken out of it."""

from __future__ import annotations

import asyncio
import fcntl
import tracemalloc
from pathlib import Path

from headrace.letters import Posted
from headrace_connectors.destinations.fileoptions import FileOptions
from headrace_connectors.mailboxes.file import FileMailbox
from support.messages import opening

LARGE = 2**20


def mailbox(path: Path, *, delete: bool = False) -> FileMailbox:
    return FileMailbox(opening(folder=path.parent), FileOptions(path=path.name), delete)


async def read(one: FileMailbox) -> list[Posted]:
    return [posted async for posted in one.letters()]


async def test_it_is_larger_than_memory(tmp_path: Path) -> None:
    """Reading and removing. Mutations, tried: the whole file at once, at either."""
    path = tmp_path / "f"
    path.write_bytes(b"".join(bytes([65 + number]) * LARGE + b"\r\n" for number in range(20)))
    tracemalloc.start()
    one = mailbox(path, delete=True)
    count = 0
    async for posted in one.letters():
        count += 1
        if posted.body[:1] != b"C":
            await one.done(posted)
    await one.close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 8 * LARGE) == (20, True), peak
    assert path.read_bytes() == b"C" * LARGE + b"\n"


async def test_what_is_appended_meanwhile_is_for_the_next(tmp_path: Path) -> None:
    """What is handled may fail again and be written there: mutation, it is met for ever."""
    path = tmp_path / "f"
    path.write_text("1\n2\n")
    bodies = []
    async for posted in mailbox(path).letters():
        bodies.append(posted.body)
        assert len(bodies) < 9
        with path.open("a") as file:
            file.write("3\n")
    assert bodies == [b"1", b"2"]


async def test_a_file_that_took_its_place_while_the_lock_was_waited_for(tmp_path: Path) -> None:
    """Rotation holds the lock too. Mutation, tried: what was written since is replaced by what was there before."""
    path = tmp_path / "f"
    path.write_text("1\n2\n")
    one = mailbox(path, delete=True)
    for posted in await read(one):
        await one.done(posted)
    with path.open("rb") as rotating:
        fcntl.flock(rotating, fcntl.LOCK_EX)
        closing = asyncio.create_task(asyncio.to_thread(asyncio.run, one.close()))
        while not closing.done() and not waited_for(path.stat().st_ino):
            await asyncio.sleep(0.01)
        path.rename(tmp_path / "f.1")
        path.write_text("3\n")
    await closing
    assert (path.read_text(), (tmp_path / "f.1").read_text()) == ("3\n", "1\n2\n")


def waited_for(file: int) -> bool:
    """Whether somebody waits for the lock of the file of that number, as /proc tells it."""
    return any("->" in line and f":{file} " in line for line in Path("/proc/locks").read_text().splitlines())
