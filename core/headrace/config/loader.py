"""The whole config file as checked values; every fault at once, each with its place and mend."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from headrace.config.bundle import Bundle, gather
from headrace.config.configured import MappingConfig
from headrace.config.entry import Around, Entry
from headrace.config.patterns import Patterns
from headrace.config.places import Places, Where
from headrace.config.queues import queue_of_function
from headrace.config.round import look_round, queue_mappings
from headrace.config.routes import Routes
from headrace.config.salvage import nothing
from headrace.config.shape import nearest
from headrace.config.wording import Validator, is_sensitive, not_a_mapping, unknown
from headrace.errors import ConfigError, Fault
from headrace.functionsettings import FunctionSettings
from headrace.plugins import Catalog, Destined, Opening
from headrace.settings import ServiceSettings

__all__ = ["NAME", "Config", "MappingConfig", "load"]

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
"""Of functions and mappings: as Lambda's functions, so that a name fits a metric's label, a lease, a dotted path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A config that can be run. Paths of functions are absolute; `base` is the folder of the first file."""

    service: ServiceSettings
    functions: dict[str, FunctionSettings]
    mappings: dict[str, MappingConfig]
    sections: dict[str, BaseModel]
    destinations: dict[str, list[Destined]]
    queues: dict[str, MappingConfig]
    catalog: Catalog
    base: Path
    warnings: tuple[Fault, ...] = ()
    places: Places = field(default_factory=Places, repr=False, compare=False)

    @property
    def all(self) -> dict[str, MappingConfig]:
        """What a service runs: the mappings, and the queues of functions."""
        return {**self.mappings, **self.queues}

    @property
    def state(self) -> str:
        """The URL of the ledger; a relative path is from the first file's folder."""
        url = self.service.state or f"sqlite:{self.service.name}.db"
        scheme, _, path = url.partition(":")
        return f"sqlite:{os.path.abspath(self.base / path)}" if scheme == "sqlite" else url  # noqa: PTH100 - as below

    def opening(self, mapping: str, **process: Any) -> Opening:
        """What the connector of *mapping* is told; *process* as `MappingConfig.opening` has it."""
        one = self.all[mapping]
        timeout = self.functions[one.function].timeout
        interval = self.service.commit_interval
        known = {"commit_interval": interval, "state": self.state, "functions": tuple(self.functions), **process}
        return one.opening(self.service.name, self.sections, timeout, **known)


def load(paths: Sequence[Path], catalog: Catalog, environ: Mapping[str, str] = os.environ) -> Config:
    """The config in *paths*, files or folders.

    Raises:
        ConfigError: with every fault and warning that was found, in the order of the files and their lines.
    """
    bundle = gather(paths, environ)
    config, faults, warnings = _Loader(bundle, catalog).config()
    if config is None or faults or bundle.faults:
        raise ConfigError(sorted([*bundle.faults, *faults], key=_Order(bundle.places)), warnings)
    return config


