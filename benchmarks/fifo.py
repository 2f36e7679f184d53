"""The same of a FIFO queue, with 1, 10 and 1,000 message groups: headrace against the bare loop.

Both keep the order of a group by the queue's own lock: none of it is given out before what is out is deleted. The bare
loop is `sqs.py`'s, eight loops of receive ten, handle, delete ten; headrace has `maximum_concurrency: 8`.

Run alone: `python benchmarks/fifo.py headrace 20000 10`.
"""

from __future__ import annotations

import json
import sys

import sqs

GROUPS = (1, 10, 1000)
CONTESTANTS = ("bare", "headrace")


def rounds(count: int, total: int) -> dict[tuple[int, str], list[dict[str, float]]]:
    """*count* runs of each by groups and contestant; who goes first changes."""
    runs: dict[tuple[int, str], list[dict[str, float]]] = {(g, who): [] for g in GROUPS for who in CONTESTANTS}
    for number in range(count):
        for groups in GROUPS:
            for who in CONTESTANTS[:: -1 if number % 2 else 1]:
                runs[groups, who].append(sqs.measure(who, total, groups=groups))
    return runs


if __name__ == "__main__":
    print(json.dumps(sqs.measure(sys.argv[1], int(sys.argv[2]), groups=int(sys.argv[3]))))
