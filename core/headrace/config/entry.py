"""One mapping of the config, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from headrace.config.destined import ON_FAILURE, destined, written
from headrace.config.effective import effective
from headrace.config.patterns import Filters
from headrace.config.places import dotted, printable
from headrace.config.shape import nearest, shape
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.errors import Fault
from headrace.observe import log
from headrace.plugins import Catalog, Connector, Destined, Opening
from headrace.settings import FunctionSettings, MappingSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingConfig:
    """One mapping. `settings` are effective; `origin` says of each: `file`, `default` or `default of sqs`.

    `folder` is that of the file which names it.
    """

    name: str
    connector: Connector
    options: Settings
    function: str
    settings: MappingSettings
    origin: Mapping[str, str]
    folder: Path
    on_failure: Destined | None = None

    def opening(
        self, service: str, sections: Mapping[str, BaseModel], function_timeout: float, **process: Any
    ) -> Opening:
        """What the connector is told; *process* is what only a running one has: `leases`, `shared`."""
        return Opening(
            service=service,
            mapping=self.name,
            settings=self.settings,
            options=self.options,
            sections=sections,
            function_timeout=function_timeout,
            log=log(mapping=self.name),
            folder=self.folder,
            on_failure=self.on_failure,
            **process,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a mapping leans on. A function or section with faults of its own is None, or missing."""

    service: str
    catalog: Catalog
    sections: Mapping[str, BaseModel]
    functions: Mapping[str, FunctionSettings | None]


