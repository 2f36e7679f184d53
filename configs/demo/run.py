# ruff: noqa: INP001 - a script
"""`make demo`: ten thousand orders through a real SQS server, and the books balanced from other people's files.

Starts the SQS server (ministack), a producer (AWS's own client, in a process of its own) and, while it sends,
`headrace run configs/demo.yaml`. Then it compares what the producer wrote down as accepted, what the handler wrote down
as handled, and what lies in the dead-letter queue. Exit 0 only when that adds up. The files stay in demo-out/.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
from rich.console import Console
from rich.table import Table

try:
    from support import install
    from support.servers import Ministack, aws_environment
except ImportError:
    sys.exit("start the demo with `make demo`: it installs what is needed and says where it is")

ROOT = Path(__file__).parents[2]
OUT = ROOT / "demo-out"
SENT, HANDLED = OUT / "sent.txt", OUT / "handled.txt"
ACCOUNT = "000000000000"
MAX_RECEIVE_COUNT = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Numbers of orders: as the producer, the handler and the dead-letter queue have them."""

    sent: dict[int, str]
    handled: collections.Counter[int]
    dead: collections.Counter[int]
    left: int

    @property
    def lost(self) -> set[int]:
        return set(self.sent) - set(self.handled) - set(self.dead)

    @property
    def both(self) -> set[int]:
        return set(self.handled) & set(self.dead)

    @property
    def unknown(self) -> set[int]:
        return (set(self.handled) | set(self.dead)) - set(self.sent)

    @property
    def poison(self) -> set[int]:
        return {number for number, kind in self.sent.items() if kind == "poison"}

    def faults(self, wanted: int) -> list[str]:
        """What does not add up, in words."""
        found = {
            f"{wanted - len(self.sent):,} orders were never sent": len(self.sent) != wanted,
            f"{_some(self.lost)} lost": self.lost,
            f"{_some(self.both)} both handled and dead-lettered": self.both,
            f"{_some(self.unknown)} never sent, and yet there": self.unknown,
            f"{_some(set(self.dead) ^ self.poison)} dead-lettered without being poison, or the other way round": (
                set(self.dead) != self.poison
            ),
            f"{self.left:,} messages are still in the queue": self.left,
        }
        return [words for words, wrong in found.items() if wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=10_000)
    wanted = parser.parse_args().orders
    console = Console()
    headrace = find_headrace()
    if headrace is None:
        console.print("[red]there is no `headrace` beside this Python; run `make demo`, which installs it")
        return 1
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    SENT.touch()
    HANDLED.touch()
    with Ministack() as server:
        console.print(f"SQS server (ministack) on {server.url}; {wanted:,} orders to come, one in 500 of them poison")
        sqs = _client(server.url)
        queue, dead = _queues(sqs)
        began = time.monotonic()
        faults = _serve(headrace, server.url, queue, wanted)
        took = time.monotonic() - began
        books = Books(sent=_sent(), handled=_handled(), dead=_drain(sqs, dead), left=_left(sqs, queue))
    faults += books.faults(wanted)
    console.print(_table(books, took))
    for fault in faults:
        console.print(f"[red]does not add up: {fault}")
    if not faults:
        console.print("[green]the books balance: every order was handled or is in the dead-letter queue, none is lost")
    return 1 if faults else 0


def find_headrace() -> str | None:
    """The command, from the environment that this runs in."""
    return shutil.which("headrace", path=str(Path(sys.executable).parent))


