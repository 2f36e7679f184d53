"""Redaction of asynchronous invocations: their records, dead letters, notes and the functions that are told of them."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from itertools import product
from typing import Any

import pytest
from structlog.testing import capture_logs

from headrace.asynchronous import NoOptions, invocations, packed, queue_of
from headrace.config.effective import effective
from headrace.functions import Function
from headrace.leases import Leases
from headrace.mapping import Mapping
from headrace.observe import log
from headrace.plugins import Connector, Destined, Opening, Routing
from headrace.service import status
from headrace.settings import MappingSettings, Settings
from headrace.testing import FakeClock, virtual
from headrace.tofunction import FunctionOptions
from headrace.tofunction import function as to_function
from headrace_connectors.schedule.options import ScheduleOptions
from headrace_connectors.schedule.registration import schedule
from support.engine import Lines
from support.fleet import Store
from support.planted import NUMBER, ORDER, PATHS, SECRET
from support.telltales import WAYS, Shelf, shelved
from support.traces import exposes
from support.virtualcopy import VirtualCopy

ID = "0f0e0d0c-0b0a-4a09-8807-060504030201"


class Copy(VirtualCopy):
    """One copy of a service with one mapping that invokes `f` asynchronously; *behave* is its handler."""

    def __init__(self, connector: Connector, options: Settings, behave: Any, **more: Any) -> None:
        self.clock, self.shelf, self.behave = FakeClock(), Shelf(), behave
        self.store = Store(self.clock)
        self.leases = Leases(self._ledger, owner="c", closes=False, clock=self.clock, logger=Lines())
        settings, _ = effective(connector, MappingSettings(**{"retry_backoff": {"initial": 1, "maximum": 1}, **more}))
        (dead, *_) = shelved(self.shelf)
        every = [
            *shelved(self.shelf),
            Destined(kind=to_function, options=FunctionOptions(function="g")),
        ]
        opening = Opening(
            service="s",
            mapping=queue_of("f"),
            settings=settings,
            options=options,
            sections={},
            function_timeout=3,
            log=log(mapping="f"),
            clock=self.clock,
            leases=self.leases,
            functions=("f", "g"),
            on_failure=Routing.to(*every),
            on_success=Routing.to(*every),
            dead_letter=dead,
        )
        self.mapping = Mapping(connector, opening, Function.of("f", self._handle, timeout=3, clock=self.clock))

    async def _ledger(self) -> Any:
        return self.store

    async def _handle(self, event: Any, context: Any) -> Any:
        answer = self.behave(event, context)
        return await answer if inspect.isawaitable(answer) else answer


def of_events(event: Any) -> tuple[Connector, Settings, list[Any]]:
    return invocations, NoOptions(), [packed(ID, event)]


def of_schedule(event: Any) -> tuple[Connector, Settings, list[Any]]:
    return schedule, ScheduleOptions(schedule_expression="rate(1 minute)", input=event), []


SOURCES = {
    "event": of_events(ORDER),
    "event of JSON text": of_events(json.dumps(ORDER)),
    "event that is a text": of_events(f"{SECRET} {NUMBER}"),
    "schedule": of_schedule(ORDER),
}


async def run(source: str, behave: Any, *, redact: list[str] | None) -> list[str]:
    """Every text that gives the secret away."""
    connector, options, calls = SOURCES[source]
    more = {"redact": redact, "maximum_retry_attempts": 1} if redact else {"maximum_retry_attempts": 1}
    texts: list[str] = []
    with capture_logs() as lines:
        copy = Copy(connector, options, behave, **more).start()
        await copy.store.put(queue_of("f"), calls)
        for _ in range(300):
            await asyncio.sleep(0.5)
            view = status.view(copy.mapping, status.Sampled())
            texts += [json.dumps(dataclasses.asdict(view)["lanes"]), view.reason]
            texts += [running.words.text() for running in copy.mapping.lanes.values()]
        await copy.stop()
    told = await copy.store.take(queue_of("g"), "c", 10, 10)
    assert told, "the other function was not told"
    assert copy.shelf.sent
    texts += [f"{line!r}" for line in lines]
    texts += [f"{one!r} {one.body.decode()}" for one in copy.shelf.sent]
    texts += [one.call.event for one in told]
    texts += [repr(await copy.store.notes(queue_of("f")))]
    return [one[:1000] for one in dict.fromkeys(texts) if exposes(one, SECRET, str(NUMBER))]


WITHOUT_RECORDS = [name for name in WAYS if not name.startswith("names ")]


EXCUSED = {("event that is a text", "raises a type")}
"""Nobody knows what is secret in such a text, and the type of an error stays."""


@pytest.mark.parametrize(("source", "way"), [both for both in product(SOURCES, WITHOUT_RECORDS) if both not in EXCUSED])
def test_no_secret_leaves(source: str, way: str) -> None:
    assert virtual(run)(source, WAYS[way], redact=list(PATHS)) == []


@pytest.mark.parametrize("source", SOURCES)
def test_it_does_where_nothing_is_redacted(source: str) -> None:
    assert virtual(run)(source, WAYS["raises plain"], redact=None)
