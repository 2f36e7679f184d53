"""The servers that a config's testbed needs, from start to end: a Kafka broker, and Redis where its state wants one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import getpid
from pathlib import Path

from headrace.clock import SYSTEM
from headrace.config import Config
from headrace_connectors.testbed import brokers
from headrace_connectors.testbed.jars import Progress
from headrace_connectors.testbed.place import Place, Running, kafka_cache
from headrace_connectors.testbed.valkey import Valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person asked for."""

    bootstrap_servers: str | None = None
    only: brokers.Only = "any"


@contextmanager
def started(place: Place, config: Config, choice: Choice, progress: Progress, *, lasting: bool) -> Iterator[Running]:
    """Start them; all end with the block, and with this process however it ends. Whoever asks `place` finds them.

    Raises:
        ServerUnavailable: one cannot be had, or does not start.
        TakenError: another process runs this config's testbed.
    """
    with place.held():
        _forget(place)
        chosen = brokers.choose(
            choice.bootstrap_servers,
            cache=kafka_cache(),
            folder=place.folder / "broker",
            progress=progress,
            only=choice.only,
        )
        progress(f"starting {chosen.name}" if not choice.bootstrap_servers else f"using {chosen.name}", 0, 0)
        with chosen.broker as broker, _redis(config, place.folder / "redis", progress) as redis:
            running = Running(
                pid=getpid(),
                bootstrap_servers=broker.bootstrap_servers,
                broker=chosen.name,
                redis=redis,
                existing=choice.bootstrap_servers is not None,
                since=SYSTEM.wall(),
                lasting=lasting,
            )
            place.tell(running)
            try:
                yield running
            finally:
                progress("stopping", 0, 0)
        _remove(place.folder / "broker", place.folder / "redis")


@contextmanager
def _redis(config: Config, folder: Path, progress: Progress) -> Iterator[str]:
    """The URL of a Redis of the testbed's own; empty where the config's state wants none."""
    if not config.state.startswith("redis"):
        yield ""
        return
    progress("starting Redis", 0, 0)
    with Valkey(folder=folder) as valkey:
        yield f"{valkey.url}/0"


def _forget(place: Place) -> None:
    """What an earlier testbed left behind, which was another cluster."""
    _remove(place.folder / "broker", place.folder / "redis", place.counts)
    place.state.unlink(missing_ok=True)
    place.last_report.unlink(missing_ok=True)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def state_of(config: Config, place: Place, running: Running) -> str:
    """The ledger of the testbed: of the same kind as the config's, and never the same."""
    if running.redis:
        return running.redis
    return "memory:" if config.state == "memory:" else f"sqlite:{place.state}"
