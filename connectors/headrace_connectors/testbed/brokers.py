"""Which Kafka a testbed stands on: a cluster that exists, else Apache Kafka, else the broker from PyPI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, TypeAlias

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import installation, tansu
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.jars import VERSION, Progress, silent
from headrace_connectors.testbed.java import find_java, find_maven
from headrace_connectors.testbed.wheel import MEND

Only: TypeAlias = Literal["any", "apache", "pypi"]


class Broker(Protocol):
    """What a `with` block has for its duration: a cluster at `bootstrap_servers`. It is known only inside the block."""

    @property
    def bootstrap_servers(self) -> str: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Existing:
    """A cluster that others run: nothing is started, and nothing ended."""

    bootstrap_servers: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """It goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A broker, not started, with what to call it and why it is this one: for people."""

    broker: Broker
    name: str
    reason: str


def why_not_apache(cache: Path) -> str | None:
    """Why Apache Kafka cannot be had, with the mend; None where it can. It asks the machine and not the network."""
    try:
        find_java()
        if not installation.at_hand(cache):
            find_maven()
    except ServerUnavailable as error:
        return str(error)
    return None


def choose(
    bootstrap_servers: str | None = None,
    *,
    cache: Path,
    folder: Path | None = None,
    port: int = 0,
    progress: Progress = silent,
    only: Only = "any",
) -> Choice:
    """The broker of a testbed. `cache`: where Apache Kafka's jars are kept. `folder`, `port`: as `Server` has them.

    `only`: this one and no other.

    Raises:
        ServerUnavailable: there is none: why, and what to install.
    """
    if bootstrap_servers:
        return Choice(broker=Existing(bootstrap_servers), name=bootstrap_servers, reason="its address was given")
    missing = why_not_apache(cache) if only != "pypi" else "the broker from PyPI was asked for"
    if missing is None:
        try:
            ready = installation.prepare(cache, progress)
        except ServerUnavailable as error:
            missing = str(error)
        else:
            apache = ApacheKafka(ready, folder=folder, port=port)
            return Choice(broker=apache, name=f"Apache Kafka {VERSION}", reason=f"Java and its jars are in {cache}")
    if only == "apache":
        raise ServerUnavailable(f"Apache Kafka cannot be had: {missing}")
    if tansu.at_hand():
        return Choice(broker=tansu.Tansu(folder=folder, port=port), name="Tansu", reason=missing)
    raise ServerUnavailable(
        f"no Kafka broker can be had. {missing}. Or install the broker from PyPI: {MEND}; or name a cluster with"
        " --bootstrap-servers"
    )
