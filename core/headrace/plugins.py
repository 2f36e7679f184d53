"""What a connector is to the rest: a registration. Catalogs hold them, and are found by entry point."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from pydantic import BaseModel

from headrace.clock import SYSTEM, Clock
from headrace.errors import Fault
from headrace.filters import View
from headrace.model import Keep, Source, Traits
from headrace.observe import Log, Tally
from headrace.settings import MappingSettings, Settings

OptionsModel: TypeAlias = type[Settings]

GROUP = "headrace.catalogs"
"""The entry-point group; each entry names a `Catalog`."""


NO_VIEW = "this source shows nothing to filters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """All that a connector is told when a mapping opens it.

    `settings` are effective: what the user wrote, with the source's defaults filled in. `options` is the source block
    as the connector's own model. `sections` are the catalog's top-level blocks of the config, by name. `tally` gives
    the counts of a lane by its name.
    """

    service: str
    mapping: str
    settings: MappingSettings
    options: Any
    sections: Mapping[str, BaseModel]
    function_timeout: float
    log: Log
    clock: Clock = SYSTEM
    tally: Callable[[str], Tally] = lambda _: Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a server says about a mapping: effective values that come from it, and what is wrong or dangerous."""

    values: Mapping[str, object] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """How one kind of source is configured and opened.

    Attributes:
        type: the word in `source: {type: …}`.
        summary: one line for `headrace connectors`.
        options: the model of the source block, without `type`.
        traits: what its lanes promise.
        defaults: mapping settings whose default is the source's own.
        refuses: mapping settings that it cannot honour, each with the reason (design rule: nothing is accepted
            and ignored).
        check: what is wrong with a mapping without asking anybody; gets effective settings. `path` of each fault is
            relative to the mapping (`batch_size`, `source.queue_url`).
        warn: legal but dangerous, same form.
        view: what filters see of a record; without it `filter_criteria` is refused.
        probe: asks the server; never raises for what the server says, but returns it.
        open: the running source.
        keep: which records are for a handler at all, before any filter of the user's; the others are settled as
            filtered out. None: all.
    """

    type: str
    summary: str
    options: OptionsModel
    traits: Traits
    open: Callable[[Opening], Source]
    probe: Callable[[Opening], Awaitable[Probe]]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Opening], Iterable[Fault]] = lambda _: ()
    warn: Callable[[Opening], Iterable[Fault]] = lambda _: ()
    keep: Callable[[Opening], Keep | None] = lambda _: None
    view: View | None = None

    def __post_init__(self) -> None:
        if self.view is None:
            object.__setattr__(self, "refuses", {"filter_criteria": NO_VIEW, **self.refuses})


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What one package brings: its connectors, and the top-level sections of the config that they share."""

    connectors: Sequence[Connector] = ()
    sections: Mapping[str, OptionsModel] = field(default_factory=dict)

    def connector(self, type: str) -> Connector:  # noqa: A002 - the config's word
        return next(connector for connector in self.connectors if connector.type == type)


def discover() -> Catalog:
    """Every installed catalog, as one. Two connectors of one type, or two sections of one name, are refused."""
    found = [entry.load() for entry in entry_points(group=GROUP)]
    connectors = [connector for catalog in found for connector in catalog.connectors]
    sections = [section for catalog in found for section in catalog.sections]
    for names, word in (([c.type for c in connectors], "source type"), (sections, "config section")):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two installed catalogs bring the same {word}: {', '.join(sorted(twice))}")
    return Catalog(
        connectors=connectors,
        sections={name: model for catalog in found for name, model in catalog.sections.items()},
    )
