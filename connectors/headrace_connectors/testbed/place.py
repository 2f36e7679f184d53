"""Where a config's testbed keeps what it must remember, and whether one runs.

Who runs it holds a lock for as long as it lives. The kernel takes the lock back however it ends: a process id that
another has by now, or a reboot, misleads nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from headrace.clock import SYSTEM
from headrace.errors import ServerUnavailable
from headrace.retry import while_busy

LOOKED_AT: Final = 0.5
"""Seconds: who only looks whether it is held, holds it for a moment."""

LOOK_EVERY: Final = 0.05
STARTING: Final = 300.0
"""Seconds that another may take to start: it may be fetching Apache Kafka."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A testbed's servers, and who holds them. `redis` is a URL, empty without one; `since` in Unix seconds."""

    pid: int
    bootstrap_servers: str
    broker: str
    redis: str = ""
    since: float = 0.0
    existing: bool = False
    """Its cluster is not ours to end."""
    lasting: bool = False
    """It was begun by `up`, and goes on until `down`."""

    @classmethod
    def of(cls, told: Any) -> Self:
        """Another version of headrace may have written more."""
        return cls(**{field.name: told[field.name] for field in fields(cls) if field.name in told})


class TakenError(Exception):
    """Another process holds it."""


def cache() -> Path:
    """The folder for what is fetched once and for what testbeds remember, of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "headrace").absolute()


def kafka_cache() -> Path:
    """Where Apache Kafka's jars are kept."""
    return (cache() / "servers").resolve()  # one place, by one name: the archive of classes knows it


class Place:
    """The folder of one config's testbed: it is of the config's own path."""

    def __init__(self, config: Path) -> None:
        whole = config.resolve()
        digest = hashlib.sha256(str(whole).encode()).hexdigest()[:10]
        self.folder = cache() / "testbed" / f"{whole.stem}-{digest}"
        self.log = self.folder / "log"
        self.counts = self.folder / "counts"
        self.last_report = self.folder / "report.json"
        self.state = self.folder / "state.db"
        self._lock, self._told = self.folder / "lock", self.folder / "running.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else holds it meanwhile.

        Raises:
            TakenError: somebody does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            try:
                while_busy(lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB), _is_taken, within=LOOKED_AT)
            except BlockingIOError:
                raise TakenError from None
            self._told.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._told.unlink(missing_ok=True)

    def tell(self, running: Running) -> None:
        """By who holds it: what runs."""
        write(self._told, asdict(running))

    @property
    def is_held(self) -> bool:
        try:
            with self._lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def wait(self) -> Running:
        """What another process is starting.

        Raises:
            ServerUnavailable: it has not, for long, or has given up.
        """
        deadline = SYSTEM.boot() + STARTING
        while SYSTEM.boot() < deadline and self.is_held:
            if (found := self.running()) is not None:
                return found
            time.sleep(LOOK_EVERY)
        raise ServerUnavailable(
            f"another process began a testbed of this config, and has not got it to run: {self.log}"
        )

    def running(self) -> Running | None:
        """What runs; None where nothing does, or not yet."""
        if not self.is_held:
            return None
        try:
            return Running.of(json.loads(self._told.read_text()))
        except FileNotFoundError:
            return None


def _is_taken(error: BaseException) -> bool:
    return isinstance(error, BlockingIOError)


def write(file: Path, value: Any) -> None:
    """All of it or nothing, whenever somebody reads."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps(value))
    scratch.replace(file)