class Entry:
    """One mapping being read. Faults go to the validator; `warnings` are kept here."""

    def __init__(self, validator: Validator, around: Around, name: str, value: Any, folder: Path) -> None:
        self.validator, self.around, self.name, self.value, self.folder = validator, around, name, value, folder
        self.places = validator.places
        self.where = ("mappings", name)
        self.warnings: list[Fault] = []

    def read(self) -> MappingConfig | None:
        """The mapping; None if it has faults."""
        if not isinstance(self.value, dict):
            self._fault(not_a_mapping(self.value, "must be a mapping with source and function"))
            return None
        function = self._function()
        connector = self._connector()
        if connector is None:
            self._settings(self.value, {})
            return None
        filters = Filters(self.validator, connector, self.where)
        allowed = filters.check(self._allowed(connector))
        given = self._settings(allowed, dict.fromkeys(shape(connector.options).names(()), "it belongs in source"))
        options = self._options(connector)
        destination, is_sound = self._destination(allowed)
        if given is None or options is None or not is_sound:
            return None
        settings, origin = effective(connector, given)
        mapping = MappingConfig(
            name=self.name,
            connector=connector,
            options=options,
            function=function,
            settings=settings,
            origin=origin,
            folder=self.folder,
            on_failure=destination,
        )
        self._check(mapping)
        self.warnings += filters.warnings
        return mapping

    def _fault(self, message: str, *steps: str) -> None:
        self.validator.fault((*self.where, *steps), message)

    def _function(self) -> str:
        name, functions = self.value.get("function"), self.around.functions
        if not isinstance(name, str) or not name:
            self._fault("is required: the name of one of the functions", "function")
            return ""
        if name not in functions and not self.places.is_broken(("functions",)):
            meant = nearest(name, list(functions))
            known = f"known are {', '.join(sorted(functions))}" if functions else "add it to functions:"
            mend = f"did you mean {meant}?" if meant else known
            self._fault(f"there is no such function; {mend}", "function")
        return name

    def _connector(self) -> Connector | None:
        types = [connector.type for connector in self.around.catalog.connectors]
        source = self.value.get("source")
        if not isinstance(source, dict):
            message = not_a_mapping(source, "must be a mapping") if "source" in self.value else "is required"
            self._fault(f"{message}: {{type: {' | '.join(types)}, …}}", "source")
            return None
        word = source.get("type")
        if word in types:
            return self.around.catalog.connector(word)
        self._fault(no_such_type(word, types, "source"), "source", "type")
        return None

    def _allowed(self, connector: Connector) -> dict[str, Any]:
        """What was written, without what the source refuses."""
        kept = dict(self.value)
        for name in connector.refuses.keys() & kept.keys():
            if kept.pop(name) is not None:
                self._fault(connector.refuses[name], name)
        return kept

    def _settings(self, value: Mapping[str, Any], elsewhere: Mapping[str, str]) -> MappingSettings | None:
        rest = {key: one for key, one in value.items() if key not in {"source", "function"}}
        return self.validator.model(MappingSettings, rest, self.where, elsewhere)

    def _options(self, connector: Connector) -> Settings | None:
        own = shape(connector.options).names(())
        beside = {*MappingSettings.model_fields, "function"} - set(own)
        options = {key: one for key, one in self.value["source"].items() if key != "type"}
        elsewhere = dict.fromkeys(beside, "it belongs beside source, not in it")
        return self.validator.model(connector.options, options, (*self.where, "source"), elsewhere)

    def _destination(self, value: Mapping[str, Any]) -> tuple[Destined | None, bool]:
        """The failure destination, and true unless what was written is none."""
        block = written(value)
        if block is None:
            return None, True
        found = destined(self.validator, self.around.catalog.destinations, block, (*self.where, *ON_FAILURE))
        return found, found is not None

    def _check(self, mapping: MappingConfig) -> None:
        """What only the values together show. Nothing where a part is missing: it would be said in error."""
        settings, around = mapping.settings, self.around
        if mapping.connector.traits.redelivers and settings.failure_payload == "metadata":
            self._fault(
                "is only for logs: what a queue gives up is deleted, and its failure record is all that is left of it; "
                "write full, or leave it out",
                "failure_payload",
            )
        strands = 1 if mapping.connector.traits.redelivers else settings.parallelization_factor or 1
        if settings.batch_size and settings.capacity and settings.capacity < settings.batch_size * strands:
            self._fault(
                "must be at least batch_size, times parallelization_factor; else no batch is ever full", "capacity"
            )
        if self.places.is_broken_within(self.where) or around.sections.keys() != around.catalog.sections.keys():
            return
        function = around.functions.get(mapping.function)
        timeout = function.timeout if function else FunctionSettings.model_fields["timeout"].default
        opening = mapping.opening(around.service, around.sections, timeout)
        self.validator.faults += [self._placed(fault) for fault in mapping.connector.check(opening)]
        self.warnings += [self._placed(fault) for fault in (*mapping.connector.warn(opening), *_on_giving_up(mapping))]
        if mapping.on_failure is not None:
            kind, options = mapping.on_failure.kind, mapping.on_failure.options
            self.validator.faults += [self._placed(on_failure(fault)) for fault in kind.check(opening, options)]
            self.warnings += [self._placed(on_failure(fault)) for fault in kind.warn(opening, options)]

    def _placed(self, fault: Fault) -> Fault:
        """A connector's fault, from inside the mapping out to the whole config."""
        where = (*self.where, *self.places.find(self.value, fault.path))
        return Fault(dotted(where), printable(self.places.scrub(fault.message)), self.places.place(where))


def on_failure(fault: Fault) -> Fault:
    """A destination's fault, from inside its block out to its mapping."""
    return replace(fault, path=".".join([*ON_FAILURE, *([fault.path] if fault.path else [])]))


def _on_giving_up(mapping: MappingConfig) -> Iterator[Fault]:
    """A limit without a destination loses records, as on AWS; a destination without a limit is sent none."""
    limits = [
        name
        for name in ("maximum_retry_attempts", "maximum_record_age_in_seconds")
        if (value := getattr(mapping.settings, name)) is not None and value >= 0
    ]
    if mapping.on_failure is None:
        for name in limits:
            message = "what is past this limit is dropped: there is no destination_config.on_failure to take it"
            yield Fault(name, message)
    elif not limits:
        yield Fault(
            "destination_config.on_failure",
            "nothing is sent there while nothing is given up; set maximum_retry_attempts",
        )
