"""Ten thousand schedules in one process, a thousand of them due in the same second: how late, how large, how idle.

`SchedulePoller` over an SQLite file, with an async handler that does nothing, a hundred at once. Nine thousand fire
once a day, at another time; a thousand at each full minute. Lateness is what the handler sees, by the machine's clock.

Run alone: `python benchmarks/schedules.py 10000 1000 2`: schedules, how many at each minute, how many minutes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from headrace_connectors import SchedulePoller

ALL, TOGETHER, MINUTES = 10_000, 1_000, 2
TARGET = 1.0
"""Seconds that the latest hundredth may be late."""


def schedules(count: int, together: int, far: datetime) -> dict[str, dict[str, str]]:
    """By name; *far* is a time of day that is not near."""
    due = {f"due-{n}": {"schedule_expression": "cron(* * * * ? *)"} for n in range(together)}
    day = f"{far.minute} {far.hour}"
    return due | {f"far-{n}": {"schedule_expression": f"cron({day} * * ? *)"} for n in range(count - together)}


def megabytes() -> float:
    """Resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def measure(count: int, together: int, minutes: int) -> dict[str, float]:
    late: list[float] = []
    done, begun = asyncio.Event(), math.inf

    async def handler(event: dict[str, Any], _: Any) -> None:
        planned = datetime.fromisoformat(event["time"]).timestamp()
        if planned > begun:  # before that its bucket was not held yet
            late.append(time.time() - planned)
            if len(late) == together * minutes:
                done.set()

    now = datetime.now(UTC)
    far = now.replace(hour=(now.hour + 12) % 24)
    gc.collect()
    before = megabytes()
    with tempfile.TemporaryDirectory() as folder:
        poller = SchedulePoller(
            name="bench",
            schedules=schedules(count, together, far),
            handler=handler,
            state=f"sqlite:{folder}/state.db",
            scaling_config={"maximum_concurrency": 100},
        )
        async with poller:
            running = asyncio.ensure_future(poller.run())
            await asyncio.sleep(15)  # every bucket is leased, every schedule is known
            grown, begun = megabytes() - before, time.time()
            await done.wait()
            await asyncio.sleep(max(0.0, 5 - time.time() % 60))
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(30)
            idle = (time.process_time() - cpu) / (time.perf_counter() - began)
            poller.stop()
            await running
    cuts = quantiles(late, n=100)
    return {
        "p50": cuts[49],
        "p99": cuts[98],
        "most": max(late),
        "kilobytes": grown * 1024 / count,
        "idle_percent": idle * 100,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(*map(int, sys.argv[1:4])))))
