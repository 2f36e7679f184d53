"""An HTTP endpoint, and a file on this machine's disk, for the table of faults."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from headrace_connectors.destinations import disk
from support.receiver import Receiver
from support.sites import BRIEF, SLOW, Find, Served, Site, of_json

TAKES = 10_000
"""Bytes of a request that the endpoint takes."""


class HttpSite(Served):
    why: ClassVar = {
        "down": "; is the server up, and url right[?]$",
        "silent": "no answer within 0.5 s",
        "partly": "it answers 503",
        "denied": "it answers 403; correct url or headers",
        "large": "it answers 413",
    }
    large = "x" * 20_000
    limit = TAKES

    def __init__(self, find: Find, folder: Path) -> None:
        super().__init__(find, folder)
        self.receiver = Receiver(takes=TAKES)
        self._timeout = 10.0

    @property
    def where(self) -> str:  # type: ignore[override]
        return f"http localhost:{self.port}/hook"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.port = (await self.stack.enter_async_context(self.receiver)).port
        return self

    @property
    def block(self) -> dict[str, Any]:
        url = f"http://localhost:{self.port}/hook"
        return {"type": "http", "url": url, "format": "json", "timeout": self._timeout}

    async def found(self) -> list[Any]:
        posted, self.receiver.posted = self.receiver.posted, []
        return of_json([one.body for one in posted])

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        await self.receiver.stop()
        try:
            yield
        finally:
            await self.receiver.start()

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        self._timeout = BRIEF
        async with super().silent():
            yield

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        self.receiver.refuses = lambda body: 503 if b"spoilt" in body else None
        yield
        self.receiver.refuses = lambda _: None

    @asynccontextmanager
    async def denied(self) -> AsyncIterator[None]:
        self.receiver.refuses = lambda _: 403
        yield
        self.receiver.refuses = lambda _: None


class FileSite(Site):
    """Its server is the disk: a link leads to where it is mounted, or is not."""

    why: ClassVar = {
        "down": "No such file or directory; make its folder, or mount its disk$",
        "silent": "the disk did not confirm the write within 0.5 s",
        "partly": "File too large; rotate it",
        "denied": "Not a directory; its folder is a file|Permission denied; let this user write",
    }
    bounds: ClassVar = {disk: "PATIENCE"}
    some = 0

    def __init__(self, find: Find, folder: Path) -> None:
        super().__init__(find, folder)
        self._mount = folder / "mount"
        self._mount.mkdir()
        self._path, self._seen = folder / "failed.jsonl", 0
        self._path.symlink_to(self._mount / self._path.name)
        self.where = f"file {self._path}"

    @property
    def block(self) -> dict[str, Any]:
        return {"type": "file", "path": str(self._path)}

    async def found(self) -> list[Any]:
        """Every line that was written to its end."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        return of_json([line for line in new if line.endswith(b"}") and line.startswith(b"{")])

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        away = self._mount.rename(self.folder / "unmounted")
        yield
        away.rename(self._mount)

    @asynccontextmanager
    async def late(self) -> AsyncIterator[None]:
        """Another process holds the file's lock for a moment."""
        with self._locked() as file:
            asyncio.get_running_loop().call_later(3 * SLOW, fcntl.flock, file, fcntl.LOCK_UN)
            yield

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
        finally:
            os.close(file)

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        """The disk is full in the middle of a write: no file may be larger than three records and a half more.

        The file is so large already that the limit, which is the process's, is met by no other.
        """
        self.filling = self.spoilt = "x" * 20_000
        begin = 2**24
        with self._path.open("wb") as file:
            file.seek(begin - 1)
            file.write(b"\n")
        self._seen = len(self._path.read_bytes().splitlines())
        before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (begin + 70_000, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))

    @asynccontextmanager
    async def denied(self) -> AsyncIterator[None]:
        """No rights keep root from writing: for root there is a file where the folder should be."""
        if os.geteuid():
            self._mount.chmod(0o500)
            yield
            self._mount.chmod(0o700)
            return
        self._mount.rmdir()
        self._mount.write_text("")
        yield
        self._mount.unlink()
        self._mount.mkdir()
