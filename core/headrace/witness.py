"""What this machine has seen begun in a store: an emptied store is not taken for a first start.

One small file for each mapping of each store, in a folder of the machine's own, beside no store: what empties the store
leaves it. It holds no position; it only says that there were some.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from headrace.clock import SYSTEM, Clock
from headrace.observe import Log

UNKNOWN = "a time that cannot be read any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A graph that was seen: of which stream, which writing of it, in which store, and when first (ISO 8601)."""

    identity: str = ""
    generation: str = ""
    store: str = ""
    since: str = UNKNOWN


class Witness(Protocol):
    """Remembers the last graph that was seen of each mapping, beyond the end of the process."""

    def begun(self, mapping: str) -> Begun | None:
        """What was seen of *mapping* last; None: nothing ever."""
        ...

    def saw(self, mapping: str, identity: str, generation: str) -> None:
        """The store has this graph. Never raises: who cannot remember says so once."""
        ...


class NoWitness:
    """For a store that cannot be named, or emptied by anybody else: an object of the caller's, or memory."""

    def begun(self, mapping: str) -> Begun | None:  # noqa: ARG002 - as the protocol has it
        return None

    def saw(self, mapping: str, identity: str, generation: str) -> None:
        pass


class FileWitness:
    """In *folder*, of the mappings of *service* in the store at *url*."""

    def __init__(self, url: str, service: str, *, log: Log, folder: Path | None = None, clock: Clock = SYSTEM) -> None:
        self._store, self._service = _public(url), service
        self._folder, self._log, self._clock = folder, log, clock
        self._known: dict[str, str] = {}
        self._silent = False

    def begun(self, mapping: str) -> Begun | None:
        try:
            text = self._file(mapping).read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, RuntimeError) as error:
            self._cannot(error)
            return None
        try:
            found = json.loads(text)
            return Begun(**{name: str(found[name]) for name in Begun.__slots__})
        except (ValueError, TypeError, KeyError):  # it is there: something was begun
            return Begun(store=self._store)

    def saw(self, mapping: str, identity: str, generation: str) -> None:
        if self._known.get(mapping) == generation:
            return
        self._known[mapping] = generation
        before = self.begun(mapping)
        if before is not None and before.generation == generation:
            return
        begun = {
            "service": self._service,
            "mapping": mapping,
            "store": self._store,
            "identity": identity,
            "generation": generation,
            "since": datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="seconds"),
        }
        try:
            self._write(self._file(mapping), json.dumps(begun, indent=1))
        except (OSError, RuntimeError) as error:
            self._cannot(error)

    def _file(self, mapping: str) -> Path:
        """RuntimeError: there is no home to keep it in."""
        name = sha256(json.dumps([self._store, self._service, mapping]).encode()).hexdigest()[:32]
        return (self._folder or default_folder()) / f"{name}.json"

    @staticmethod
    def _write(file: Path, text: str) -> None:
        """Whole or not at all, though others write it too."""
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(text, "utf-8")
        beside.replace(file)

    def _cannot(self, error: Exception) -> None:
        if not self._silent:
            self._silent = True
            why = "this machine cannot tell an emptied store from a first start"
            mend = "set XDG_STATE_HOME to a folder that can be written and outlives the process"
            self._log.warning("witness.not_kept", error=str(error), why=why, mend=mend)


def witness_of(url: str, service: str, log: Log) -> Witness:
    """The one for the store at *url*."""
    return NoWitness() if url == "memory:" else FileWitness(url, service, log=log)


def default_folder() -> Path:
    """`$XDG_STATE_HOME/headrace/begun`, as the XDG Base Directory Specification has it.

    Raises:
        RuntimeError: there is neither that variable nor a home.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "headrace" / "begun"


def _public(url: str) -> str:
    """Where the store is, whoever asks: without user, password and query."""
    if not url.startswith("sqlite:"):
        return re.sub(r"//[^/]*@", "//", url).partition("?")[0]
    return f"sqlite:{Path(url.removeprefix('sqlite:')).absolute()}"
