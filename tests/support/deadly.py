"""A record that kills whichever process handles it, started again each time, until it is given up alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.copies import Copies, when
from support.service import boot
from support.streambooks import StreamBooks

PATIENCE = 240.0
"""Seconds for all of its deaths."""


def care(letters: Path) -> dict[str, Any]:
    """Of a mapping: it is given up after two retries, and a file says so."""
    on_failure = {"destination": {"type": "file", "path": str(letters)}}
    return {"maximum_retry_attempts": 2, "destination_config": {"on_failure": on_failure}}


async def given_up(books: StreamBooks, copies: Copies, letters: Path, others: int) -> tuple[dict[str, Any], float]:
    """Its failure record, and when that was written, once so many *others* are done too. The copies are stopped."""
    end = boot() + PATIENCE
    while not letters.exists() or len(books.done()) < others:
        await asyncio.sleep(0.2)
        assert boot() < end, copies.log_text()
        copies.raise_the_dead()
        assert len(copies.killed) < 20, copies.log_text()
    await copies.stop()
    (letter,) = written(letters)
    return letter, written_at(letter)


def written(letters: Path) -> Sequence[dict[str, Any]]:
    """Every failure record of the file."""
    return [json.loads(line) for line in letters.read_text().splitlines()]


def written_at(letter: dict[str, Any]) -> float:
    """When it was made, on the boot clock; it was in its file a moment later."""
    return boot() - (time.time() - when(letter))
