"""A file as a destination: whole lines, on the disk before they count."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from headrace.destination import CONFIRMED, Message, Said
from headrace.plugins import Opening
from headrace_connectors.destinations import disk, file
from headrace_connectors.destinations.file import FileDestination, FileOptions, append
from support.messages import message
from support.messages import opening as opened


def opening(folder: Path) -> Opening:
    return opened(folder=folder)


def messages(*texts: str) -> list[Message]:
    return [message(text, text.encode()) for text in texts]


async def test_lines_are_appended_and_the_file_is_its_owners(tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    to = FileDestination(opening(tmp_path), FileOptions(path="sub/failed.jsonl"))
    assert await to.send(messages("1", "2")) == [CONFIRMED] * 2
    assert await to.send(messages("3")) == [CONFIRMED]
    await to.close()
    path = tmp_path / "sub" / "failed.jsonl"
    assert path.read_text() == "1\n2\n3\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_many_at_once_lose_nothing_and_mix_nothing(tmp_path) -> None:
    """Two mappings, one file."""
    ones = [FileDestination(opening(tmp_path), FileOptions(path="f")) for _ in range(2)]
    texts = [f"{number:04}" * 500 for number in range(200)]
    await asyncio.gather(*(ones[n % 2].send(messages(text)) for n, text in enumerate(texts)))
    assert sorted((tmp_path / "f").read_text().splitlines()) == sorted(texts)
    for one in ones:
        await one.close()


async def test_a_write_waits_for_that_of_another_process(tmp_path) -> None:
    """Mutation: no lock, with which another's half-written line is taken for a torn one."""
    to = FileDestination(opening(tmp_path), FileOptions(path="f"))
    with (tmp_path / "f").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        sending = asyncio.ensure_future(to.send(messages("1")))
        done, _ = await asyncio.wait({sending}, timeout=0.2)
        assert not done
        other.write(b"0\n")
    assert await sending == [CONFIRMED]
    assert (tmp_path / "f").read_text() == "0\n1\n"
    await to.close()


def test_a_torn_line_is_ended_before_the_next(tmp_path) -> None:
    """A crash or a full disk leaves one. Mutation: the next record glued to it, and unreadable."""
    path = tmp_path / "f"
    path.write_text('{"whole": 1}\n{"to')
    assert append(path, b'{"next": 1}\n') is None
    assert path.read_text() == '{"whole": 1}\n{"to\n{"next": 1}\n'
    assert append(path, b"{}\n") is None
    assert path.read_text().endswith('\n{"next": 1}\n{}\n')


async def test_it_is_on_the_disk_before_it_counts(tmp_path, monkeypatch) -> None:
    """Mutations: no fsync; fsync on the loop, where a slow disk stops everything; a reply before it."""
    synced, threads, gate = [], set(), threading.Event()

    def fsync(number: int) -> None:
        gate.wait(10)
        threads.add(threading.current_thread())
        synced.append(Path(f"/proc/self/fd/{number}").resolve().name)

    monkeypatch.setattr(os, "fsync", fsync)
    to = FileDestination(opening(tmp_path), FileOptions(path="f"))
    sending = asyncio.ensure_future(to.send(messages("1")))
    done, _ = await asyncio.wait({sending}, timeout=0.2)
    assert not done
    gate.set()
    assert await sending == [CONFIRMED]
    assert synced == ["f", tmp_path.name]
    assert threading.main_thread() not in threads
    assert all(thread.daemon for thread in threads)
    await to.close()


async def test_a_disk_that_hangs_costs_one_thread(tmp_path, monkeypatch) -> None:
    """Mutation: a thread for every try."""
    gate, hanging = threading.Event(), []

    def fsync(_: int) -> None:
        hanging.append(1)
        gate.wait(20)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(disk, "PATIENCE", 0.1)
    to = FileDestination(opening(tmp_path), FileOptions(path="f"))
    for _ in range(3):
        (reply,) = await to.send(messages("1"))
        assert reply.said is Said.FAILED
        assert "did not confirm" in reply.reason
    async with asyncio.timeout(30):
        while not hanging:
            await asyncio.sleep(0.01)
    assert len(hanging) == 1
    gate.set()
    monkeypatch.setattr(disk, "PATIENCE", 10)
    assert await to.send(messages("2")) == [CONFIRMED]
    assert (tmp_path / "f").read_text() == "1\n2\n"  # the first came too late to be confirmed, and is there
    await to.close()


async def test_what_the_disk_says_is_the_reason(tmp_path) -> None:
    to = FileDestination(opening(tmp_path), FileOptions(path="gone/f"))
    replies = await to.send(messages("1", "2"))
    assert [(one.said, one.reason) for one in replies] == [
        (Said.FAILED, "No such file or directory; make its folder, or mount its disk")
    ] * 2
    (tmp_path / "gone").mkdir()
    assert await to.send(messages("1")) == [CONFIRMED]
    await to.close()


async def test_a_full_disk_keeps_what_was_confirmed(tmp_path) -> None:
    """/dev/full takes nothing. Mutation: a write that is short counts as done."""
    if not Path("/dev/full").exists():
        return
    to = FileDestination(opening(Path("/dev")), FileOptions(path="full"))
    (reply,) = await to.send(messages("1"))
    assert (reply.said, reply.reason) == (Said.FAILED, "No space left on device; make room")
    await to.close()


async def test_a_write_that_found_no_thread_is_not_waited_for(tmp_path) -> None:
    """Catches: one moment without a thread to spare, and every later write waits for a write that never began."""
    to = FileDestination(opening(tmp_path), FileOptions(path="failed.jsonl"))
    start, to._disk._workers._start = to._disk._workers._start, _no_thread
    with pytest.raises(RuntimeError):
        await to.send(messages("1"))
    to._disk._workers._start = start
    async with asyncio.timeout(5):
        assert await to.send(messages("2")) == [CONFIRMED]
    await to.close()


async def test_nobody_is_asked_where_the_file_is(tmp_path) -> None:
    """Mutation: the path as if a server had told it; `explain` then shows an origin that there is not."""
    probed = await file.file.probe(opening(tmp_path), FileOptions(path="failed.jsonl"))
    assert (probed.values, probed.faults) == ({}, ())


def _no_thread() -> None:
    raise RuntimeError("can't start new thread")


def test_what_is_appended_while_another_file_takes_its_place_is_in_that_one(tmp_path: Path) -> None:
    """`replay --delete` writes the rest of a file anew. Mutation, tried: the line goes to the file that is gone."""
    path = tmp_path / "failed.jsonl"
    path.write_text("old\n")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        appending = threading.Thread(target=append, args=(path, b"new\n"))
        appending.start()
        while _times_open(path) < 2:
            time.sleep(0.01)
        beside = tmp_path / "beside"
        beside.write_text("rest\n")
        beside.replace(path)
    appending.join()
    assert path.read_text() == "rest\nnew\n"


def _times_open(path: Path) -> int:
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += one.readlink() == path
    return found
