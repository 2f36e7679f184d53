"""Real servers in processes of their own, on 127.0.0.1: SQS (ministack), faults in AWS calls (microburst).

    with Ministack() as server: ...      # server.url; stop(), start() again on the same port, kill(), pause()
    with Microburst(server.url) as faults: faults.rules([{"service": "sqs", "error": {"code": "ThrottlingException"}}])

The demo runs on it as well. Calls block for some tenths of a second; from a running loop use `asyncio.to_thread`.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headrace_connectors.testbed import server
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


class Server(server.Server):
    """A server of an environment that install.py makes. Subclasses say what to run there."""

    environment_name = "servers"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, executables: Path) -> list[str]:
        raise NotImplementedError

    def argv(self) -> list[str]:
        return self.command(install.ensure(self.environment_name))


class Ministack(Server):
    """The SQS server. Facts of 1.5.33 that tests rely on are held by tests/integration/test_servers.py.

    Queues live in memory. With `persist` an orderly stop() saves them and start() brings them back with their messages,
    receive counts and running visibility time-outs; kill() loses everything since the last start. *guarded* it checks
    signatures and rights as IAM does; an account's twelve digits are then its root user.
    """

    name = "ministack"

    def __init__(self, *, persist: bool = False, guarded: bool = False) -> None:
        super().__init__()
        self._persist, self._guarded = persist, guarded

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
            **({"AUTH": "true", "AWS_SECRET_ACCESS_KEY": "secret"} if self._guarded else {}),
        }

    def probe(self) -> None:
        if self._guarded:
            _DIRECT.open(f"{self.url}/_ministack/health", timeout=20).close()
        else:
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
