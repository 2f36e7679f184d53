# ruff: noqa: INP001 - a script
"""`make demo-replay`: orders that a handler cannot take fail, are listed, edited and replayed to success.

Starts the SQS server (ministack), sends 300 orders of which a dozen have a total that is no number, has `headrace run`
handle what can be handled, and then does what an operator would: `headrace replay`, first to look, then as it is, then
with an edit. Exit 0 only when every order was handled once, under its first id, and nothing lies in a queue any more.
The files stay in demo-out/replay/.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
from rich.console import Console

try:
    from support.servers import Ministack, aws_environment
except ImportError:
    sys.exit("start the demo with `make demo-replay`: it installs what is needed and says where it is")

ROOT = Path(__file__).parents[2]
OUT = ROOT / "demo-out" / "replay"
HANDLED = OUT / "handled.txt"
CONFIG = "configs/replay.yaml"
CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)
ACCOUNT = "000000000000"
ORDERS, POISON = 300, 25
"""So many orders; every 25th has a total that is a text."""

EDIT = '.body.total |= (if type == "string" then sub(","; ".") | tonumber else . end)'


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    HANDLED.write_text("")
    with Ministack() as server:
        sqs = client(server.url)
        queue, failed = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("orders", "failed"))
        sent = send(sqs, queue)
        CONSOLE.print(f'{len(sent)} orders, {ORDERS // POISON} of them with a total like "12,50"')
        own = {"ORDERS_QUEUE_URL": queue, "FAILED_QUEUE_URL": failed, "DEMO_HANDLED": str(HANDLED)}
        state = {"XDG_STATE_HOME": str(OUT / "state")}
        shell = Shell({**os.environ, **aws_environment(server.url, ACCOUNT), **own, **state})
        shell.run(0, "run", CONFIG, "--exit-when-idle", "1")
        shell.run(0, "replay", CONFIG, "--from", "orders", "--class", "handler_error", "--max", "3", "--dry-run")
        shell.run(1, "replay", CONFIG, "--from", "orders", "--max", "2")
        shell.run(0, "replay", CONFIG, "--from", "orders", "--edit", EDIT)
        left = [waiting(sqs, url) for url in (queue, failed)]
    faults = [*shell.faults, *books(sent, left)]
    for fault in faults:
        CONSOLE.print(f"does not add up: {fault}")
    if not faults:
        CONSOLE.print("the books balance: every order was handled once, under its own id, and no queue holds anything")
    return 1 if faults else 0


class Shell:
    """Runs headrace as an operator types it; `faults` says where a command ended otherwise than it should."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def run(self, expected: int, *words: str) -> None:
        CONSOLE.print(f"\n$ headrace {shlex.join(words)}")
        command = [str(Path(sys.executable).with_name("headrace")), *words]
        status = subprocess.call(command, env=self._environment, cwd=ROOT)  # noqa: S603 - our own command
        if status != expected:
            self.faults.append(f"`headrace {words[0]}` ended with status {status}, and {expected} was expected")


def client(url: str) -> Any:
    return botocore.session.get_session().create_client(
        "sqs",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",  # noqa: S106 - the server takes any
        config=botocore.config.Config(proxies={}),
    )


def send(sqs: Any, queue: str) -> dict[int, str]:
    """The id of each order, by its number."""
    sent = {}
    for start in range(1, ORDERS + 1, 10):
        numbers = range(start, start + 10)
        entries = [{"Id": str(number), "MessageBody": json.dumps(order(number))} for number in numbers]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        sent |= {int(one["Id"]): one["MessageId"] for one in answer["Successful"]}
    return sent


def order(number: int) -> dict[str, Any]:
    total: object = f"{number},50" if number % POISON == 0 else number + 0.5
    return {"order": number, "total": total}


def waiting(sqs: Any, url: str) -> int:
    """All that a queue holds, seen or not."""
    names = [f"ApproximateNumberOfMessages{what}" for what in ("", "NotVisible", "Delayed")]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def books(sent: dict[int, str], left: Sequence[int]) -> list[str]:
    """What does not add up, in words."""
    lines = [line.split() for line in HANDLED.read_text().splitlines()]
    times = Counter(int(number) for number, *_ in lines)
    wrong = [number for number, total, _ in lines if total != f"{(int(number) + 0.5) * 1.19:.2f}"]
    others = [number for number, _, name in lines if sent.get(int(number)) != name]
    found = {
        f"{len(sent.keys() - times.keys())} orders were never handled": sent.keys() - times.keys(),
        f"{sum(times.values()) - len(times)} were handled again": sum(times.values()) > len(times),
        f"the totals of {wrong} are wrong": wrong,
        f"{others} were handled under other ids": others,
        f"the queues still hold {left}": any(left),
    }
    return [fault for fault, there in found.items() if there]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
