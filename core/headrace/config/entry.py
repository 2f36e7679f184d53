"""One mapping of the config, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from headrace.config.destined import ON_FAILURE, Target, destined, written
from headrace.config.effective import effective
from headrace.config.patterns import Filters
from headrace.config.places import dotted, printable
from headrace.config.salvage import Part, ways
from headrace.config.shape import nearest, shape, stand_ins
from headrace.config.together import agreed, of_opening, of_settings
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.errors import Fault
from headrace.filters import View
from headrace.observe import log
from headrace.plugins import Catalog, Connector, Destined, Opening
from headrace.settings import FunctionSettings, MappingSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingConfig:
    """One mapping. `settings` are effective; `origin` says of each: `file`, `default` or `default of sqs`.

    `folder` is that of the file which names it, `section_folders` those of the files which have the sections.
    """

    name: str
    connector: Connector
    options: Settings
    function: str
    settings: MappingSettings
    origin: Mapping[str, str]
    folder: Path
    section_folders: Mapping[str, Path]
    on_failure: Destined | None = None

    def opening(
        self, service: str, sections: Mapping[str, BaseModel], function_timeout: float, **process: Any
    ) -> Opening:
        """What the connector is told; *process* is what else is known: `state`, `leases`, `shared`."""
        return Opening(
            service=service,
            mapping=self.name,
            settings=self.settings,
            options=self.options,
            sections=sections,
            function_timeout=function_timeout,
            log=log(mapping=self.name),
            folder=self.folder,
            section_folders=self.section_folders,
            on_failure=self.on_failure,
            **process,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a mapping leans on. A function with faults of its own is None; so are all if nobody knows what there is.

    `state` is the URL of the store, empty where it is not known.
    """

    service: str
    state: str
    catalog: Catalog
    sections: Mapping[str, Part[Any]]
    section_folders: Mapping[str, Path]
    functions: Mapping[str, FunctionSettings | None] | None


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
        self._function()
        connector = self._connector()
        if connector is None:
            self._settings(self.value, {})
            return None
        options = self._options(connector)
        filters = Filters(self.validator, _view(connector, options), self.where)
        allowed = filters.check(self._allowed(connector))
        settings = self._settings(allowed, dict.fromkeys(shape(connector.options).names(()), "it belongs in source"))
        block = written(allowed)
        target = None if block is None else self._target(block)
        self._check(connector, settings, options, *self._destinations(block, target))
        self.warnings += filters.warnings
        if settings.whole is None or options.whole is None or (block is not None and not (target and target.whole)):
            return None
        return self._mapping(connector, settings.whole, options.whole, target.whole if target else None)

    def _mapping(
        self, connector: Connector, written: MappingSettings, options: Settings, destination: Destined | None
    ) -> MappingConfig:
        settings, origin = effective(connector, written)
        function = self.value.get("function")
        return MappingConfig(
            name=self.name,
            connector=connector,
            options=options,
            function=function if isinstance(function, str) else "",
            settings=settings,
            origin=origin,
            folder=self.folder,
            section_folders=self.around.section_folders,
            on_failure=destination,
        )

    def _fault(self, message: str, *steps: str) -> None:
        self.validator.fault((*self.where, *steps), message)

    def _function(self) -> None:
        name, functions = self.value.get("function"), self.around.functions
        if not isinstance(name, str) or not name:
            self._fault("is required: the name of one of the functions", "function")
        elif functions is not None and name not in functions and not self.places.is_broken(("functions",)):
            meant = nearest(name, list(functions))
            known = f"known are {', '.join(sorted(functions))}" if functions else "add it to functions:"
            mend = f"did you mean {meant}?" if meant else known
            self._fault(f"there is no such function; {mend}", "function")

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

    def _settings(self, value: Mapping[str, Any], elsewhere: Mapping[str, str]) -> Part[MappingSettings]:
        rest = {key: one for key, one in value.items() if key not in {"source", "function"}}
        return self.validator.part(MappingSettings, rest, self.where, elsewhere)

    def _options(self, connector: Connector) -> Part[Settings]:
        own = shape(connector.options).names(())
        beside = {*MappingSettings.model_fields, "function"} - set(own)
        options = {key: one for key, one in self.value["source"].items() if key != "type"}
        elsewhere = dict.fromkeys(beside, "it belongs beside source, not in it")
        return self.validator.part(connector.options, options, (*self.where, "source"), elsewhere)

    def _target(self, block: Any) -> Target | None:
        return destined(self.validator, self.around.catalog.destinations, block, (*self.where, *ON_FAILURE))

    def _destinations(self, block: Any, target: Target | None) -> tuple[list[Destined | None], Collection[str]]:
        """All that the failure destination may be, and the names of what is lost of it."""
        found = target.models() if target else []
        if block is None or found:
            return [*found] or [None], target.options.names() if target else ()
        return [None], ON_FAILURE

    def _check(
        self,
        connector: Connector,
        settings: Part[MappingSettings],
        options: Part[Settings],
        destinations: Sequence[Destined | None],
        lost: Collection[str],
    ) -> None:
        """What only the values together show, whatever becomes of those with faults."""
        around = self.around
        lost = {*lost, *settings.names(options.lost), *options.names(settings.lost)}
        lost |= {name for section in around.sections.values() for name in section.names()}
        given, own = settings.models(options.lost), options.models(settings.lost)
        sections = [part.models() for part in around.sections.values()]
        of_mapping = (of_settings(connector, *way) for way in ways([given, destinations]))
        of_openings = (
            of_opening(
                connector,
                self._mapping(connector, one, its, to).opening(
                    around.service, dict(zip(around.sections, beside, strict=True)), timeout, state=around.state
                ),
            )
            for one, its, to, timeout, *beside in ways([given, own, destinations, self._timeouts(), *sections])
        )
        for said in (agreed(of_mapping, lost), agreed(of_openings, lost)):
            self.validator.faults += [self._placed(fault) for fault in said.faults]
            self.warnings += [self._placed(warning) for warning in said.warnings]

    def _timeouts(self) -> Sequence[float]:
        """Of the function; from the least to the most if it is not known."""
        name = self.value.get("function")
        function = (self.around.functions or {}).get(name) if isinstance(name, str) else None
        if function:
            return [function.timeout]
        form = shape(FunctionSettings)
        return list(stand_ins(form, form.at(("timeout",))))

    def _placed(self, fault: Fault) -> Fault:
        """A connector's fault, from inside the mapping out to the whole config."""
        where = (*self.where, *self.places.find(self.value, fault.path))
        return Fault(dotted(where), printable(self.places.scrub(fault.message)), self.places.place(where))


def _view(connector: Connector, options: Part[Settings]) -> View | None:
    """What its filters see of a record; None where faults of the options leave it open."""
    if connector.view is None or isinstance(connector.view, View):
        return connector.view
    views = {connector.view_of(one) for one in options.models()}
    return views.pop() if len(views) == 1 else None
