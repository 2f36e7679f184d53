# ruff: noqa: INP001, T201 - a script that prints; run by the SQS server's own environment, which has botocore
"""Sends numbered orders to a queue with botocore, AWS's own client, and writes down each that the queue has accepted.

    produce.py QUEUE_URL COUNT FILE         # lines of FILE: NUMBER KIND, in the order of sending

Every 500th order is poison, every 250th of the others flaky (demo/orders.py). It waits while the queue holds more than
a thousand messages: the server that the demo uses becomes slow beyond that, and no service could show its speed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import botocore.session

FULL = 1000
WAITING = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


def kind(number: int) -> str:
    if number % 500 == 0:
        return "poison"
    return "flaky" if number % 250 == 0 else "plain"


def produce(queue_url: str, count: int, book: Path) -> None:
    sqs = botocore.session.get_session().create_client("sqs")
    with book.open("w") as lines:
        for start in range(1, count + 1, 10):
            if start % 100 == 1:
                wait_for_room(sqs, queue_url)
            orders = {str(number): kind(number) for number in range(start, min(start + 10, count + 1))}
            while orders:
                orders = send(sqs, queue_url, orders, lines)


def send(sqs: Any, queue_url: str, orders: dict[str, str], lines: Any) -> dict[str, str]:
    """What was not accepted and must be sent again."""
    entries = [
        {"Id": number, "MessageBody": json.dumps({"order": int(number), "kind": kind})}
        for number, kind in orders.items()
    ]
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    accepted = {entry["Id"] for entry in answer.get("Successful", [])}
    lines.write("".join(f"{number} {orders[number]}\n" for number in orders if number in accepted))
    lines.flush()
    return {number: kind for number, kind in orders.items() if number not in accepted}


def wait_for_room(sqs: Any, queue_url: str) -> None:
    while True:
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=WAITING)["Attributes"]
        if sum(map(int, found.values())) < FULL:
            return
        time.sleep(0.1)


if __name__ == "__main__":
    produce(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    print(f"{sys.argv[2]} orders sent", file=sys.stderr)
