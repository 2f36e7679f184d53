"""`make bench`: every measurement, a table on the terminal, the results in README.md between its markers."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import fifo
import filters
import schedules
import sqs
import streams
import topics

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- results: written by make bench -->\n", "<!-- end of results -->"

ROUNDS = 5
RECORDS = {1: 20_000, 10: 100_000, 100: 200_000, 1000: 200_000}
MESSAGES = 10_000
STREAM_RECORDS = 200_000
MODES = ("floor", "async", "sync")
PACKAGES = ("headrace", "aiobotocore", "botocore", "aiohttp", "orjson", "kafka-python", "confluent-kafka")


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median [least to most]."""
    return f"{median(values):{form}} [{min(values):{form}} to {max(values):{form}}]"


def engine() -> list[str]:
    """CPU of a record in the engine, each run in its own process; the modes take turns."""
    runs: dict[tuple[str, int], list[float]] = {(mode, batch): [] for batch in RECORDS for mode in MODES}
    for number in range(ROUNDS):
        say(f"engine, round {number + 1} of {ROUNDS}")
        for (mode, batch), costs in runs.items():
            command = [sys.executable, str(HERE / "engine.py"), mode, str(batch), str(RECORDS[batch])]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            costs.append(json.loads(done.stdout)["cpu_us"])
    rows = [[str(batch), *(spread(runs[mode, batch]) for mode in MODES)] for batch in RECORDS]
    return [
        "### Engine: CPU µs a record, SQS event rendered, handler that does nothing",
        "",
        *table(["batch", "floor: no engine", "async handler", "sync handler"], rows),
        "",
        verdict("async, batches of 100, µs", runs["async", 100], 2.0, most=True),
        verdict("sync, batches of 100, µs", runs["sync", 100], 3.5, most=True),
    ]


def queues() -> list[str]:
    """Receive, handle, delete; the contestants take turns, and which goes first changes."""
    peer = sqs.peer_python()
    pythons = {"bare": sys.executable, "headrace": sys.executable}
    if peer:
        pythons["sqs-workers"] = peer
    runs: dict[str, list[dict[str, float]]] = {who: [] for who in pythons}
    for number in range(ROUNDS):
        say(f"SQS, round {number + 1} of {ROUNDS}")
        for who in list(pythons)[:: -1 if number % 2 else 1]:
            runs[who].append(sqs.measure(who, MESSAGES, pythons[who]))
    rows = [[who, *_shown(results), *_against(results, runs["bare"])] for who, results in runs.items()]
    pairs = list(zip(runs["headrace"], runs["bare"], strict=True))
    return [
        f"### SQS: receive → handler → delete, {MESSAGES:,} messages of 200 bytes",
        "",
        *table(["", "messages/s", "CPU µs a message", "messages/s to bare", "CPU to bare"], rows),
        "",
        verdict("messages/s to the bare loop", [a["per_second"] / b["per_second"] for a, b in pairs], 0.97, most=False),
        verdict("CPU to the bare loop", [a["cpu_us"] / b["cpu_us"] for a, b in pairs], 0.6, most=True),
        *([] if peer else ["", "sqs-workers was not measured: its environment could not be installed."]),
    ]


def patterns() -> list[str]:
    """What a filter costs a record, beside the parse of its body."""
    runs: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        say(f"filters, round {number + 1} of {ROUNDS}")
        done = subprocess.run([sys.executable, str(HERE / "filters.py")], capture_output=True, text=True, check=True)
        for name, cost in json.loads(done.stdout).items():
            runs.setdefault(name, []).append(cost)
    return [
        f"### Filters: CPU µs for an event of {filters.size():,} bytes",
        "",
        *table(["", "µs"], [[name, spread(costs, ".1f")] for name, costs in runs.items()]),
        "",
        *[verdict(f"match, {name}, µs", runs[name], 40, most=True) for name in filters.PATTERNS],
    ]


def groups() -> list[str]:
    """Receive, handle, delete in a FIFO queue, by the number of its groups."""
    say(f"FIFO, {ROUNDS} rounds")
    runs = fifo.rounds(ROUNDS, MESSAGES)
    rows = [
        [f"{count:,}", who, *_shown(results), *_against(results, runs[count, "bare"])]
        for (count, who), results in runs.items()
    ]
    return [
        f"### SQS FIFO: receive → handler → delete in the order of the groups, {MESSAGES:,} messages",
        "",
        *table(["groups", "", "messages/s", "CPU µs a message", "messages/s to bare", "CPU to bare"], rows),
    ]


