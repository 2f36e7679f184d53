# ruff: noqa: INP001 - a script
"""`make demo-streams`: meter readings over four Kinesis shards, read by three copies while shards and copies change.

Starts kinesis-local, Valkey for the leases, a producer (AWS's own client, in a process of its own) and three copies of
`headrace run configs/streams.yaml`. While readings come in, one shard is split, two are merged, one copy is killed with
SIGKILL and another started. Then it compares what the producer wrote down as accepted with what the handlers wrote down
as handled and what the failure destination holds. Exit 0 only when nothing is lost, nothing came twice without a cause,
and every meter's readings came in order. The files stay in demo-out/streams/.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

try:
    import books as bookkeeping
    from copies import Copy, status
    from screen import Screen, balance_table, copy_table, shard_table

    from support import kinesis
    from support.redis import Valkey
    from support.servers import aws_environment
except ImportError as missing:
    sys.exit(f"start the demo with `make demo-streams`: it installs what is needed and says where it is ({missing})")

ROOT = Path(__file__).parents[2]
OUT = Path(os.environ.get("DEMO_OUT") or ROOT / "demo-out" / "streams")
SENT, FAILED = OUT / "sent.jsonl", OUT / "failed.jsonl"
SHARDS, COPIES, LEASE_TTL = 4, 3, "2"
WIDTH = 110
"""Columns of what is no terminal."""

PATIENCE = 60.0
"""Seconds after the last reading in which the copies must have ended."""


class Demo:
    """The fleet and the stream, and what is done to them."""

    def __init__(self, screen: Screen, headrace: str, client: Any, stream: str, environment: dict[str, str]) -> None:
        self.screen, self._headrace, self._client, self._stream = screen, headrace, client, stream
        self._environment = environment
        self.copies: list[Copy] = []

    def start_copy(self) -> None:
        copy = Copy(number=len(self.copies) + 1, headrace=self._headrace, out=OUT, environment=self._environment)
        self.copies.append(copy.start())
        self.screen.say(f"start copy {copy.number}")

    async def split(self) -> None:
        shard = (await self._open_shards())[0]
        await kinesis.split(self._client, self._stream, shard)
        self.screen.say(f"split {shard}")

    async def merge(self) -> None:
        one, other = (f"shardId-{number:012}" for number in (SHARDS - 2, SHARDS - 1))
        await kinesis.merge(self._client, self._stream, one, other)
        self.screen.say(f"merge {one} and {other}")

    async def kill(self) -> None:
        """The one that reads the most shards; `headrace status` a second later shows them without an owner."""
        copy = max((one for one in self.copies if one.running), key=lambda one: len(one.shards() or ()))
        held = copy.shards() or []
        copy.kill()
        self.screen.say(f"SIGKILL copy {copy.number}, which read {', '.join(held) or 'nothing'}")
        await asyncio.sleep(float(LEASE_TTL) / 2)
        self.screen.say("headrace status, a second later:")
        self.screen.show(await asyncio.to_thread(self.status))

    async def start_another(self) -> None:
        self.start_copy()

    async def _open_shards(self) -> list[str]:
        listed = await kinesis.shards(self._client, self._stream)
        return [one["ShardId"] for one in listed if "EndingSequenceNumber" not in one["SequenceNumberRange"]]

    async def parents(self) -> dict[str, list[str]]:
        return bookkeeping.parents(await kinesis.shards(self._client, self._stream))

    def status(self) -> str:
        """As a person sees it who asks a copy that runs."""
        port = next(one.port for one in self.copies if one.running)
        return status(self._headrace, self._environment | {"HEADRACE_LISTEN": f"127.0.0.1:{port}"})

    async def play(self, wanted: int, producer: subprocess.Popen[bytes]) -> list[str]:
        """Each deed when its share of the readings is handled, until all copies have ended. What went wrong."""
        deeds: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (0.2, self.split),
            (0.4, self.merge),
            (0.55, self.kill),
            (0.7, self.start_another),
        ]
        loop, end = asyncio.get_running_loop(), float("inf")
        while any(copy.running for copy in self.copies):
            self.screen.look(self.copies)
            if deeds and self.screen.handled >= deeds[0][0] * wanted:
                await deeds.pop(0)[1]()
            if producer.poll() is not None and end == float("inf"):
                end = loop.time() + PATIENCE
                self.screen.say(f"all {self.screen.sent:,} readings are sent; copies end when they have been idle")
            if loop.time() > end:
                self.screen.show(await asyncio.to_thread(self.status))
                return [f"copy {one.number} did not end by itself" for one in self.copies if one.running]
            await asyncio.sleep(0.25)
        self.screen.look(self.copies)
        return [f"every copy ended before: {deed.__name__}" for _, deed in deeds]

    def endings(self, producer: subprocess.Popen[bytes]) -> list[str]:
        wrong = [f"copy {one.number}: {one.ending}; see {one.log}" for one in self.copies if _badly(one)]
        return wrong + [f"the producer: exit {producer.poll()}; see {OUT}/producer.log"] * bool(producer.poll())


def _badly(copy: Copy) -> bool:
    return copy.killed_at is None and copy.ending != "exit 0"


async def run(console: Console, headrace: str, wanted: int, seconds: float) -> int:
    with ExitStack() as stack:
        server, redis = stack.enter_context(kinesis.KinesisLocal()), stack.enter_context(Valkey("--appendonly", "yes"))
        screen = stack.enter_context(Screen(console, SENT, FAILED))
        async with kinesis.kinesis_client(server.url) as client:
            stream = await kinesis.make_stream(client, shards=SHARDS)
            screen.say(f"kinesis-local on {server.url}, Valkey on {redis.url}; a stream of {SHARDS} shards")
            environment = {
                **aws_environment(server.url, kinesis.PRODUCER["AWS_ACCESS_KEY_ID"]),
                "READINGS_STREAM": stream,
                "READINGS_FAILED": str(FAILED),
                "HEADRACE_STATE": f"{redis.url}/0",
                "HEADRACE_LEASE_TTL": LEASE_TTL,
                "HEADRACE_LOG_FORMAT": "json",
                "XDG_STATE_HOME": str(OUT),  # each run begins anew
            }
            demo = Demo(screen, headrace, client, stream, environment)
            producer = stack.enter_context(_producer(stream, wanted, seconds, environment))
            try:
                while not SENT.stat().st_size and producer.poll() is None:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.05)  # a copy that finds nothing for long ends
                for _ in range(COPIES):
                    demo.start_copy()
                faults = await demo.play(wanted, producer)
            finally:
                for copy in demo.copies:
                    copy.end()
            faults += demo.endings(producer)
            return _judge(console, demo, await demo.parents(), wanted, faults)


def _judge(console: Console, demo: Demo, parents: dict[str, list[str]], wanted: int, faults: list[str]) -> int:
    produced = bookkeeping.sent(SENT)
    broken, writes = bookkeeping.leases(demo.copies)
    books = bookkeeping.Books(
        produced=produced,
        bad=frozenset(bookkeeping.bad(SENT)),
        history=bookkeeping.noted(demo.copies),
        parents=parents,
        given_up=bookkeeping.given_up(FAILED, produced),
        broken=broken,
        writes=writes,
    )
    lineage = books.lineage()
    faults += books.faults(wanted, lineage)
    demo.screen.stop()
    for table in (copy_table(books, demo.copies), shard_table(books, demo.copies)):
        console.print(table)
    console.print(balance_table(books, lineage, demo.screen.elapsed, bookkeeping.takeovers(demo.copies)))
    for fault in faults[:20]:
        console.print(f"[red]does not hold: {fault}")
    if not faults:
        console.print("[green]it all holds: nothing lost, no repeat without a cause, every meter's readings in order")
    return 1 if faults else 0


@contextmanager
def _producer(
    stream: str, wanted: int, seconds: float, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    script = [sys.executable, str(Path(__file__).with_name("produce.py"))]
    with (OUT / "producer.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [*script, stream, str(wanted), str(seconds), str(SENT)],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--readings", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=30, help="over which they are sent")
    chosen = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    headrace = shutil.which("headrace", path=str(Path(sys.executable).parent))
    if headrace is None:
        console.print("[red]there is no `headrace` beside this Python; run `make demo-streams`, which installs it")
        return 1
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    SENT.touch()
    return asyncio.run(run(console, headrace, chosen.readings, chosen.seconds))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
