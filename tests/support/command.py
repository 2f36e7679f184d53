"""The command `headrace` in a process of its own, on a folder with a config and handlers, with memory.py installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support import memory

PATIENCE = 180.0
"""Seconds that a test waits for what must come; the machine may be busy with other things."""

HANDLERS = """
import asyncio, sys, threading, time
def note(event):
    with open("handled.txt", "a") as file:
        file.write("".join(f"{record['messageId']}\\n" for record in event["Records"]))
def ok(event, context): note(event)
async def okay(event, context): note(event)
def odd(event, context):
    note(event)
    ids = [record["messageId"] for record in event["Records"]]
    return {"batchItemFailures": [{"itemIdentifier": i} for i in ids if int(i) % 2]}
def slow(event, context): note(event); time.sleep(2); note(event)
def hung(event, context): note(event); time.sleep(3600)
async def wedge(event, context): note(event); time.sleep(3600)
async def spin(event, context):
    note(event)
    while True: pass
def straggler(event, context):
    note(event); threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()
def boom(event, context): raise ValueError("boom")
def echo(event, context): print("hello"); return event
def who(event, context): return [context.function_name, context.invoked_function_arn, context.headrace.mapping]
"""


class Project:
    """A folder with handlers.py and config.yaml; commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        (folder / "handlers.py").write_text(HANDLERS)
        installed = folder / "installed"
        installed.mkdir()
        memory.install(installed)
        self.path = [str(installed), str(Path(__file__).parents[1]), os.environ["PYTHONPATH"]]
        self.started: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(self.path), "COLUMNS": "200"}

    def write(self, handler: str = "ok", *, source: Any = None, service: Any = None, **mapping: Any) -> None:
        """A config of one mapping `orders`, whose function is `f`."""
        self.config.write_text(
            yaml.safe_dump(
                {
                    "service": {"name": "shop", "listen": "127.0.0.1:0", **(service or {})},
                    "functions": {"f": {"handler": f"handlers.{handler}", "path": ".", "timeout": 600}},
                    "mappings": {
                        "orders": {"source": {"type": "memory", **(source or {})}, "function": "f", **mapping}
                    },
                }
            )
        )

    def handled(self) -> list[str]:
        file = self.folder / "handled.txt"
        return file.read_text().split() if file.exists() else []

    def start(self, *arguments: str, **options: Any) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "headrace.cli.main", *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        self.started.append(process)
        return Running(process)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        running = self.start(*arguments)
        status = running.wait()
        return subprocess.CompletedProcess(arguments, status, running.out, running.err)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


class Running:
    """A process under way; `out` and `err` are what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.out, self.err = process, "", ""
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream: Any = self.process.stdout if name == "out" else self.process.stderr
        for line in stream:
            setattr(self, name, getattr(self, name) + line)

    def until(self, pattern: str) -> str:
        """Wait until *pattern* is in what it said; its first group."""
        deadline = time.monotonic() + PATIENCE
        while True:
            over = self.process.poll() is not None and self.all_read()  # asked before the look, or its last words are
            if found := re.search(pattern, self.out + "\n" + self.err):
                break
            assert not over, f"ended without {pattern!r}:\n{self.out}\n{self.err}"
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.out}\n{self.err}"
            time.sleep(0.02)
        return found[1] if found.groups() else found[0]

    def all_read(self) -> bool:
        """True once nothing will be added to what it said."""
        return not any(reader.is_alive() for reader in self._readers)

    @property
    def url(self) -> str:
        return self.until(r"(http://[\w.:]+)")

    def get(self, path: str) -> tuple[int, Any]:
        with contextlib.suppress(ValueError):
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url + path) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.loads(error.read())
        raise AssertionError(f"{path} is not JSON")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status


@contextlib.contextmanager
def project(folder: Path) -> Iterator[Project]:
    made = Project(folder)
    try:
        yield made
    finally:
        made.close()


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
