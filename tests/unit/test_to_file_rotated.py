"""A file that is begun anew: by size, by day, by several processes at once, and after a crash."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import CONFIRMED
from headrace_connectors.destinations import file
from headrace_connectors.destinations.file import FileDestination, FileOptions, append
from headrace_connectors.destinations.rotation import Rotation, rotated
from support.messages import message, opening

NOON = 1764072000.0
"""2025-11-25T12:00:00Z."""
DAY = 86400.0


def lines(path: Path) -> list[str]:
    return [line for one in (*rotated(path), path) if one.exists() for line in one.read_text().splitlines()]


async def test_a_write_that_would_be_too_much_begins_a_new_file(tmp_path: Path) -> None:
    """Mutations: rotated after it, with which a file is larger; an empty one rotated; a new file for everybody."""
    options = FileOptions(path="f", rotate={"max_bytes": 10})  # type: ignore[arg-type]
    to = FileDestination(opening(folder=tmp_path), options)
    for text in ("1234", "1234", "1", "123456789012345", "1"):
        assert await to.send([message("m", text.encode())]) == [CONFIRMED]
    await to.close()
    path = tmp_path / "f"
    assert [one.read_text() for one in rotated(path)] == ["1234\n1234\n", "1\n", "123456789012345\n"]
    assert path.read_text() == "1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_first_write_of_a_day_begins_a_new_file(tmp_path: Path) -> None:
    """UTC. Mutations: by the file's birth; every write of that day."""
    path, daily = tmp_path / "f", Rotation(daily=True)
    for at, text in ((NOON, b"1\n"), (NOON + 3600, b"2\n"), (NOON + DAY, b"3\n"), (NOON + DAY + 60, b"4\n")):
        assert append(path, text, daily, at) is None
        os.utime(path, (at, at))
    (old,) = rotated(path)
    assert (old.name, old.read_text()) == ("f.2025-11-25T13.00.00.000000Z", "1\n2\n")
    assert path.read_text() == "3\n4\n"


def test_the_oldest_are_dropped(tmp_path: Path) -> None:
    """Mutations: the newest; one more or less; what others have put beside it."""
    path = tmp_path / "f"
    beside = [tmp_path / name for name in ("f.bak", "f2.2025-11-25T13.00.00.000000Z", "f.2025-11-25")]
    for one in beside:
        one.write_text("")
    for number in range(6):
        assert append(path, f"{number}\n".encode(), Rotation(max_bytes=1, keep=2), NOON) is None
    assert lines(path) == ["3", "4", "5"]
    assert all(one.exists() for one in beside)


def test_two_in_one_microsecond_are_two(tmp_path: Path) -> None:
    """Mutation: the second takes the first's name, and its records are gone."""
    path = tmp_path / "f"
    for number in range(4):
        assert append(path, f"{number}\n".encode(), Rotation(max_bytes=1), NOON) is None
        os.utime(path, (NOON, NOON))
    assert lines(path) == ["0", "1", "2", "3"]


def _write(path: Path, first: int, count: int) -> None:
    """Says of each in a file of its own that it was confirmed."""
    with path.with_name(f"said-{first}").open("w", buffering=1) as said:
        for number in range(first, first + count):
            text = b'{"n": %d, "pad": "%s"}\n' % (number, b"x" * 50)
            assert append(path, text, Rotation(max_bytes=500), NOON) is None
            said.write(f"{number}\n")


def start(path: Path, first: int, count: int) -> Any:
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(path, first, count))
    process.start()
    return process


def test_several_processes_lose_nothing_and_write_into_no_file_that_was_moved(tmp_path: Path) -> None:
    """Mutations: no lock; a lock on a file that was renamed meanwhile taken for the file's: it grows too large."""
    path = tmp_path / "f"
    writers = [start(path, 1000 * number, 300) for number in range(3)]
    for one in writers:
        one.join(60)
        assert one.exitcode == 0
    found = Counter(json.loads(line)["n"] for line in lines(path))
    assert sorted(found) == [1000 * number + n for number in range(3) for n in range(300)]
    assert set(found.values()) == {1}
    assert all(one.stat().st_size <= 500 for one in rotated(path))


def test_killed_at_any_point_what_was_confirmed_is_there(tmp_path: Path) -> None:
    """Nothing but a line that nobody confirmed may be torn. Mutation: copied and cut, where names are to be moved."""
    path, confirmed = tmp_path / "f", set[int]()
    for first in range(0, 5000, 1000):
        process, said = start(path, first, 1000), tmp_path / f"said-{first}"
        while not said.exists() or len(said.read_text()) < 200:
            assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        confirmed |= {int(line) for line in said.read_text().splitlines(keepends=True) if line.endswith("\n")}
    whole = [json.loads(line)["n"] for line in lines(path) if line.endswith("}")]
    assert confirmed <= set(whole)
    assert len(whole) == len(set(whole)) <= len(confirmed) + 5


@pytest.mark.parametrize("at", ["rename", "open"])
def test_a_crash_in_the_middle_of_it_leaves_all_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Between the two names there is none. Mutation: the next write fails, or begins with the old file's bytes."""
    path, small = tmp_path / "f", Rotation(max_bytes=1)
    assert append(path, b"1\n", small, NOON) is None

    def crash(*_: object) -> None:
        raise OSError("crashed")

    with monkeypatch.context() as patch:
        patch.setattr(file, "rotate" if at == "rename" else "_write", crash)
        assert append(path, b"2\n", small, NOON) is not None
    assert append(path, b"2\n", small, NOON) is None
    assert lines(path) == ["1", "2"]


def test_a_rotation_has_a_reason() -> None:
    with pytest.raises(ValueError, match="needs max_bytes"):
        Rotation(keep=3)
