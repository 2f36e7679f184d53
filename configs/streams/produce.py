# ruff: noqa: INP001 - a script, run in a process of its own
"""Puts numbered meter readings into a Kinesis stream with botocore, AWS's own client; notes each that was accepted.

    produce.py STREAM COUNT SECONDS FILE    # lines of FILE: {"n": …, "key": …, "shard": …, "sequence": …, "bad": …}

There are a hundred meters, and a call holds fifty readings, no two of a meter: PutRecords promises no order within a
call, so this is how order per key begins. What a call did not accept goes again before the next one. Some are
bad (readings.py).
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import botocore.session

METERS, TOGETHER = 100, 50
BAD, FIRST_BAD = 701, 500
"""Of so many readings one is bad; so those of several meters are."""


def key(number: int) -> str:
    return f"meter-{number % METERS:02}"


def is_bad(number: int) -> bool:
    return number % BAD == FIRST_BAD


def produce(stream: str, count: int, seconds: float, book: Path) -> None:
    kinesis = botocore.session.get_session().create_client("kinesis")
    began = time.monotonic()
    with book.open("w") as lines:
        for start in range(1, count + 1, TOGETHER):
            time.sleep(max(0.0, began + seconds * (start - 1) / count - time.monotonic()))
            left = list(range(start, min(start + TOGETHER, count + 1)))
            while left:
                left = put(kinesis, stream, left, lines)


def put(kinesis: Any, stream: str, numbers: list[int], lines: Any) -> list[int]:
    """What was not accepted."""
    records = [
        {
            "PartitionKey": key(number),
            "Data": json.dumps({"n": number, "value": None if is_bad(number) else number / 10}),
        }
        for number in numbers
    ]
    answers = kinesis.put_records(StreamName=stream, Records=records)["Records"]
    taken = [(number, one) for number, one in zip(numbers, answers, strict=True) if "SequenceNumber" in one]
    lines.write("".join(line(number, one) for number, one in taken))
    lines.flush()
    return [number for number, one in zip(numbers, answers, strict=True) if "SequenceNumber" not in one]


def line(number: int, answer: dict[str, Any]) -> str:
    """What is noted of a reading that was accepted."""
    told = {"n": number, "key": key(number), "shard": answer["ShardId"], "sequence": int(answer["SequenceNumber"])}
    return json.dumps({**told, "bad": is_bad(number)}) + "\n"


if __name__ == "__main__":
    produce(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
