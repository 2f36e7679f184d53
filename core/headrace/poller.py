"""One mapping as an object: what `SqsPoller` and its sisters are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict

from pydantic import ValidationError

from headrace.config.entry import Around, Entry
from headrace.config.given import plain
from headrace.config.places import Places
from headrace.config.salvage import Part, details
from headrace.config.wording import Validator
from headrace.errors import ConfigError, Fault
from headrace.functions import Function
from headrace.functions.invocation import Handler
from headrace.functionsettings import FunctionSettings
from headrace.leases import Leases
from headrace.ledger import Ledger, LedgerOpening
from headrace.mapping import Mapping as Running
from headrace.mapping import Report
from headrace.model import Condition
from headrace.observe import Tally, log
from headrace.plugins import Catalog, Connector, Opening
from headrace.settings import MappingSettings, Settings
from headrace.witness import witness_of


class PollerOptions(TypedDict, total=False):
    """Keyword arguments of every poller: a mapping's settings in the config file, same names, types and defaults."""

    batch_size: int
    maximum_batching_window_in_seconds: float
    function_response_types: list[str]
    scaling_config: dict[str, int]
    response_mode: str
    retry_backoff: dict[str, float]
    capacity: int
    capacity_bytes: int
    filter_criteria: dict[str, Any]
    idempotency: dict[str, Any]
    maximum_retry_attempts: int
    destination_config: dict[str, Any]
    failure_payload: str
    redact: list[str]


class Poller:
    """Polls one source and hands its batches to *handler*, from `run` until `stop` or cancellation; drains either way.

    ```python
    async with SqsPoller(queue_url=url, handler=handler, batch_size=10) as poller:
        await poller.run()
    ```

    *handler* is any callable of `(event, context)`: a plain one runs in a thread, an async one on this loop. *timeout*
    is what one call may take, and *drain_timeout* what a stop waits for handlers, in seconds. *state* is where leases
    and checkpoints of a log are kept (a URL as in the config file, or a `Ledger`), and what became of records whose
    destination is away: of a queue only where it is given. *catalog* says what destinations there are, and *sections*
    is what a config file would say in the catalog's sections.

    Raises:
        ConfigError: an argument is wrong; every fault at once.
    """

    def __init__(
        self,
        connector: Connector,
        handler: Handler,
        arguments: Mapping[str, Any],
        *,
        name: str,
        timeout: float,
        drain_timeout: float,
        state: str | Ledger | None,
        catalog: Catalog,
        sections: Mapping[str, Settings],
    ) -> None:
        self._leases = _leases(catalog, state, name)
        self._drain_timeout = drain_timeout
        self._running: asyncio.Future[None] | None = None
        url = state if isinstance(state, str) else ""
        opening = _opening(replace(catalog, connectors=[connector]), sections, arguments, name, timeout, state=url)
        self._function = Function.of(name, handler, timeout=timeout)
        keeps = state is not None or connector.has_ledger  # no file is made that nobody asked for
        opening = replace(opening, leases=self._leases, keeps=keeps)
        self._mapping = Running(connector, opening, self._function)

    @property
    def tally(self) -> Mapping[str, Tally]:
        """Counts by lane."""
        return self._mapping.tallies

    @property
    def condition(self) -> Condition:
        """Polling, or why not."""
        return self._mapping.condition

    @property
    def report(self) -> Report:
        """What was left when it ended."""
        return self._mapping.report

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None and not self._running.done():
            self.stop()
            await asyncio.wait({self._running})
        await self._function.close()

    async def run(self) -> None:
        """Poll until `stop`, or until this call is cancelled: then what is at a handler is finished first."""
        running = self._running = asyncio.ensure_future(self._run())
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            self.stop()
            await running
            raise

    async def _run(self) -> None:
        renewing = asyncio.ensure_future(self._leases.run())
        try:
            await self._mapping.run()
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
            await self._leases.close()

    def stop(self) -> None:
        """Fetch no more; `run` returns when what is at a handler is done, at most `drain_timeout` seconds later."""
        self._mapping.stop(self._drain_timeout)

    async def idle(self) -> bool:
        """True when nothing is left to do, here or at the source."""
        return await self._mapping.idle()


def _leases(catalog: Catalog, state: str | Ledger | None, name: str) -> Leases:
    """Over the ledger that *state* is, or leads to; one that was given as an object is its giver's to close."""
    if state is None or isinstance(state, str):
        url = state or f"sqlite:{name}.db"
        try:
            catalog.check_state(url)
        except ConfigError as error:
            raise ConfigError([replace(fault, path="state") for fault in error.faults]) from None
        opening = LedgerOpening(url=url, service=name)
        return Leases(partial(catalog.ledger, opening), witness=witness_of(url, name, opening.log))
    return Leases(partial(_given, state), closes=False)


async def _given(ledger: Ledger) -> Ledger:
    return ledger


def _opening(
    catalog: Catalog,
    sections: Mapping[str, Settings],
    arguments: Mapping[str, Any],
    name: str,
    timeout: float,
    *,
    state: str,
) -> Opening:
    """What the catalog's one connector is told, from keyword arguments: checked as a mapping of a config file is."""
    (connector,) = catalog.connectors
    given, strange = plain({key: value for key, value in arguments.items() if value is not None})
    written = {
        "source": {"type": connector.type, **{k: v for k, v in given.items() if k not in MappingSettings.model_fields}},
        "function": name,
        **{key: value for key, value in given.items() if key in MappingSettings.model_fields},
    }
    validator = Validator(Places())
    limit, more = plain(timeout, ("timeout",))
    function = validator.part(FunctionSettings, {"handler": "library.handler", "timeout": limit}, ("mappings", name))
    around = Around(
        service=name,
        state=state,
        catalog=catalog,
        sections={name: _section(one) for name, one in sections.items()},
        section_folders={},
        functions={name: function.whole},
        asynchronous=False,
    )
    entry = Entry(validator, around, name, written, Path.cwd())
    mapping = entry.read()
    faults = [*strange, *more]
    told = [fault.path for fault in faults]
    faults += [fault for fault in _of_arguments(validator.faults, name) if fault.path not in told]
    if mapping is None or faults:
        raise ConfigError(faults, _of_arguments(entry.warnings, name))
    for warning in _of_arguments(entry.warnings, name):
        log(mapping=name).warning("mapping.dangerous", at=warning.path, why=warning.message)
    return mapping.opening(name, sections, timeout, state=state)


def _section(section: Settings) -> Part[Settings]:
    """Arguments may stand in it that nobody has checked: their faults are told of the source's options."""
    try:
        return Part(model=type(section), value={}, whole=type(section).model_validate(dict(section)))
    except ValidationError as error:
        lost = frozenset((str(detail["loc"][0]),) if detail["loc"] else () for detail in details(error))
        shown = section.model_dump(mode="json", warnings=False, exclude_none=True)  # secrets are not looked at
        return Part(model=type(section), value=shown, lost=lost)


def _of_arguments(faults: Sequence[Fault], name: str) -> list[Fault]:
    """Faults at `mappings.NAME.source.queue_url` as those of the keyword argument that it was."""
    root = f"mappings.{name}"
    paths = [fault.path.removeprefix(root).removeprefix(".").removeprefix("source.") for fault in faults]
    return [Fault(path, fault.message) for path, fault in zip(paths, faults, strict=True)]
