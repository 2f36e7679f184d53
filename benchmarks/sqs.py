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
import sys
import time
from typing import Any

import harness

PEER_PINS = ("sqs-workers==0.7.3", "boto3==1.44.5", "typing_extensions==4.16.0")
"""sqs-workers imports typing_extensions and does not declare it."""

CONCURRENCY = 8
TENS = 10


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


def measure(who: str, total: int, python: str = sys.executable, *, groups: int = 0) -> dict[str, float]:
    """One run; also what the server counted: messages a receive, entries a delete, and its own CPU.

    *groups*: of a FIFO queue; 0 is a standard one.
    """
    queue = "orders.fifo" if groups else "orders"
    with harness.server("canned.py", total, groups) as port:
        told = harness.run(python, "sqs.py", who, total, port, queue)
        counts = harness.ask(port, "counts")
    assert counts["received"] == counts["deleted"] == total, counts
    fill = total / (counts["receives"] - counts["empty"])
    counted = {"fill": fill, "deletes_of": total / counts["deletes"], "server_cpu_us": counts["cpu"] / total * 1e6}
    return {**told, **counted}


def peer_python() -> str | None:
    """The environment of sqs-workers; None where it cannot be had."""
    return harness.peer_python("sqs-workers", PEER_PINS)


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
