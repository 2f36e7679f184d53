"""`headrace run`, or another command, as a process of its own, to be killed, stopped and looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headrace.clock import SYSTEM

HANDLERS = Path(__file__).parents[1] / "faults"
PATIENCE = 90.0
"""Seconds; the machine may be busy with other things."""

boot = SYSTEM.boot
"""Seconds of the clock that handlers note their attempts by."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def mapping(queue_url: str, *, function: str = "work", **settings: Any) -> dict[str, Any]:
    """One entry of `mappings`; *settings* of its source are named in `source`."""
    source = {"type": "sqs", "queue_url": queue_url, **settings.pop("source", {})}
    reports = {"function_response_types": ["ReportBatchItemFailures"]}
    return {"source": source, "function": function, "batch_size": 5, **reports, **settings}


def config(
    mappings: dict[str, Any], *, functions: dict[str, dict[str, Any]] | None = None, **service: Any
) -> dict[str, Any]:
    """A config file's content. *functions*: handler and time-out by name; `work` is always there."""
    known = {"work": {"handler": "handlers.work"}, **(functions or {})}
    return {
        "service": {"name": "faults", "listen": None, "log": {"format": "json"}, **service},
        "functions": {name: {"path": str(HANDLERS), "timeout": 30, **one} for name, one in known.items()},
        "mappings": mappings,
    }


class Service:
    """One config, run by one process after another; their log and output gather in `folder`."""

    def __init__(self, folder: Path, settings: dict[str, Any], environment: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self._file, self._log, self._output = folder / "config.json", folder / "log", folder / "output"
        self._file.write_text(json.dumps(settings))
        self._listen = settings["service"]["listen"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment = {**kept, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.paused = False

    @property
    def file(self) -> Path:
        """The config, for commands that are given it too."""
        return self._file

    @property
    def environment(self) -> dict[str, str]:
        """What such a command sees."""
        return self._environment

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *arguments: str, command: str = "run") -> None:
        assert not self.alive, "running already"
        self.paused = False
        with self._log.open("ab") as log, self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headrace.cli.main", command, str(self._file), *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> float:
        """SIGKILL; when it was dead, on the boot clock: what it noted, it noted before."""
        self.process.kill()
        self.process.wait()
        return boot()

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def pause(self) -> float:
        """SIGSTOP; when it stood still, on the boot clock: what it notes after that, it notes after `resume`."""
        self.paused = True
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        return boot()

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    async def ended(self, seconds: float = PATIENCE) -> int:
        """The exit status."""
        await until(lambda: not self.alive, seconds, self.log_text)
        return self.process.returncode

    async def drained(self, idle: float = 3) -> None:
        """Run until nothing has been left for *idle* seconds; it must end well."""
        if not self.alive:
            self.start("--exit-when-idle", str(idle))
        assert await self.ended(2 * PATIENCE) == 0, self.log_text()

    def stop(self) -> None:
        """For the end of a test, whatever happened in it."""
        if self.alive:
            self.kill()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON; status 0 when nobody listens."""
        try:
            with _DIRECT.open(f"http://{self._listen}{path}", timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, None

    async def answers(self, path: str, status: int, seconds: float = PATIENCE) -> Any:
        """Wait for *status* on *path*; the JSON that came with it."""
        deadline = time.monotonic() + seconds
        while True:
            seen, body = await asyncio.to_thread(self.get, path)
            if seen == status:
                return body
            assert self.alive, f"ended with {self.process.returncode}: {self.log_text()}"
            assert time.monotonic() < deadline, f"{path} answers {seen} {body}, not {status}; {self.log_text()}"
            await asyncio.sleep(0.1)

    def log_text(self) -> str:
        """The end of the log, and of the output."""
        tails = [file.read_text(errors="replace")[-3000:] for file in (self._log, self._output) if file.exists()]
        return "\n".join(tails)

    def log(self) -> list[dict[str, Any]]:
        """Every structured line of the log, of all processes; the last may be half written."""
        lines = self._log.read_text(errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]

    def events(self, name: str) -> int:
        """How many lines of log have this name."""
        return sum(line.get("event") == name for line in self.log())


async def until(happened: Callable[[], object], seconds: float = PATIENCE, why: Callable[[], str] = str) -> None:
    """Wait until *happened* is true; AssertionError with *why* after so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s; {why()}"
        await asyncio.sleep(0.05)
