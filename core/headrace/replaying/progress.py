"""What was replayed already, in a file of its own: what an interrupted replay goes on by.

One line a letter, on the disk before the next letter is begun. A line that a crash has torn says nothing: its letter
is replayed again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson

from headrace.errors import HeadraceError

WHOLE: Final = "*"
"""In place of records: the letter with all that is in it."""


class Busy(HeadraceError):  # noqa: N818 - it says why a replay does not begin
    """Another replay of the same letters runs."""


class NotProgress(HeadraceError):  # noqa: N818 - as above
    """The file that was named is another's."""


_BEGIN: Final = b'{"letter":'
"""Of every line."""


class Progress:
    """The file of one place of letters. Held by one process at a time.

    Raises:
        Busy: another process has it.
        NotProgress: it holds something else, which stays as it is.
        OSError: it cannot be kept.
    """

    def __init__(self, path: Path, *, restart: bool = False) -> None:
        self.path = path
        self._done: dict[str, set[str]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(path)
        text = path.read_bytes()
        if not _is_progress(text):
            os.close(self._file)
            raise NotProgress(f"{path} holds something else than what was replayed: name another file")
        if restart:
            os.ftruncate(self._file, 0)
        else:
            self._read(text)

    @property
    def letters(self) -> Collection[str]:
        """The names of those of which something was replayed."""
        return self._done.keys()

    def done(self, letter: str) -> AbstractSet[str]:
        """The records of a letter that were replayed; `WHOLE` among them: all."""
        return self._done.get(letter, frozenset())

    def note(self, letter: str, records: Collection[str]) -> None:
        """Those of *letter* were replayed now. On the disk when it returns."""
        self._done.setdefault(letter, set()).update(records)
        self._write({"letter": letter, "done": sorted(records)})
        os.fsync(self._file)

    def forget(self, letter: str) -> None:
        """It is not there any more: another of its name is another letter."""
        if self._done.pop(letter, None) is not None:
            self._write({"letter": letter, "gone": True})

    def close(self) -> None:
        """Where nothing is remembered, no file stays. May be called twice."""
        if self._file >= 0:
            if not self._done:
                with suppress(OSError):
                    self.path.unlink()
            os.close(self._file)
            self._file = -1

    def _write(self, line: dict[str, object]) -> None:
        left = memoryview(orjson.dumps(line) + b"\n")
        while left:
            left = left[os.write(self._file, left) :]

    def _read(self, text: bytes) -> None:
        for line in text.splitlines():
            with suppress(orjson.JSONDecodeError, KeyError, TypeError):
                found = orjson.loads(line)
                if found.get("gone"):
                    self._done.pop(found["letter"], None)
                else:
                    self._done.setdefault(found["letter"], set()).update(found["done"])
        if text and not text.endswith(b"\n"):
            os.write(self._file, b"\n")  # the torn line ends here, so that nothing is glued to it


def _is_progress(text: bytes) -> bool:
    """Also where lines were torn: of one that a crash has left there is a beginning, or zeros."""
    lines = (line.strip(b"\0") for line in text.splitlines())
    return all(line.startswith(_BEGIN) or _BEGIN.startswith(line) for line in lines)


def _locked(path: Path) -> int:
    """The file of that name, open and ours alone: not one that another has removed at its end."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise Busy("another replay of it runs: wait for it, or stop it") from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)


def default_path(service: str, place: str) -> Path:
    """Of letters that lie at *place*: `$XDG_STATE_HOME/headrace/replay/…`.

    Raises:
        RuntimeError: there is neither that variable nor a home.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    root = state if state.is_absolute() else Path.home() / ".local" / "state"
    return root / "headrace" / "replay" / f"{sha256(orjson.dumps([service, place])).hexdigest()[:32]}.jsonl"
