"""The testbed in containers as data: its services, where each listens, and what others call it by.

Only YAML is read: neither an engine nor docker-compose is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "compose"
FILE = FOLDER / "docker-compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]

DEFAULT = re.compile(r"\$\{(\w+):-([^}]*)\}")
"""A variable of a config that has a default, and that default."""

ONCE = {name for name, service in SERVICES.items() if "ports" not in service}
"""The services that do their work and end."""

_ADDRESS = re.compile(r"(?:^|://|@)([\w.-]+):(\d{2,5})")
_LISTENER = re.compile(r"(\w+)://([^:,]*):(\d{2,5})")


def published() -> Iterator[tuple[str, int, str, int]]:
    """Of every published port: the address and port on this machine, the service, and its port in the container."""
    for name, service in SERVICES.items():
        for entry in service.get("ports", []):
            address, port, inside = entry.rsplit(":", 2)
            yield address, int(port), name, int(inside)


def environment(name: str) -> dict[str, str]:
    """A service's variables."""
    found: dict[str, str] = SERVICES[name].get("environment", {})
    return found


def listens(name: str) -> set[int]:
    """The ports on which a service listens in its container: what it publishes, and listeners that it is told."""
    ports = {inside for _, _, service, inside in published() if service == name}
    return ports | {port for _, port in listeners(name, "KAFKA_LISTENERS").values()}


def listeners(name: str, variable: str) -> dict[str, tuple[str, int]]:
    """NAME://HOST:PORT,… of a Kafka: host and port by name; nothing of another service."""
    return {word: (host, int(port)) for word, host, port in _LISTENER.findall(environment(name).get(variable, ""))}


def addresses(text: str) -> list[tuple[str, int]]:
    """Every HOST:PORT in *text* that stands alone, in a URL or after an @."""
    return [(host, int(port)) for part in re.split(r"[,\s]", text) for host, port in _ADDRESS.findall(part)]


def inside(text: str) -> str:
    """*text* with every address of a published port replaced by the one that containers use.

    A Kafka has another port for them: who comes to a listener is sent on to where that one is advertised.
    """
    for address, port, name, own in published():
        host, inner = listeners(name, "KAFKA_ADVERTISED_LISTENERS").get("INTERNAL", (name, own))
        text = text.replace(f"{address}:{port}", f"{host}:{inner}")
    return text


def mounted(name: str) -> dict[str, Path]:
    """What of this repository a service sees, by its place in the container."""
    entries = [entry.split(":") for entry in SERVICES[name].get("volumes", [])]
    return {place: (FOLDER / source).resolve() for source, place, *_ in entries}
