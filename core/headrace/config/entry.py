"""One mapping of the config, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from headrace.config.effective import effective
from headrace.config.patterns import Filters
from headrace.config.places import dotted, printable
from headrace.config.shape import nearest, shape
from headrace.config.wording import Validator, not_a_mapping
from headrace.errors import Fault
from headrace.observe import log
from headrace.plugins import Catalog, Connector, Opening
from headrace.settings import FunctionSettings, MappingSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingConfig:
    """One mapping. `settings` are effective; `origin` says of each: `file`, `default` or `default of sqs`."""

    name: str
    connector: Connector
    options: Settings
    function: str
    settings: MappingSettings
    origin: Mapping[str, str]

    def opening(self, service: str, sections: Mapping[str, BaseModel], function_timeout: float) -> Opening:
        """What the connector is told."""
        return Opening(
            service=service,
            mapping=self.name,
            settings=self.settings,
            options=self.options,
            sections=sections,
            function_timeout=function_timeout,
            log=log(mapping=self.name),
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

    def __init__(self, validator: Validator, around: Around, name: str, value: Any) -> None:
        self.validator, self.around, self.name, self.value = validator, around, name, value
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
        written = self._settings(
            filters.check(self._allowed(connector)),
            dict.fromkeys(shape(connector.options).names(()), "it belongs in source"),
        )
        options = self._options(connector)
        if written is None or options is None:
            return None
        settings, origin = effective(connector, written)
        mapping = MappingConfig(
            name=self.name, connector=connector, options=options, function=function, settings=settings, origin=origin
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
        meant = nearest(word, types) if isinstance(word, str) else None
        mend = f"did you mean {meant}?" if meant else f"known are {', '.join(types)}"
        self._fault(f"there is no such source; {mend}" if word else f"is required; {mend}", "source", "type")
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

    def _check(self, mapping: MappingConfig) -> None:
        """What only the values together show. Nothing where a part is missing: it would be said in error."""
        settings, around = mapping.settings, self.around
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
        self.warnings += [self._placed(fault) for fault in mapping.connector.warn(opening)]

    def _placed(self, fault: Fault) -> Fault:
        """A connector's fault, from inside the mapping out to the whole config."""
        where = (*self.where, *self.places.find(self.value, fault.path))
        return Fault(dotted(where), printable(self.places.scrub(fault.message)), self.places.place(where))
