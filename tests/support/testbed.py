"""`headrace testbed` on configs/shop.yaml as a user types it: with a cache of the test's own and no way to AWS."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import install
from support.command import Running

ROOT = Path(__file__).parents[2]
CONFIG = "configs/shop.yaml"
EVENTS = ROOT / "configs" / "shop" / "events"
HEADRACE = Path(sys.executable).with_name("headrace")

PATIENCE = 240.0
"""Seconds that one command may take on a machine that has much else to do."""


class Shop:
    """Commands run in the repository's folder. `broker` is what `--broker` is told."""

    def __init__(self, folder: Path, broker: str, **environment: str) -> None:
        self.folder, self.broker = folder, broker
        self.handled_file = folder / "handled.jsonl"
        servers = folder / "cache" / "headrace" / "servers"
        servers.parent.mkdir(parents=True)
        servers.symlink_to(install.CACHE)  # the jars are there already
        packages = [install.ensure(name).parent / "lib" for name in ("kafka", "valkey")]
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join(str(next(lib.glob("python*/site-packages"))) for lib in packages),
            "SHOP_HANDLED": str(self.handled_file),
            "HTTPS_PROXY": "http://127.0.0.1:1",  # whoever asks AWS fails
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "200",
            **environment,
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self, word: str, *arguments: str) -> Running:
        """One command, under way."""
        process = subprocess.Popen(
            [HEADRACE, "testbed", word, CONFIG, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return Running(process)

    def run(self, word: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            [HEADRACE, "testbed", word, CONFIG, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def does(self, word: str, *arguments: str) -> str:
        """What it printed; it must have succeeded."""
        done = self.run(word, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def send(self, mapping: str, *arguments: str) -> str:
        return self.does("send", mapping, str(EVENTS / f"{mapping}.jsonl"), *arguments)

    def report(self) -> dict[str, Any]:
        return json.loads(self.does("report", "--json"))["mappings"]

    def status(self) -> dict[str, Any]:
        return json.loads(self.does("status", "--json"))

    def handled(self, mapping: str) -> list[dict[str, Any]]:
        lines = self.handled_file.read_text().splitlines() if self.handled_file.exists() else []
        return [entry for line in lines if (entry := json.loads(line)).pop("mapping") == mapping]

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        done = self.run("down")
        assert done.returncode == 0, done.stderr


@contextmanager
def shop(folder: Path, broker: str, **environment: str) -> Iterator[Shop]:
    made = Shop(folder, broker, **environment)
    try:
        yield made
    finally:
        made.close()


def answers(address: str) -> bool:
    """Whether anything listens there."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def family(pid: int) -> set[int]:
    """A process, and all that it started and they."""
    found, parents = {pid}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> set[str]:
    """The addresses on which these processes listen, as the kernel writes them."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(str(link.readlink()))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].partition(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same within IPv6, and ::1."""

INTERRUPT, KILL = signal.SIGINT, signal.SIGKILL
