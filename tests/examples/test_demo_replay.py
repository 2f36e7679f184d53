"""The demo of replay: it runs to its end, and its books notice what does not add up."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "configs" / "replay" / "run.py"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_replay", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HANDLED", tmp_path / "handled")
    return module


def test_it_runs() -> None:
    path = os.pathsep.join([str(ROOT / "tests"), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sqs failed: 12 replayed" in done.stdout
    assert "the books balance" in done.stdout


@pytest.mark.parametrize(
    ("handled", "left", "said"),
    [
        ("1 {one} a\n2 {two} b\n", [0, 0], []),
        ("1 {one} a\n", [0, 0], ["1 orders were never handled"]),
        ("1 {one} a\n2 {two} b\n2 {two} b\n", [0, 0], ["1 were handled again"]),
        ("1 9.99 a\n2 {two} b\n", [0, 0], ["the totals of ['1'] are wrong"]),
        ("1 {one} a\n2 {two} other\n", [0, 0], ["['2'] were handled under other ids"]),
        ("1 {one} a\n2 {two} b\n", [0, 1], ["the queues still hold [0, 1]"]),
    ],
)
def test_the_books_notice(demo: ModuleType, handled: str, left: list[int], said: list[str]) -> None:
    demo.HANDLED.write_text(handled.format(one=f"{1.5 * 1.19:.2f}", two=f"{2.5 * 1.19:.2f}"))
    assert demo.books({1: "a", 2: "b"}, left) == said
