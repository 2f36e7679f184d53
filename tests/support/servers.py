"""Real servers in processes of their own, on 127.0.0.1: SQS (ministack), faults in AWS calls (microburst).

    with Ministack() as server: ...      # server.url; stop(), start() again on the same port, kill(), pause()
    with Microburst(server.url) as faults: faults.rules([{"service": "sqs", "error": {"code": "ThrottlingException"}}])

Standard library only: the demo runs on it as well. Calls block for some tenths of a second; from a running loop use
`asyncio.to_thread`. An orderly end stops the process by its id; nothing else does.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from support import install

REGION = "eu-central-1"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the machine has set


def random_account() -> str:
    """Twelve digits. Used as an access key it is an account of its own in ministack: queues of others are not seen."""
    return f"{secrets.randbelow(9 * 10**11) + 10**11}"


def aws_environment(url: str, account: str) -> dict[str, str]:
    """What a process needs in its environment to reach `url` as `account`, and to find nothing else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Server:
    """One process with one port. Subclasses say what to run and how to know that it answers."""

    name = ""
    environment_name = "servers"
    start_timeout = 30.0

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix=f"headrace-{self.name}-")

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def command(self, executables: Path) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def probe(self) -> None:
        """One call as a user makes it; OSError while the server is not ready."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start, or start again on the same port; returns when the server has answered a call."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        executables = install.ensure(self.environment_name)
        attempts = 1 if self.port else 3  # a free port may be taken by another before we use it
        for attempt in range(attempts):
            port, self.port = self.port, self.port or free_port()
            try:
                self._launch(executables)
            except RuntimeError:
                self.port = port
                if attempt == attempts - 1:
                    raise
            else:
                break
        return self

    def _launch(self, executables: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(executables),
                env={**kept, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop it in order
            )
        deadline = time.monotonic() + self.start_timeout
        while True:
            try:
                self.probe()
            except OSError as error:
                if self._process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                self.kill()
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start on port {self.port}: {error}\n{said}") from error
            return

    def stop(self, timeout: float = 10) -> None:
        """SIGTERM, and SIGKILL when that has not ended it in time. Stopping what is not running is fine."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """SIGKILL: nothing is saved, open connections are reset by the kernel."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: the port accepts, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()


class Ministack(Server):
    """The SQS server. Facts of 1.5.33 that tests rely on are held by tests/integration/test_servers.py.

    Queues live in memory. With `persist` an orderly stop() saves them and start() brings them back with their messages,
    receive counts and running visibility time-outs; kill() loses everything since the last start.
    """

    name = "ministack"

    def __init__(self, *, persist: bool = False) -> None:
        super().__init__()
        self._persist = persist

    def command(self, executables: Path) -> list[str]:
        return [str(executables / "ministack")]

    def environment(self) -> dict[str, str]:
        return {
            "BIND_HOST": "127.0.0.1",  # it listens on every address unless told otherwise
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "PERSIST_STATE": "1" if self._persist else "0",
            "STATE_DIR": str(self.folder / "state"),
            "S3_DATA_DIR": str(self.folder / "s3"),
        }

    def probe(self) -> None:
        list_queues(self.url)


class Microburst(Server):
    """A proxy in front of an AWS server that answers with faults; rules as its documentation has them.

    A rule, for instance: {"service": "sqs", "operation": "ReceiveMessage", "probability": 0.3, "times": 10, and one of
    "error": {"code": "ThrottlingException", "status": 400} | "reset": True | "timeout_ms": 5000 | "latency": 200 |
    "response": {"truncate_frac": 0.5}}. It faults whole calls only, never one entry of a batch.
    """

    name = "microburst"

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream

    def command(self, executables: Path) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [str(executables / "microburst"), *where, "--upstream", self._upstream, "--no-resign"]

    def probe(self) -> None:
        list_queues(self.url)  # through it; the first call loads its models of AWS and takes seconds

    def rules(self, rules: Iterable[dict[str, Any]]) -> None:
        """Replace every rule."""
        self._control("POST", "rules", list(rules))

    def clear(self) -> None:
        """No rules any more, and an empty record of what fired."""
        self._control("POST", "rules", [])
        self._control("DELETE", "fired")

    def fired(self, limit: int = 10000) -> list[dict[str, Any]]:
        """What was done to whom, oldest first: service, operation, action, ts."""
        fired: list[dict[str, Any]] = self._control("GET", f"fired?limit={limit}")
        return fired

    def _control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        url = f"{self.url}/_microburst/{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - ours
        with _DIRECT.open(request, timeout=30) as answer:
            return json.load(answer)


def list_queues(url: str) -> None:
    """The call that shows that an SQS server answers; OSError when it does not."""
    ask(url, "sqs", "AmazonSQS.ListQueues")


def ask(url: str, service: str, target: str) -> None:
    """One call without parameters, of JSON protocol 1.0 or 1.1; OSError unless it is answered with JSON and a 200."""
    today = time.strftime("%Y%m%d", time.gmtime())
    credential = f"Credential=000000000000/{today}/{REGION}/{service}/aws4_request"
    headers = {
        "content-type": f"application/x-amz-json-1.{int(service != 'sqs')}",
        "x-amz-target": target,
        "x-amz-date": f"{today}T000000Z",
        "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(url, b"{}", headers)  # noqa: S310 - http on loopback
    try:
        with _DIRECT.open(request, timeout=20) as answer:
            json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        raise ConnectionError(f"{url} answered {error.code}") from error
    except ValueError as error:
        raise ConnectionError(f"{url} did not answer as {service} does") from error
