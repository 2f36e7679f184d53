# ruff: noqa: INP001 - part of a script
"""Copies of `headrace run` as processes, each with a book, a log and a port of its own, and what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headrace_connectors.testbed.server import held_ports

CONFIG = Path(__file__).parents[1] / "streams.yaml"
MAPPING = "readings"
IDLE = "4"
"""Seconds without anything to do after which a copy ends."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(kw_only=True)
class Copy:
    """One process. `killed_at` is Unix time."""

    number: int
    headrace: str
    out: Path
    environment: dict[str, str]
    killed_at: float | None = None

    @property
    def book(self) -> Path:
        return self.out / f"copy-{self.number}.jsonl"

    @property
    def log(self) -> Path:
        return self.out / f"copy-{self.number}.log"

    @cached_property
    def port(self) -> int:
        with held_ports(1) as (port,):
            return port

    @cached_property
    def process(self) -> subprocess.Popen[bytes]:
        self.book.touch()
        own = {"HEADRACE_LISTEN": f"127.0.0.1:{self.port}", "READINGS_BOOK": str(self.book)}
        command = [self.headrace, "run", str(CONFIG), "--mapping", MAPPING, "--exit-when-idle", IDLE]
        with self.log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - ours
                command,
                env=os.environ | self.environment | own,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which stops them in order
            )

    def start(self) -> Copy:
        _ = self.process
        return self

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.killed_at = time.time()

    def end(self) -> None:
        """Ask it to stop, and insist."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def shards(self) -> list[str] | None:
        """The shards that it reads now; None while it does not answer."""
        if not self.running:
            return None
        try:
            with _DIRECT.open(f"http://127.0.0.1:{self.port}/v1/mappings", timeout=2) as answer:
                (view,) = [one for one in json.load(answer)["mappings"] if one["mapping"] == MAPPING]
        except (OSError, urllib.error.URLError):
            return None
        return [lane["lane"] for lane in view["lanes"] if lane["state"] != "closed"]

    @property
    def ending(self) -> str:
        if self.killed_at is not None:
            return "SIGKILL"
        status = self.process.poll()
        return "runs still" if status is None else f"exit {status}"

    def said(self, *events: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of these events."""
        found = []
        for line in whole_lines(self.log):
            if line.startswith("{"):
                told = json.loads(line)
                if told.get("event") in events:
                    found.append(told)
        return found


def whole_lines(path: Path) -> list[str]:
    """Without a last one that a killed process did not finish."""
    return path.read_text().split("\n")[:-1]


def status(headrace: str, environment: dict[str, str], *options: str) -> str:
    """What `headrace status` prints."""
    done = subprocess.run(  # noqa: S603 - ours
        [headrace, "status", str(CONFIG), *options],
        env=os.environ | environment | {"COLUMNS": os.environ.get("COLUMNS", "110")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout
