"""What became of records, by mapping: written down by the service while it runs, added up by who reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path
from threading import Event, Thread
from time import time_ns
from typing import Final

from headrace.service.process import Service
from headrace_connectors.testbed.place import write

EVERY: Final = 0.5
"""Seconds; so old they are when a process is killed."""


@contextmanager
def recorded(folder: Path, service: Service) -> Iterator[None]:
    """Keep *service*'s counts in a file of its own, to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    file, over = folder / f"{getpid()}-{time_ns()}.json", Event()

    def record() -> None:
        while not over.wait(EVERY):
            write(file, {view.mapping: view.counts for view in service.snapshot().mappings})

    thread = Thread(target=record, name="headrace-testbed-counts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write(file, {view.mapping: view.counts for view in service.snapshot().mappings})


def added_up(folder: Path) -> dict[str, Counter[str]]:
    """Of all services that ran on this testbed."""
    whole: dict[str, Counter[str]] = {}
    for file in sorted(folder.glob("*.json")):
        for mapping, counts in json.loads(file.read_text()).items():
            whole.setdefault(mapping, Counter()).update(counts)
    return whole
