"""A file of failure records, as the destination of the type `file` writes it."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from headrace.errors import SourceUnavailable
from headrace.letters import Posted
from headrace.mailbox import MailboxKind
from headrace.plugins import Opening
from headrace_connectors.destinations.fileoptions import FileOptions

SCHEME: Final = "file:"


class FileMailbox:
    """One letter a line. What is done stays in the file, unless it is to be removed: then it goes at the end.

    A letter is known by what it says, and by how many before it say the same: lines that were removed or moved to
    another file change no names.
    """

    keeps = True

    def __init__(self, opening: Opening, options: FileOptions, delete: bool) -> None:  # noqa: FBT001 - MailboxKind's
        self._path = opening.folder / options.path
        self.name = f"file {self._path}"
        self._delete = delete
        self._done: set[str] = set()

    async def letters(self) -> AsyncIterator[Posted]:
        try:
            with self._path.open("rb") as file:
                now = os.fstat(file.fileno())
                for name, line in named(_lines(file, now.st_size)):
                    yield Posted(id=name, body=line, at=now.st_mtime)
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror}") from error

    async def done(self, posted: Posted) -> None:
        if self._delete:
            self._done.add(posted.id)

    async def back(self, posted: Posted) -> None:
        """It is there."""

    async def close(self) -> None:
        done, self._done = self._done, set()
        if done:
            try:
                _remove(self._path, done)
            except OSError as error:
                raise SourceUnavailable(f"{self.name} cannot be written: {error.strerror}") from error


def _lines(file: BinaryIO, end: int | None = None) -> Iterator[bytes]:
    """One by one, for a file may be larger than memory; those that begin before *end*."""
    while (end is None or file.tell() < end) and (line := file.readline()):
        yield line.rstrip(b"\r\n")


def named(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each line that is not empty, with its name."""
    seen: Counter[str] = Counter()
    for line in lines:
        if line.strip():
            digest = sha256(line).hexdigest()[:20]
            seen[digest] += 1
            yield (f"{digest}.{seen[digest]}" if seen[digest] > 1 else digest), line


def _remove(path: Path, names: set[str]) -> None:
    """Another file takes its place at once and whole. Who appends meanwhile waits for the lock, and sees that."""
    with _locked(path) as whole:
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        with beside.open("xb") as rest:
            os.fchmod(rest.fileno(), os.fstat(whole.fileno()).st_mode & 0o777)
            rest.writelines(line + b"\n" for name, line in named(_lines(whole)) if name not in names)
            rest.flush()
            os.fsync(rest.fileno())
        beside.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file of that name, which it may have taken from another while the lock was waited for."""
    while True:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def _text(text: str) -> Mapping[str, Any] | None:
    """A path is told from a name by a slash or a dot."""
    if text.startswith(SCHEME):
        return {"path": text.removeprefix(SCHEME).removeprefix("//")}
    return {"path": str(Path(text).absolute())} if "://" not in text and any(one in text for one in "/.") else None


file = MailboxKind(
    type="file",
    form="a file's path",
    options=FileOptions,
    text=_text,
    identity=lambda opening, options: os.path.abspath(opening.folder / options.path),  # noqa: PTH100 - follows no links
    open=FileMailbox,
)