def _serve(headrace: str, url: str, queue: str, wanted: int) -> list[str]:
    """Run headrace on the queue while the orders are sent, until it finds nothing left to do; what went wrong."""
    environment = {**os.environ, **aws_environment(url, ACCOUNT), "DEMO_HANDLED": str(HANDLED)}
    with _producer(queue, wanted, environment) as producer:
        _wait_for_first_order(producer)
        command = [headrace, "run", str(ROOT / "configs" / "demo.yaml"), "--exit-when-idle", "3"]
        with _interrupts_left_to_headrace():
            served = subprocess.call(command, env={**environment, "ORDERS_QUEUE_URL": queue})  # noqa: S603
        sent = producer.poll()
    faults = [f"`headrace run` ended with status {served}"] if served else []
    if sent is None:
        faults.append("`headrace run` ended before everything had been sent")
    elif sent:
        faults.append(f"the producer failed with status {sent}; see {OUT.name}/producer.log")
    return faults


@contextlib.contextmanager
def _interrupts_left_to_headrace() -> Iterator[None]:
    """Ctrl-C reaches it as well: it drains and ends, and only then are the books read."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _client(url: str) -> Any:
    return botocore.session.get_session().create_client(
        "sqs",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",  # noqa: S106 - the server takes any
        config=botocore.config.Config(proxies={}),
    )


def _queues(sqs: Any) -> tuple[str, str]:
    """The URLs of the queue and of its dead-letter queue. Five seconds of visibility: retries come soon."""
    dead: str = sqs.create_queue(QueueName="orders-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT})
    attributes = {"VisibilityTimeout": "5", "RedrivePolicy": policy}
    queue: str = sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
    return queue, dead


@contextlib.contextmanager
def _producer(queue: str, count: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A client of somebody else's, in an environment and a process of its own."""
    script = [str(install.ensure() / "python"), str(Path(__file__).with_name("produce.py"))]
    with (OUT / "producer.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [*script, queue, str(count), str(SENT)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is not for it
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _wait_for_first_order(producer: subprocess.Popen[bytes]) -> None:
    """So that a service that ends when idle does not end before the first order has come."""
    while not SENT.stat().st_size and producer.poll() is None:
        time.sleep(0.02)


def _sent() -> dict[int, str]:
    return {int(number): kind for number, kind in map(str.split, SENT.read_text().splitlines())}


def _handled() -> collections.Counter[int]:
    return collections.Counter(map(int, HANDLED.read_text().split()))


def _drain(sqs: Any, url: str) -> collections.Counter[int]:
    """Everything in a queue, and the queue empty."""
    found: collections.Counter[int] = collections.Counter()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found.update(json.loads(message["Body"])["order"] for message in messages)
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


def _left(sqs: Any, url: str) -> int:
    names = [f"ApproximateNumberOfMessages{what}" for what in ("", "NotVisible", "Delayed")]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def _table(books: Books, seconds: float) -> Table:
    table = Table(title=f"the books, from the files in {OUT.name}/ and the dead-letter queue")
    table.add_column("")
    table.add_column("orders", justify="right")
    table.add_column("from")
    kinds = collections.Counter(books.sent.values())
    table.add_row("sent", f"{len(books.sent):,}", "the producer's file")
    table.add_row("  of these poison", f"{kinds['poison']:,}", "never succeed")
    table.add_row("  of these flaky", f"{kinds['flaky']:,}", "fail once")
    table.add_row("handled", f"{len(books.handled):,}", "the handler's file, each number once")
    table.add_row("dead-lettered", f"{len(books.dead):,}", f"the dead-letter queue, after {MAX_RECEIVE_COUNT} receives")
    table.add_row("lost", f"{len(books.lost):,}", "sent - handled - dead-lettered", end_section=True)
    table.add_row("handled again", f"{books.handled.total() - len(books.handled):,}", "allowed: at least once")
    table.add_row("seconds", f"{seconds:.1f}", "first order to idle, about 15 of them for the third receive of poison")
    return table


def _some(numbers: set[int]) -> str:
    """How many, and which, as far as they fit."""
    shown = ", ".join(map(str, sorted(numbers)[:10]))
    return f"{len(numbers):,} orders ({shown}{', …' if len(numbers) > 10 else ''})"  # noqa: PLR2004 - a line's worth


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
