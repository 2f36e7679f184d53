"""A planted secret appears in no destination, log, error or store: every source, redacted field and way to fail."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from headrace.config.effective import effective
from headrace.functions import Function
from headrace.leases import Leases
from headrace.mapping import Mapping as Running
from headrace.observe import log
from headrace.plugins import Opening, Routing
from headrace.service import status
from headrace.service.metrics import exposition
from headrace.settings import MappingSettings
from headrace.testing import FakeClock, virtual
from support.keepers import Store
from support.planted import SECRET, SOURCES, Planted, PlantedSource
from support.telltales import WAYS, Answer, Shelf, shelved
from support.traces import exposes

NOT_BLIND = {"raises a type"}
"""The type of an error stays where nobody knows what it may quote: it is in the code, but for who makes one of data."""
BLIND = {"sqs, text", "sqs, broken JSON", "sqs, JSON in JSON", "kinesis, text", "kinesis, bytes", "kafka, bytes"}


class Shown:
    """Everything that was to be seen of one run."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def look(self, mapping: Running) -> None:
        """As `/v1/mappings`, `/readyz`, the ledger, and `/metrics` have it."""
        view = status.view(mapping, status.Sampled())
        words = [running.words.text() for running in mapping.lanes.values()]
        self.texts += [json.dumps([view.state, view.reason, [[one.state, one.reason] for one in view.lanes]]), *words]
        self.last = (
            dataclasses.asdict(view),
            status.Snapshot(mappings=(view,), histograms=tuple(status.histograms(mapping))),
        )

    def leaks(self, secrets: Sequence[str]) -> list[str]:
        """Each text that gives one of *secrets* away, once."""
        found = [one for one in dict.fromkeys(self.texts) if exposes(one, *secrets)]
        return [one[:2000] for one in found]


async def run(planted: Planted, behave: Answer, *, full: bool, redact: bool = True, **more: Any) -> Shown:
    """One mapping over these records until all have their verdict; everything that was to be seen meanwhile."""
    shown, shelf, store, sources = Shown(), Shelf(), Store(), list[PlantedSource]()
    connector, clock = planted.opened(sources), FakeClock()
    queue = planted.traits.redelivers
    written = {
        "function_response_types": ["ReportBatchItemFailures"],
        "maximum_retry_attempts": 1,
        "retry_backoff": {"initial": 1, "maximum": 1},
        "starting_position": None if queue else "TRIM_HORIZON",
        "redact": list(planted.redact) if redact else None,
        "failure_payload": None if queue else "full" if full else "metadata",
        **more,
    }
    settings, _ = effective(
        connector, MappingSettings(**{name: one for name, one in written.items() if one is not None})
    )

    async def handler(event: Any, context: Any) -> Any:
        answer = behave(event, context)
        return await answer if inspect.isawaitable(answer) else answer

    with capture_logs() as lines:
        opening = Opening(
            service="s",
            mapping="m",
            settings=settings,
            options=planted.options,
            sections={},
            function_timeout=3,
            log=log(mapping="m"),
            clock=clock,
            folder=Path("/nowhere"),
            leases=Leases(store.opened),
            on_failure=Routing.to(*shelved(shelf)),
            on_success=Routing.to(*shelved(shelf)),
        )
        mapping = Running(connector, opening, Function.of("f", handler, timeout=3, clock=clock))
        task = asyncio.ensure_future(mapping.run())
        async with asyncio.timeout(600):
            while not (sources and await sources[0].idle()):
                await asyncio.sleep(0.2)
                shown.look(mapping)
        mapping.stop(60)
        await task
        shown.look(mapping)
    shown.texts += [json.dumps(shown.last[0]), exposition("s", shown.last[1], "")[1].decode()]
    shown.texts += [f"{line!r}" for line in lines]
    shown.texts += [f"{one!r} {one.body.decode()}" for one in shelf.sent]
    shown.texts += store.told
    assert shelf.sent, "nothing left, so nothing was tried"
    assert store.told, "nothing was kept, though the shelf was away at first"
    return shown


CASES = [(source, way) for source in SOURCES for way in WAYS if not (way in NOT_BLIND and source in BLIND)]


@pytest.mark.parametrize(("source", "way"), CASES)
def test_no_secret_leaves(source: str, way: str) -> None:
    for full in (True,) if SOURCES[source].traits.redelivers else (True, False):
        shown = run_virtual(SOURCES[source], WAYS[way], full=full)
        assert shown.leaks(SOURCES[source].secrets) == []


@virtual
async def run_virtual(planted: Planted, behave: Answer, **more: Any) -> Any:
    return await run(planted, behave, **more)


@pytest.mark.parametrize("source", SOURCES)
def test_it_does_where_nothing_is_redacted(source: str) -> None:
    """Else the proof above looks in the wrong place."""
    assert run_virtual(SOURCES[source], WAYS["raises plain"], full=True, redact=False).leaks([SECRET])