def shards() -> list[str]:
    """GetRecords and handle, by the size of the pages."""
    say(f"Kinesis, {ROUNDS} rounds")
    runs, peer = streams.rounds(ROUNDS, STREAM_RECORDS)
    rows = [
        [f"{page:,}", who, *_shown(results, ".1f"), *_against(results, runs[page, "bare"])]
        for (page, who), results in runs.items()
    ]
    ratios = {
        page: [a["cpu_us"] / b["cpu_us"] for a, b in zip(runs[page, "headrace"], runs[page, "bare"], strict=True)]
        for page in streams.PAGES
    }
    return [
        f"### Kinesis: GetRecords → handler, {STREAM_RECORDS:,} records of 200 bytes in {streams.SHARDS} shards",
        "",
        *table(["page", "", "records/s", "CPU µs a record", "records/s to bare", "CPU to bare"], rows),
        "",
        *[verdict(f"CPU to the bare loop, pages of {page:,}", ratios[page], 0.4, most=True) for page in streams.PAGES],
        *([] if peer else ["", f"{streams.PEER} was not measured: its environment could not be installed."]),
    ]


def partitions() -> list[str]:
    """Poll and handle, by the size of the values; each against the bare loop of its client."""
    say(f"Kafka, {ROUNDS} rounds")
    runs, peer = topics.rounds(ROUNDS)
    rows = [
        [f"{size:,}", who, *_shown(results, ".1f"), *_against(results, runs[size, topics.BARE.get(who, who)])]
        for (size, who), results in runs.items()
    ]
    ratios = {
        (size, who): [
            a["per_second"] / b["per_second"]
            for a, b in zip(runs[size, who], runs[size, topics.BARE[who]], strict=True)
        ]
        for size in topics.VALUES
        for who in topics.TARGETS
    }
    counts = ", ".join(f"{count:,} of {size:,} bytes" for size, count in topics.VALUES.items())
    return [
        f"### Kafka: poll → handler, {counts} in {topics.PARTITIONS} partitions",
        "",
        *table(["bytes", "", "records/s", "CPU µs a record", "records/s to bare", "CPU to bare"], rows),
        "",
        *[
            verdict(f"{who}: records/s to its bare loop, {size:,} bytes", values, topics.TARGETS[who], most=False)
            for (size, who), values in ratios.items()
        ],
        *([] if peer else ["", f"{topics.PEER} was not measured: its environment could not be installed."]),
    ]


def occurrences() -> list[str]:
    """How late a thousand fire in one second, what ten thousand weigh, and what they cost while none is due."""
    say(f"schedules, {schedules.MINUTES} minutes")
    counts = (str(one) for one in (schedules.ALL, schedules.TOGETHER, schedules.MINUTES))
    script = str(HERE / "schedules.py")
    done = subprocess.run([sys.executable, script, *counts], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    late = f"{found['p50']:.2f} / {found['p99']:.2f} / {found['most']:.2f}"
    row = [late, f"{found['kilobytes']:.1f}", f"{found['idle_percent']:.1f}"]
    return [
        f"### Schedules: {schedules.ALL:,} in one process, {schedules.TOGETHER:,} due in the same second, over SQLite",
        "",
        *table(["late by, s: p50 / p99 / most", "KB a schedule", "CPU while none is due, %"], [row]),
        "",
        verdict("late by at the 99th hundredth, s", [found["p99"]], schedules.TARGET, most=True),
    ]


def _shown(results: Iterable[dict[str, float]], form: str = ".0f") -> list[str]:
    results = list(results)
    return [spread([r["per_second"] for r in results], ",.0f"), spread([r["cpu_us"] for r in results], form)]


def _against(results: Sequence[dict[str, float]], bare: Sequence[dict[str, float]]) -> list[str]:
    """Ratios pair by pair: each run to the bare loop's of the same round."""
    if results is bare:
        return ["1", "1"]
    return [spread([a[key] / b[key] for a, b in zip(results, bare, strict=True)]) for key in ("per_second", "cpu_us")]


def verdict(what: str, values: Sequence[float], target: float, *, most: bool) -> str:
    reached = median(values)
    met = reached <= target if most else reached >= target
    wanted = f"{'at most' if most else 'at least'} {target}"
    return f"* {what}: {reached:.2f}, target {wanted}: {'met' if met else '**missed**'}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def machine() -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · Python {platform.python_version()} · {packages}",
        "",
        f"{_processor()} · {os.cpu_count()} cores · {platform.system()} {platform.release()} · load before: {load}",
        "",
        f"Median [least to most] of {ROUNDS} rounds, taken in turns.",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parts: dict[str, Callable[[], list[str]]] = {
        "engine": engine,
        "sqs": queues,
        "fifo": groups,
        "kinesis": shards,
        "kafka": partitions,
        "schedules": occurrences,
        "filters": patterns,
    }
    wanted = sys.argv[1:] or list(parts)
    head = machine()
    results = [line for name in wanted for line in (*parts[name](), "")]
    text = "\n".join([*head, "", *results])
    print(text)
    if wanted == list(parts):  # a part is for looking, the whole is for the record
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
