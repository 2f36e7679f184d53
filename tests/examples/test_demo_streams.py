"""The demo of streams: its handler and producer do as they say, its books notice what does not hold, and it runs."""

from __future__ import annotations

import base64
import importlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.testing.history import Attempt
from headrace.testing.lineage import Produced

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "streams"
sys.path.append(str(DEMO))
books, copies, produce, readings = map(importlib.import_module, ("books", "copies", "produce", "readings"))


def record(number: int, value: float | None = 1.0) -> dict[str, Any]:
    data = base64.b64encode(json.dumps({"n": number, "value": value}).encode()).decode()
    return {
        "eventID": f"shardId-7:{number}",
        "kinesis": {"data": data, "partitionKey": "meter-01", "sequenceNumber": str(number)},
    }


@pytest.mark.parametrize("delivery", [None, SimpleNamespace(epoch=3, attempt=2)])
def test_the_handler_notes_what_it_did_and_reports_the_first_that_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: Any
) -> None:
    """With a context of Lambda's own, too. Catches: records behind a bad one that are noted as done."""
    monkeypatch.setenv("READINGS_BOOK", str(tmp_path / "book"))
    context = SimpleNamespace(aws_request_id="call", **({"headrace": delivery} if delivery else {}))
    answer = readings.handler({"Records": [record(1), record(2, None), record(3)]}, context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    noted = books.attempts((tmp_path / "book").read_text().splitlines())
    assert [(one.number, one.end, one.lane) for one in noted] == [
        (1, "done", "shardId-7"),
        (2, "failed", "shardId-7"),
        (3, "failed", "shardId-7"),
    ]
    assert {one.epoch for one in noted} == {delivery.epoch if delivery else 0}
    assert readings.handler({"Records": [record(4)]}, context) == {"batchItemFailures": []}


class RefusingStream:
    """Takes the first of each call only."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append([one["PartitionKey"] for one in Records])
        taken = {"ShardId": "shardId-0", "SequenceNumber": str(len(self.calls))}
        return {"Records": [taken, *[{"ErrorCode": "Throttled"}] * (len(Records) - 1)]}


def test_the_producer_notes_what_was_accepted_and_sends_the_rest_again(tmp_path: Path) -> None:
    stream, left = RefusingStream(), [1, 2, 3]
    with (tmp_path / "sent").open("w") as lines:
        while left:
            left = produce.put(stream, "stream", left, lines)
    assert stream.calls == [["meter-01", "meter-02", "meter-03"], ["meter-02", "meter-03"], ["meter-03"]]
    assert [(one.number, one.sequence) for one in books.sent(tmp_path / "sent")] == [(1, 1), (2, 2), (3, 3)]


def test_no_call_holds_two_readings_of_a_meter() -> None:
    assert len({produce.key(number) for number in range(1, produce.TOGETHER + 1)}) == produce.TOGETHER
    assert produce.METERS % produce.TOGETHER == 0


def attempt(number: int, begun: float, **changes: Any) -> Attempt:
    own = {"message_id": str(number), "count": 1, "pid": 1, "call": f"{number}@{begun}", "lane": "a", "epoch": 1}
    return Attempt(number=number, begun=begun, **{**own, "end": "done", "ended": begun + 0.5, **changes})


GOOD = books.Books(
    produced=[Produced(number=number, key="meter", shard="a", sequence=number) for number in (1, 2, 3)],
    bad=frozenset({2}),
    history=[attempt(1, 1), attempt(2, 2, end="failed"), attempt(3, 4)],
    parents={"a": []},
    given_up={2: 3.0},
    broken={},
    writes=[],
)


def faults(books: Any) -> list[str]:
    return list(books.faults(3, books.lineage()))


def test_the_books_hold() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"history": [*GOOD.history[:2]]}, "lost: 3"),
        ({"history": [*GOOD.history, attempt(3, 6)]}, "repeat: 3"),
        ({"history": [GOOD.history[0], attempt(3, 2), attempt(2, 2.5, end="failed")]}, "overtaken: 2 by 3"),
        ({"given_up": {2: 3.0, 3: 3.0}}, "way round: [3]"),
        ({"given_up": {}, "history": [*GOOD.history[:2], attempt(2, 3), attempt(3, 4)]}, "way round: [2]"),
        ({"produced": GOOD.produced[:2], "history": GOOD.history[:2]}, "1 readings were never accepted"),
    ],
)
def test_the_books_notice(changes: dict[str, Any], words: str) -> None:
    found = faults(replace(GOOD, **changes))
    assert any(words in fault for fault in found), found


def test_a_repeat_has_a_cause_when_its_copy_was_killed_with_the_lease() -> None:
    """Catches: every lease of a killed copy as an excuse, those too that it had let go of in order."""
    repeated = [*GOOD.history, attempt(3, 6, epoch=2, pid=2)]
    assert faults(replace(GOOD, history=repeated, broken={("a", 1): "kill"})) == []
    assert faults(replace(GOOD, history=repeated, broken={("b", 1): "kill"}))


def test_what_was_done_to_leases_is_read_from_the_logs(tmp_path: Path) -> None:
    copy = copies.Copy(number=1, headrace="", out=tmp_path, environment={}, killed_at=9.0)
    when = "2026-01-01T00:00:00Z"
    told = [
        {"event": "lease.taken", "lane": "a", "epoch": 1},
        {"event": "lease.taken", "lane": "b", "epoch": 4},
        {"event": "lease.taken", "lane": "c", "epoch": 2},
        {"event": "lane.closed", "lane": "a"},
        {"event": "lease.lost", "lane": "b"},
        {"event": "lane.closed", "lane": "b"},
    ]
    lines = [json.dumps({**one, "timestamp": when}) for one in told]
    copy.log.write_text("\n".join(["no JSON", *lines, '{"event": "lease.ta']))
    broken, writes = books.leases([copy])
    assert broken == {("b", 4): "lease lost", ("c", 2): "kill"}
    assert [(one.verb, one.shard, one.epoch) for one in writes] == [("release", "a", 1)]


def test_the_time_without_a_reader_is_from_the_kill_to_the_next_lease(tmp_path: Path) -> None:
    killed, other = (copies.Copy(number=number, headrace="", out=tmp_path, environment={}) for number in (1, 2))
    killed.killed_at = datetime(2026, 1, 1, 0, 1, tzinfo=UTC).timestamp()
    line = '{{"event": "lease.taken", "lane": "{}", "epoch": 1, "timestamp": "2026-01-01T00:{}Z"}}\n'.format
    killed.log.write_text(line("a", "00:01") + line("b", "00:02"))
    other.log.write_text(line("c", "01:01") + line("a", "00:00") + line("a", "01:03") + line("a", "01:07"))
    assert books.takeovers([killed, other]) == [3, math.inf]


def test_it_runs(tmp_path: Path) -> None:
    """The whole demo, small. Catches: a child read before its parents; what follows a failure taken for handled."""
    path = os.pathsep.join([str(ROOT / "tests"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, DEMO / "run.py", "--readings", "1500", "--seconds", "8"],
        env={**os.environ, "PYTHONPATH": path, "DEMO_OUT": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("split shardId-000000000000", "merge shardId", "SIGKILL copy", "start copy 4", "it all holds"):
        assert words in done.stdout
