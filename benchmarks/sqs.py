"""Receive → handler → delete on the canned queue: headrace against a bare aiobotocore loop, and against sqs-workers.

Each run is a process of its own against a server of its own. Its clock starts when the first tenth has been handled (by
then connections stand and everything is loaded), and stops when the last message has been deleted.

* `bare`: what one writes without a framework: eight loops of receive ten, handle, delete ten.
* `headrace`: `SqsPoller`, an async handler, maximum_concurrency 8, batches of ten.
* `sqs-workers`: a RawQueue, which is one thread; its own environment (boto3).

Run alone: `python benchmarks/sqs.py headrace 20000`.
"""

# ruff: noqa: PLC0415 - each runs in an environment that lacks the others' packages

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEER_HOME = HERE.parent / ".cache" / "bench" / "sqs-workers"
PEER_PINS = ("sqs-workers==0.7.3", "boto3==1.44.5", "typing_extensions==4.16.0")
"""sqs-workers imports typing_extensions and does not declare it."""

CONCURRENCY = 8
TENS = 10
AWS = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Meter:
    """Counts handled messages; measures from the first tenth to the last delete."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.warm = total // TENS
        self.handled = 0
        self._counted = 0
        self._wall = self._cpu = 0.0

    def handle(self, count: int) -> bool:
        """True when these were the last."""
        self.handled += count
        if not self._counted and self.handled >= self.warm:
            self._counted = self.total - self.handled
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self.handled >= self.total

    def result(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"per_second": self._counted / wall, "cpu_us": cpu / self._counted * 1e6}


async def run_bare(port: int, total: int, queue: str) -> dict[str, float]:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    meter = Meter(total)
    url = f"http://127.0.0.1:{port}/123456789012/{queue}"
    deleted = 0
    done = asyncio.Event()

    async def handler(_messages: object) -> None:
        pass

    async def loop(client: Any) -> None:
        nonlocal deleted
        while True:
            answer = await client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=TENS,
                WaitTimeSeconds=20,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                continue
            await handler(messages)
            meter.handle(len(messages))
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            answer = await client.delete_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed")
            deleted += len(messages)
            if deleted >= total:
                done.set()

    config = AioConfig(max_pool_connections=2 * CONCURRENCY + 10)
    async with get_session().create_client("sqs", endpoint_url=f"http://127.0.0.1:{port}", config=config) as client:
        loops = [asyncio.create_task(loop(client)) for _ in range(CONCURRENCY)]
        await done.wait()
        result = meter.result()
        for task in loops:
            task.cancel()
        await asyncio.wait(loops)
    return result


async def run_headrace(port: int, total: int, queue: str) -> dict[str, float]:
    from headrace.observe import configure_logging
    from headrace_connectors.sqs.poller import SqsPoller

    configure_logging(level="error")
    meter = Meter(total)
    last = asyncio.Event()

    async def handler(event: dict[str, Any], _context: object) -> None:
        if meter.handle(len(event["Records"])):
            last.set()

    async with SqsPoller(
        queue_url=f"http://127.0.0.1:{port}/123456789012/{queue}",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="eu-central-1",
        handler=handler,
        batch_size=TENS,
        scaling_config={"maximum_concurrency": CONCURRENCY},
    ) as poller:
        running = asyncio.create_task(poller.run())
        await last.wait()
        while poller.tally[queue].deleted < total:
            await asyncio.sleep(0.001)
        result = meter.result()
        poller.stop()
        await running
        assert poller.tally[queue].balance == 0
    return result


def run_peer(port: int, total: int) -> dict[str, float]:
    import boto3
    from sqs_workers import RawQueue, SQSEnv
    from sqs_workers.shutdown_policies import MaxTasksShutdown

    meter = Meter(total)
    endpoint = {"endpoint_url": f"http://127.0.0.1:{port}"}
    env = SQSEnv(sqs_client=boto3.client("sqs", **endpoint), sqs_resource=boto3.resource("sqs", **endpoint))
    queue = env.queue("orders", RawQueue)
    queue.connect_raw_processor(lambda _message: meter.handle(1))
    queue.process_queue(shutdown_policy=MaxTasksShutdown(total))
    return meter.result()


@contextmanager
def server(total: int, groups: int = 0) -> Iterator[int]:
    """The canned queue in a process of its own; gives its port."""
    command = [sys.executable, str(HERE / "canned.py"), str(total), str(groups)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def measure(who: str, total: int, python: str = sys.executable, *, groups: int = 0) -> dict[str, float]:
    """One run; also what the server counted: messages a receive, entries a delete, and its own CPU.

    *groups*: of a FIFO queue; 0 is a standard one.
    """
    queue = "orders.fifo" if groups else "orders"
    with server(total, groups) as port:
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, **AWS}
        command = [python, str(HERE / "sqs.py"), who, str(total), str(port), queue]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise RuntimeError(f"{who} failed:\n{done.stderr}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
            counts = json.load(answer)
    assert counts["received"] == counts["deleted"] == total, counts
    fill = total / (counts["receives"] - counts["empty"])
    told = {"fill": fill, "deletes_of": total / counts["deletes"], "server_cpu_us": counts["cpu"] / total * 1e6}
    return {**json.loads(done.stdout), **told}


def peer_python() -> str | None:
    """The environment of sqs-workers; None where it cannot be had."""
    python = PEER_HOME / "bin" / "python"
    pins = PEER_HOME / "pins"
    wanted = " ".join(PEER_PINS)
    if pins.exists() and pins.read_text() == wanted:
        return str(python)
    with suppress(OSError, subprocess.CalledProcessError):
        venv.create(PEER_HOME, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PEER_PINS], check=True)
        pins.write_text(wanted)
        return str(python)
    return None


def main() -> None:
    who, total, *rest = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    if not rest:
        python = peer_python() if who == "sqs-workers" else sys.executable
        print(json.dumps(measure(who, total, python or sys.executable)))
        return
    port, queue = int(rest[0]), rest[1]
    if who == "sqs-workers":
        result = run_peer(port, total)
    else:
        result = asyncio.run({"bare": run_bare, "headrace": run_headrace}[who](port, total, queue))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
