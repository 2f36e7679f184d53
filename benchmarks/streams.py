"""Reading a canned Kinesis stream: headrace against a bare aiobotocore loop, and against async-kinesis.

Each run is a process of its own against a server of its own, of four shards. The first page of each shard is for
getting warm; the clock starts when these were handled, and only then does the server give out more. It stops when the
last record was handled, and with headrace settled.

* `bare`: what one writes without a framework: a loop a shard of GetRecords and the handler, as fast as they go.
* `headrace`: `KinesisPoller`'s own machinery with `state: memory:`, an async handler, batches of the size that a
  mapping has by default (100). One thing is not as users have it: the pace of a shard (5 calls and 2 MiB a second,
  which are AWS's limits) is taken off, since the canned stream has none.
* `async-kinesis`: its Consumer with `shard_fetch_rate` out of the way; one record at a time, without an event. It
  sleeps 0.2 s between two rounds of its shards, which bounds its rate, not its CPU.

Run alone: `python benchmarks/streams.py headrace 200000 1000`: records, and how many a page has.
"""
# Not kinesis.py: a run of async-kinesis, whose package has that name, would import it.

# ruff: noqa: PLC0415 - each runs in an environment that lacks the others' packages

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import harness

STREAM = "clicks"
SHARDS = 4
PAGES = (1000, 10_000)
"""Records a page: the most that GetRecords gives is 10,000."""
PEER = "async-kinesis"
PEER_PINS = ("async-kinesis==3.0.1", "aiobotocore==3.10.0")


class Meter:
    """Counts handled records; measures from the last of the first pages to the last of all."""

    def __init__(self, port: int, total: int, page: int) -> None:
        self._port, self.total, self._warm = port, total, SHARDS * page
        self.handled = 0
        self.last = asyncio.Event()
        self._wall = self._cpu = 0.0

    def handle(self, count: int) -> None:
        self.handled += count
        if not self._wall and self.handled >= self._warm:
            assert self.handled == self._warm
            harness.ask(self._port, "go")
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        if self.handled >= self.total:
            self.last.set()

    def result(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        assert self.handled == self.total, self.handled
        counted = self.total - self._warm
        return {"per_second": counted / wall, "cpu_us": cpu / counted * 1e6}


async def run_bare(port: int, total: int, page: int) -> dict[str, float]:
    from aiobotocore.session import get_session

    meter = Meter(port, total, page)

    async def handler(records: list[dict[str, Any]]) -> None:
        meter.handle(len(records))

    async def loop(client: Any, shard: str) -> None:
        first = await client.get_shard_iterator(StreamName=STREAM, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        iterator = first["ShardIterator"]
        while iterator:
            answer = await client.get_records(ShardIterator=iterator)
            if answer["Records"]:
                await handler(answer["Records"])
            iterator = answer.get("NextShardIterator")

    async with get_session().create_client("kinesis", endpoint_url=f"http://127.0.0.1:{port}") as client:
        shards = (await client.list_shards(StreamName=STREAM))["Shards"]
        loops = [asyncio.create_task(loop(client, shard["ShardId"])) for shard in shards]
        await meter.last.wait()
        result = meter.result()
        for task in loops:
            task.cancel()
        await asyncio.wait(loops)
    return result


async def run_headrace(port: int, total: int, page: int) -> dict[str, float]:
    from headrace.observe import configure_logging

    configure_logging(level="error")
    meter = Meter(port, total, page)

    async def handler(event: dict[str, Any], _context: object) -> None:
        meter.handle(len(event["Records"]))

    async with _poller(port, handler) as poller:
        running = asyncio.create_task(poller.run())
        await meter.last.wait()
        while sum(tally.succeeded for tally in poller.tally.values()) < total:
            await asyncio.sleep(0.001)
        result = meter.result()
        poller.stop()
        await running
        assert not any(tally.balance for tally in poller.tally.values())
    return result


def _poller(port: int, handler: Any) -> Any:
    """What `KinesisPoller` is, over shards without a pace."""
    from dataclasses import replace

    from headrace.poller import Poller
    from headrace_connectors.catalog import catalog
    from headrace_connectors.kinesis.pace import Unpaced
    from headrace_connectors.kinesis.source import KinesisShards, kinesis

    return Poller(
        replace(kinesis, shards=lambda opening: KinesisShards(opening, new_pace=Unpaced)),
        handler,
        {
            "stream": STREAM,
            "starting_position": "TRIM_HORIZON",
            "endpoint_url": f"http://127.0.0.1:{port}",
            "region": "eu-central-1",
        },
        name="benchmark",
        timeout=30,
        drain_timeout=30,
        state="memory:",
        catalog=catalog,
        sections={},
    )


async def run_peer(port: int, total: int, page: int) -> dict[str, float]:
    from kinesis import Consumer, StringProcessor

    meter = Meter(port, total, page)
    async with Consumer(
        stream_name=STREAM,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        processor=StringProcessor(),
        shard_fetch_rate=1000,
        use_list_shards=True,
        sleep_time_no_records=0.01,
    ) as consumer:
        async for _record in consumer:
            meter.handle(1)
            if meter.last.is_set():
                break
        return meter.result()


def measure(who: str, total: int, page: int, python: str = sys.executable) -> dict[str, float]:
    """One run; also the server's own CPU."""
    pages = total // (SHARDS * page)
    with harness.server("canned_stream.py", SHARDS, pages, page) as port:
        told = harness.run(python, "streams.py", who, total, page, port)
        counts = harness.ask(port, "counts")
    assert counts["served"] == total, counts
    return {**told, "server_cpu_us": counts["cpu"] / total * 1e6}


def rounds(count: int, total: int) -> tuple[dict[tuple[int, str], list[dict[str, float]]], bool]:
    """*count* runs of each by page and contestant, in turns; and whether the peer was among them."""
    peer = harness.peer_python(PEER, PEER_PINS)
    pythons = {"bare": sys.executable, "headrace": sys.executable, **({PEER: peer} if peer else {})}
    runs: dict[tuple[int, str], list[dict[str, float]]] = {(page, who): [] for page in PAGES for who in pythons}
    for number in range(count):
        for page in PAGES:
            for who in list(pythons)[:: -1 if number % 2 else 1]:
                runs[page, who].append(measure(who, total, page, pythons[who]))
    return runs, bool(peer)


def main() -> None:
    who, total, page, *port = sys.argv[1], *map(int, sys.argv[2:])
    if not port:
        python = harness.peer_python(PEER, PEER_PINS) if who == PEER else sys.executable
        print(json.dumps(measure(who, total, page, python or sys.executable)))
        return
    run = {"bare": run_bare, "headrace": run_headrace, PEER: run_peer}[who]
    print(json.dumps(asyncio.run(run(port[0], total, page))))


if __name__ == "__main__":
    main()
