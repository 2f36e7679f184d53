"""What Linux tells of processes: who belongs to a session, and where a process listens."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"
PROC = Path("/proc")


def session(leader: int) -> set[int]:
    """The ids of the living processes of a session; a server's has the server's id, and its watcher is in it."""
    found = set()
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            state, _, _, belongs, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(belongs) == leader and state != "Z":
            found.add(int(stat.parent.name))
    return found


def listening(pid: int) -> set[str]:
    """The addresses, without ports, of all that a process listens at."""
    held = set()
    for one in (PROC / str(pid) / "fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            held.add(str(one.readlink()))
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTENS and f"socket:[{rest[5]}]" in held:
                found.add(_address(local.partition(":")[0], family))
    return found


def _address(text: str, family: socket.AddressFamily) -> str:
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(words)).removeprefix("::ffff:")
