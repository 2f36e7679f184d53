"""A file as a destination: JSON lines, appended, and on the disk before they count as taken."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.destination import Message, Reply
from headrace.errors import Fault
from headrace.plugins import DestinationKind, Opening, Probe
from headrace_connectors.destinations import folder
from headrace_connectors.destinations.disk import Disk, sync_folder
from headrace_connectors.destinations.fileoptions import FileOptions
from headrace_connectors.destinations.rotation import Rotation, is_due, rotate

MODE = 0o600
"""Of a file that is made here: it holds whole messages. One that is there keeps its own."""


class FileDestination:
    """Opens the file for each write, so that it may be rotated by renaming it: by us, or by logrotate.

    A write locks the file and appends: several mappings and processes may share one. One that took longer than
    `PATIENCE` may be on the disk after all, and then comes twice.
    """

    def __init__(self, opening: Opening, options: FileOptions) -> None:
        self.name = f"file {options.path}"
        self._path, self._rotation, self._clock = opening.folder / options.path, options.rotate, opening.clock
        self._disk = Disk(opening.mapping)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        lines = b"".join([one.body + b"\n" for one in messages])
        reply = await self._disk.write(lambda: append(self._path, lines, self._rotation, self._clock.wall()))
        return [reply] * len(messages)

    async def close(self) -> None:
        self._disk.close()


def append(path: Path, lines: bytes, rotation: Rotation | None = None, now: float = 0.0) -> OSError | None:
    """Append *lines* and wait until the disk has them; why that failed, if it did.

    What a crash, or a full disk, has left of a line is ended first, so that nothing is glued to it.
    """
    try:
        is_new = not path.exists()
        while not _appended(path, lines, rotation, now):
            is_new = True
        if is_new:
            sync_folder(path.parent)
    except OSError as error:
        return error
    return None


def _appended(path: Path, lines: bytes, rotation: Rotation | None, now: float) -> bool:
    """False: the file was rotated instead."""
    with _locked(path) as file:
        found = os.fstat(file)
        if rotation is not None and is_due(rotation, found, len(lines), now):
            rotate(path, rotation, found)
            return False
        _write(file, lines)
        os.fsync(file)
        return True


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file of that name, open and ours alone: not one that was renamed while we waited for it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            with suppress(OSError):  # where a file system knows no locks, a line may be ended that was whole
                fcntl.flock(file, fcntl.LOCK_EX)  # let go by close
            if _is_called(path, file):
                yield file
                return
        finally:
            os.close(file)


def _is_called(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _write(file: int, lines: bytes) -> None:
    size = os.fstat(file).st_size
    torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    left = memoryview(b"\n" + lines if torn else lines)
    while left:
        left = left[os.write(file, left) :]


def _check(opening: Opening, options: FileOptions) -> Iterator[Fault]:
    path = opening.folder / options.path
    try:
        if not path.parent.is_dir():
            yield Fault("path", "its folder does not exist; make it, or correct the path")
        elif path.exists() and not stat.S_ISREG(path.stat().st_mode):
            yield Fault("path", "is not a file; name one that is, or one that does not exist yet")
    except (OSError, ValueError) as error:
        yield Fault("path", f"cannot be looked at: {error}")


async def _probe(opening: Opening, options: FileOptions) -> Probe:
    """There is no server; the rights are looked at."""
    path = opening.folder / options.path
    if os.access(path if path.exists() else path.parent, os.W_OK):
        return Probe()
    return Probe(faults=[Fault("path", "this user may not write to it; change its rights, or those of its folder")])


file = DestinationKind(
    type="file",
    summary="A file of JSON lines, one record a line, on the disk before it counts as taken.",
    options=FileOptions,
    open=FileDestination,
    probe=_probe,
    check=_check,
    addresses=lambda opening, options: (folder.address_of(opening, options),),
    claims=folder.claims,
)
