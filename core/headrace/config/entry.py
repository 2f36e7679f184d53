"""One mapping of the config, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.config.configured import MappingConfig
from headrace.config.effective import NOWHERE, effective
from headrace.config.patterns import Patterns, sound_filters
from headrace.config.places import dotted, printable
from headrace.config.queues import Queue
from headrace.config.redacted import REDACT, check_paths
from headrace.config.routes import Routes, Several, Written, place_of
from headrace.config.salvage import Part, ways
from headrace.config.shape import nearest, shape, stand_ins
from headrace.config.together import agreed, of_opening, of_settings, steps_of
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.errors import Fault
from headrace.filters import View
from headrace.functionsettings import FunctionSettings
from headrace.plugins import Catalog, Connector, Routing
from headrace.settings import MappingSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a mapping leans on. A function with faults of its own is None; so are all if nobody knows what there is.

    `state` is the URL of the store, empty where it is not known; `destinations` are those that have a name,
    `queues` those of functions that have one; without `asynchronous` no function can have any (the library).
    """

    service: str
    state: str
    catalog: Catalog
    sections: Mapping[str, Part[Any]]
    section_folders: Mapping[str, Path]
    functions: Mapping[str, FunctionSettings | None] | None
    destinations: Mapping[str, Several] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    asynchronous: bool = True


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
        patterns = Patterns(self.validator, _view(connector, options))
        allowed = sound_filters(patterns, self._allowed(connector), self.where)
        check_paths(self.validator, patterns.view, allowed.get(REDACT), (*self.where, REDACT))
        settings = self._settings(allowed, dict.fromkeys(shape(connector.options).names(()), "it belongs in source"))
        shown = patterns if connector.view or connector.asynchronous else None
        routes = Routes(self.validator, self.around.catalog.destinations, self.around.destinations, shown)
        ends = routes.config(allowed, self.where)
        self._check(connector, settings, options, ends)
        self.warnings += patterns.warnings
        if settings.whole is None or options.whole is None or any(end and end.whole is None for end in ends.values()):
            return None
        return self._mapping(
            connector, settings.whole, options.whole, [end.whole if end else None for end in ends.values()]
        )

    def _mapping(
        self,
        connector: Connector,
        written: MappingSettings,
        options: Settings,
        ends: Sequence[Routing | None],
    ) -> MappingConfig:
        name, queue = self._invoked(connector)
        limited, elsewhere = (queue.of(connector), queue.elsewhere(name)) if queue else (connector, NOWHERE)
        settings, origin = effective(limited, written, elsewhere)
        on_failure, on_success = ends
        if queue is not None:
            on_failure, on_success = on_failure or queue.on_failure, on_success or queue.on_success
        return MappingConfig(
            name=self.name,
            connector=connector,
            options=options,
            function=name,
            settings=settings,
            origin=origin,
            folder=self.folder,
            section_folders=self.around.section_folders,
            on_failure=on_failure,
            on_success=on_success,
            dead_letter=queue.dead_letter if queue else None,
        )

    def _invoked(self, connector: Connector) -> tuple[str, Queue | None]:
        """The function's name, and what it says itself of its asynchronous invocations, where it is invoked so."""
        function = self.value.get("function")
        name = function if isinstance(function, str) else ""
        return name, self.around.queues.get(name) if connector.asynchronous else None

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

    def _check(
        self,
        connector: Connector,
        settings: Part[MappingSettings],
        options: Part[Settings],
        ends: Mapping[str, Written | None],
    ) -> None:
        """What only the values together show, whatever becomes of those with faults."""
        around = self.around
        lost = {*settings.names(options.lost), *options.names(settings.lost)}
        lost |= {name for section in around.sections.values() for name in section.names()}
        for end, written in ends.items():
            lost |= written.lost if written else frozenset()
            lost |= set(map(str, place_of(end))) if written and not written.models() else set()
        given, own = settings.models(options.lost), options.models(settings.lost)
        sections = [part.models() for part in around.sections.values()]
        both: list[Sequence[Routing | None]] = [(one.models() if one else []) or [None] for one in ends.values()]
        _, queue = self._invoked(connector)
        taken = queue is not None and (queue.on_failure or queue.dead_letter) is not None
        of_mapping = (
            of_settings(connector, one, has=taken or failure is not None) for one, failure in ways([given, both[0]])
        )
        of_openings = (
            of_opening(
                connector,
                self._mapping(connector, one, its, [failure, success]).opening(
                    around.service,
                    dict(zip(around.sections, beside, strict=True)),
                    timeout,
                    state=around.state,
                    functions=self._functions(),
                ),
            )
            for one, its, failure, success, timeout, *beside in ways([given, own, *both, self._timeouts(), *sections])
        )
        for said in (agreed(of_mapping, lost), agreed(of_openings, lost)):
            self.validator.faults += [self._placed(fault) for fault in said.faults]
            self.warnings += [self._placed(warning) for warning in said.warnings]

    def _functions(self) -> Sequence[str]:
        """What a destination may be told of."""
        return tuple(self.around.functions or ()) if self.around.asynchronous else ()

    def _timeouts(self) -> Sequence[float]:
        """Of the function; from the least to the most if it is not known."""
        name = self.value.get("function")
        function = (self.around.functions or {}).get(name) if isinstance(name, str) else None
        if function:
            return [function.timeout]
        form = shape(FunctionSettings)
        return list(stand_ins(form, form.at(("timeout",))))

    def _placed(self, fault: Fault) -> Fault:
        """A connector's fault, from inside the mapping, or where its destination stands, out to the whole config."""
        where = steps_of(fault.path) or (*self.where, *self.places.find(self.value, fault.path))
        return Fault(dotted(where), printable(self.places.scrub(fault.message)), self.places.place(where))


def _view(connector: Connector, options: Part[Settings]) -> View | None:
    """What its filters see of a record; None where faults of the options leave it open."""
    if connector.view is None or isinstance(connector.view, View):
        return connector.view
    views = {connector.view_of(one) for one in options.models()}
    return views.pop() if len(views) == 1 else None
