"""Writes to the disk, one after another, in a thread of their own: a disk that hangs costs one thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.destination import CONFIRMED, PATIENCE, Reply, Said
from headrace.functions.workers import Workers


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
        return CONFIRMED if error is None else Reply(Said.FAILED, error.strerror or str(error))

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


def sync_folder(folder: Path) -> None:
    """A new file's name must be on the disk, too. Some file systems cannot do that to a folder, and need not."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)
