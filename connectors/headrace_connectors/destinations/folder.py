"""A folder as a claim check: a file for each record that is too large for others, on the disk before it counts."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from headrace.claims import Claim, Claims, object_name
from headrace.destination import Message, Reply
from headrace.errors import DestinationUnavailable, Fault
from headrace.plugins import Opening, Probe
from headrace_connectors.destinations.disk import Disk, sync_folder
from headrace_connectors.destinations.fileoptions import FileOptions

MODE = 0o700
"""Of a folder that is made here; its files are their owner's alone, too."""


class FolderClaims:
    """A file is written aside and then named, so that nobody reads half of one, and a repeat overwrites itself."""

    def __init__(self, opening: Opening, options: FileOptions) -> None:
        self.name = f"file {options.path}"
        self._opening, self._folder = opening, place_of(opening, options)
        self._disk = Disk(opening.mapping)

    def claim(self, message: Message) -> Claim:
        return {"type": "file", "path": str(self._path(message))}

    async def keep(self, message: Message) -> Reply:
        return await self._disk.write(partial(_written, self._path(message), message.body))

    async def close(self) -> None:
        self._disk.close()

    def _path(self, message: Message) -> Path:
        return self._folder / object_name(self._opening.uuid, message)


def place_of(opening: Opening, options: FileOptions) -> Path:
    """The folder, from wherever it is looked at."""
    return Path(os.path.abspath(opening.folder / options.path))  # noqa: PTH100 - resolve() would follow links


def _written(path: Path, body: bytes) -> OSError | None:
    """Write and wait until the disk has it; why that failed, if it did."""
    try:
        is_new = not path.parent.exists()
        path.parent.mkdir(MODE, exist_ok=True)
        file, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # for its owner only
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(body)
                opened.flush()
                os.fsync(opened.fileno())
            Path(aside).replace(path)
        except OSError:
            with suppress(OSError):
                Path(aside).unlink()
            raise
        sync_folder(path.parent)
        if is_new:
            sync_folder(path.parent.parent)
    except OSError as error:
        return error
    return None


async def _fetch(opening: Opening, options: FileOptions, claim: Claim) -> bytes:
    """The file of *claim*."""
    path = Path(claim.get("path", ""))
    if path.parent != place_of(opening, options):
        raise ValueError(f"the claim check is of another place than {options.path}")
    try:
        return path.read_bytes()  # noqa: ASYNC240 - by headrace replay, which has nothing else to do
    except OSError as error:
        raise DestinationUnavailable(f"file {path}: {error.strerror}") from error


def _check(opening: Opening, options: FileOptions) -> Iterator[Fault]:
    folder = place_of(opening, options)
    if options.rotate is not None:
        yield Fault("rotate", "is for a file of lines; as a claim check it is a folder, with a file for each record")
    try:
        if folder.exists() and not stat.S_ISDIR(folder.stat().st_mode):
            yield Fault("path", "is not a folder; as a claim check name one, or one that does not exist yet")
        elif not folder.parent.is_dir():
            yield Fault("path", "the folder that it is in does not exist; make it, or correct the path")
    except (OSError, ValueError) as error:
        yield Fault("path", f"cannot be looked at: {error}")


async def _probe(opening: Opening, options: FileOptions) -> Probe:
    """There is no server; the rights are looked at."""
    folder = place_of(opening, options)
    if os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK):
        return Probe()
    return Probe(faults=[Fault("path", "this user may not write into it; change its rights")])


def address_of(opening: Opening, options: FileOptions) -> str:
    """What a file and a folder of one path have in common."""
    return f"file:{place_of(opening, options)}"


claims = Claims(open=FolderClaims, fetch=_fetch, probe=_probe, check=_check, apart=address_of)
