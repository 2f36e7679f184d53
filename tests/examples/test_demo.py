"""The demo's parts: its handler answers as Lambda wants it, and its books notice whatever does not add up."""

from __future__ import annotations

import collections
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DEMO = Path(__file__).parents[2] / "configs" / "demo"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"demo_{name}", DEMO / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


orders, run, produce = load("orders"), load("run"), load("produce")


def record(number: int, kind: str, attempt: int) -> dict[str, Any]:
    return {
        "messageId": f"id-{number}",
        "body": json.dumps({"order": number, "kind": kind}),
        "attributes": {"ApproximateReceiveCount": str(attempt)},
    }


def test_the_handler_writes_down_what_it_did_and_reports_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_HANDLED", str(tmp_path / "handled"))
    records = [record(1, "plain", 1), record(2, "poison", 3), record(3, "flaky", 1), record(4, "flaky", 2)]
    answer = orders.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-2"}, {"itemIdentifier": "id-3"}]}
    assert (tmp_path / "handled").read_text() == "1\n4\n"


def books(handled: list[int], dead: list[int], left: int = 0) -> Any:
    return run.Books(
        sent={1: "plain", 2: "poison", 3: "flaky"},
        handled=collections.Counter(handled),
        dead=collections.Counter(dead),
        left=left,
    )


def test_the_books_balance_and_duplicates_are_allowed() -> None:
    assert books([1, 3, 3], [2]).faults(3) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (books([1], [2]), "lost"),
        (books([1, 3], [2, 3]), "both"),
        (books([1, 3, 9], [2]), "never sent"),
        (books([1], [2, 3]), "without being poison"),
        (books([1, 2, 3], []), "other way round"),
        (books([1, 3], [2], left=4), "still in the queue"),
    ],
)
def test_the_books_notice(found: Any, words: str) -> None:
    assert any(words in fault for fault in found.faults(3))


def test_the_books_notice_that_not_everything_was_sent() -> None:
    assert books([1, 3], [2]).faults(10) == ["7 orders were never sent"]


def test_the_producer_mixes_in_poison_and_flaky_orders() -> None:
    kinds = collections.Counter(produce.kind(number) for number in range(1, 10_001))
    assert kinds == {"plain": 9960, "poison": 20, "flaky": 20}
