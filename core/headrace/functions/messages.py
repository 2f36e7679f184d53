"""What a service and the process of one of its functions say to each other: pickles, each behind its length.

Both ends are headrace of one version, and belong to one user: neither reads what a stranger wrote.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from headrace.errors import Fault
from headrace.functions.context import Delivery
from headrace.functionsettings import FunctionSettings
from headrace.model import Answer, Event

_LENGTH: Final = struct.Struct("!Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """To the process, first: the function that it is for, and what modules are looked for in."""

    name: str
    settings: FunctionSettings
    base: Path
    region: str
    path: Sequence[str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the process, first: it takes calls."""

    version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """In place of `Loaded`: why it cannot be loaded. The process ends."""

    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class Begin:
    """To the process: a call, by a number that no other has. `until` as `Clock.boot`, which is that of the machine."""

    number: int
    event: Event
    delivery: Delivery
    request_id: str
    until: float


@dataclass(frozen=True, slots=True)
class Cancel:
    number: int


@dataclass(frozen=True, slots=True)
class Answered:
    """From the process. `ended` says whether the handler has, too; if not, `Ended` follows when it has."""

    number: int
    answer: Answer
    ended: bool


@dataclass(frozen=True, slots=True)
class Ended:
    number: int


First: TypeAlias = Loaded | Refused


def pack(message: object) -> bytes:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def read(reader: asyncio.StreamReader) -> Any:
    """The next message; None when the other end is gone, or says what is none: the user's code has the line, too."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see above
    except Exception:  # noqa: BLE001 - of bytes that are no pickle anything may come
        return None


def receive(line: socket.socket) -> Any:
    """As `read`, where no loop runs."""
    with line.dup() as ours, ours.makefile("rb", buffering=0) as file:
        head = file.read(_LENGTH.size)
        if head is None or len(head) < _LENGTH.size:
            return None
        (left,) = _LENGTH.unpack(head)
        parts: list[bytes] = []
        while left and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
        return pickle.loads(b"".join(parts)) if not left else None  # noqa: S301 - see above