class _Loader:
    """One bundle on its way to a `Config`."""

    def __init__(self, bundle: Bundle, catalog: Catalog) -> None:
        self.bundle, self.catalog = bundle, catalog
        self.value, self.places = bundle.value, bundle.places
        self.places.hidden |= set(_literal_secrets(self.value, ()))
        self.validator = Validator(self.places)
        self.fault = self.validator.fault

    def config(self) -> tuple[Config | None, list[Fault], list[Fault]]:
        """The config, or why there is none; its faults and its warnings."""
        known = ["service", "functions", "mappings", "destinations", *self.catalog.sections]
        strange = self.value.keys() - set(known)
        for name in strange:
            self.fault((name,), unknown(name, known))
        meant = {word for name in strange if (word := nearest(name, known))}
        service = self._service()
        sections = {
            name: self.validator.block(model, self.value.get(name, {}), (name,))
            for name, model in self.catalog.sections.items()
        }
        sections |= {name: nothing(self.catalog.sections[name]) for name in meant & sections.keys()}
        written = self._block("functions")
        functions = {name: self._function(name, value) for name, value in written.items()}
        folders = self.bundle.folders
        routes = Routes(self.validator, self.catalog.destinations)
        destinations = {
            name: routes.several(value, ("destinations", name), f"destinations.{name}")
            for name, value in self._block("destinations").items()
        }
        routes = Routes(self.validator, self.catalog.destinations, destinations, Patterns(self.validator, None))
        queues = {
            name: queue
            for name, value in written.items()
            if (queue := queue_of_function(self.validator, routes, name, functions[name], value))
        }
        around = Around(
            service=service.name if service else "",
            state=(service.state if service else None) or "",
            catalog=self.catalog,
            sections=sections,
            section_folders={name: folders[name,] for name in sections if (name,) in folders},
            functions=None if "functions" in meant else functions,
            destinations=destinations,
            queues=queues,
        )
        entries = {
            name: Entry(self.validator, around, name, value, folders["mappings", name])
            for name, value in self._block("mappings").items()
        }
        mappings = {name: entry.read() for name, entry in entries.items()}
        if not queues and ("mappings" not in self.value or self.value["mappings"] == {}):
            self.fault(("mappings",), "no mapping is given, so there is nothing to run; add one")
        complete = {name: one for name, one in mappings.items() if one is not None}
        running = queue_mappings(around, complete, folders)
        told = look_round(self.validator, around, {**complete, **running}, self.value)
        self.validator.faults = list(dict.fromkeys(self.validator.faults))  # a destination's may come of each mapping
        told += [one for entry in entries.values() for one in entry.warnings]
        warnings = sorted(dict.fromkeys(told), key=_Order(self.places))
        if service is None or self.validator.faults:
            return None, self.validator.faults, warnings
        config = Config(
            service=service,
            functions={name: one for name, one in functions.items() if one is not None},
            mappings=complete,
            queues=running,
            sections={name: one.whole for name, one in sections.items() if one.whole is not None},
            destinations={
                name: [whole for target in several if target and (whole := target.whole)]
                for name, several in destinations.items()
            },
            catalog=self.catalog,
            base=self.bundle.base,
            warnings=tuple(warnings),
            places=self.places,
        )
        return config, [], warnings

    def _block(self, top: str) -> dict[str, Any]:
        block = self.value.get(top, {})
        if not isinstance(block, dict):
            self.fault((top,), not_a_mapping(block, f"must be a mapping from names to {top}"))
            return {}
        for name in block:
            if not re.fullmatch(NAME, name):
                self.fault((top, name), "a name takes letters, digits, - and _, at most 64, and no - or _ at its start")
        return block

    def _service(self) -> ServiceSettings | None:
        if "service" not in self.value:
            self.fault(("service",), "is required: at least its name, as service: {name: shop}")
            return None
        service = self.validator.block(ServiceSettings, self.value["service"], ("service",))
        state = service.value.get("state")
        if isinstance(state, str) and ("state",) not in service.lost:
            self._check_state(state)
        return service.whole

    def _check_state(self, url: str) -> None:
        try:
            self.catalog.check_state(url)
        except ConfigError as error:
            for fault in error.faults:
                self.fault(("service", "state"), self.places.scrub(fault.message))

    def _function(self, name: str, value: Any) -> FunctionSettings | None:
        function = self.validator.block(FunctionSettings, value, ("functions", name)).whole
        if function is None or function.path is None:
            return function
        folder = self.bundle.folders["functions", name]
        path = os.path.abspath(folder / function.path)  # noqa: PTH100 - resolve() fails on links in a circle
        return function.model_copy(update={"path": path})


class _Order:
    """Sorts faults by file, in the order in which they were given, and line."""

    def __init__(self, places: Places) -> None:
        files = dict.fromkeys(place.rpartition(":")[0] for place in places.lines.values())
        self.files = {file: index for index, file in enumerate(files)}

    def __call__(self, fault: Fault) -> tuple[int, int]:
        file, _, line = fault.place.rpartition(":")
        return (self.files[file], int(line)) if file in self.files else (-1, 0)


def _literal_secrets(value: Any, where: Where) -> Iterator[str]:
    """Texts written where a password or token is due. Not those of functions: no connector sees them."""
    if isinstance(value, dict):
        for key, one in value.items():
            if (*where, key) != ("functions",):
                yield from _literal_secrets(one, (*where, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _literal_secrets(one, (*where, index))
    elif isinstance(value, str) and value and is_sensitive(where):
        yield value
