"""Writes to the disk, one after another, in a thread of their own: a disk that hangs costs one thread."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from headrace.destination import CONFIRMED, PATIENCE, Reply, Said
from headrace.functions.workers import Workers

_RIGHTS: Final = "let this user write there"
_ROOM: Final = "make room"
MENDS: Final[Mapping[int | None, str]] = {
    errno.ENOENT: "make its folder, or mount its disk",
    errno.ENOTDIR: "its folder is a file; correct the path, or move that file",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "rotate it, or raise what a file may hold",
}
"""What a person can do about an error of the disk."""


class Disk:
    """Of one destination of *mapping*."""

    def __init__(self, mapping: str) -> None:
        self._workers = Workers(f"headrace-file-{mapping}")
        self._writing: asyncio.Future[OSError | None] | None = None
        self._turn = asyncio.Lock()

    async def write(self, work: Callable[[], OSError | None]) -> Reply:
        """Have *work* done, which returns why it failed, if it did; what takes longer than `PATIENCE` ends later."""
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                error = await self._done(work)
        except TimeoutError:
            error = OSError(f"the disk did not confirm the write within {PATIENCE:g} s")
        return CONFIRMED if error is None else Reply(Said.FAILED, _words(error))

    async def _done(self, work: Callable[[], OSError | None]) -> OSError | None:
        if self._writing is not None and not self._writing.done():
            await asyncio.shield(self._writing)  # it was given up for its time, but its thread still runs
        writing: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()

        def done(error: OSError | None) -> None:
            if not writing.done():
                writing.set_result(error)

        self._workers.submit(work, done)
        self._writing = writing  # only now: no thread, and nothing would ever answer
        return await asyncio.shield(writing)

    def close(self) -> None:
        self._workers.close()


def _words(error: OSError) -> str:
    mend = MENDS.get(error.errno)
    return f"{error.strerror or error}{f'; {mend}' if mend else ''}"


def sync_folder(folder: Path) -> None:
    """A new file's name must be on the disk, too. Some file systems cannot do that to a folder, and need not."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)
