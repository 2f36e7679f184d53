"""Every value that holds, and where it came from; secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python

from headrace.asynchronous import queue_of
from headrace.config.configured import MappingConfig
from headrace.config.loader import Config
from headrace.config.patterns import readings
from headrace.config.places import Where, dotted, printable
from headrace.config.routes import CLAIM, ENDS, place_of
from headrace.config.scalars import REFERENCE
from headrace.config.schema import schema
from headrace.config.together import steps_of
from headrace.config.wording import is_sensitive
from headrace.functionsettings import EventInvokeConfig, FunctionSettings
from headrace.plugins import Destined
from headrace.settings import FilterCriteria

__all__ = ["Row", "rows", "schema"]

MASK: Final = "***"

_USERINFO: Final = re.compile(r"(?<=://).*@", re.DOTALL)
_BEFORE: Final = re.compile(r"^.*\s(?=[a-zA-Z][\w+.-]*://)", re.DOTALL)
"""What stands before a URL in one text is nobody's option, and may be anything."""
_QUERY: Final = re.compile(
    r"([?&;][^=&;#]*(?:password|secret|token|signature|credential)[^=&;#]*=)[^&;#]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value.

    Attributes:
        path: dotted, as in faults.
        value: as JSON would hold it; secrets are `***`, or the `${NAME}` that they come from.
        origin: `file`, `default`, `default of sqs`, the setting of its function that says it, or what was asked:
            `queue`, `source`.
        place: FILE:LINE of what stands in the file.
    """

    path: str
    value: object
    origin: str
    place: str = ""


def rows(config: Config, mapping: str | None = None, probed: Mapping[str, object] | None = None) -> list[Row]:
    """The whole config, or one *mapping* with its function.

    *probed* is what servers said (`Probe.values`), by path: relative to *mapping*, or whole without one.
    """
    found: list[Row] = []
    if mapping is None:
        found += _plain(config, ("service",), config.service)
        for name, section in config.sections.items():
            found += _plain(config, (name,), section)
        for several in config.destinations.values():
            for to in several:
                found += _destination(config, steps_of(to.path), to)
    functions = list(config.functions) if mapping is None else [config.all[mapping].function]
    for name in functions:
        found += _plain(config, ("functions", name), _function(config, name))
    for name, one in config.mappings.items():
        if mapping in {None, name}:
            found += _mapping(config, one)
    return _with_probed(config, found, mapping, probed or {})


def _function(config: Config, name: str) -> FunctionSettings:
    """As it holds: one with a queue that it does not ask for has Lambda's limits."""
    function = config.functions[name]
    if function.event_invoke_config is not None or queue_of(name) not in config.queues:
        return function
    return function.model_copy(update={"event_invoke_config": EventInvokeConfig()})


def _plain(config: Config, where: Where, model: BaseModel) -> Iterator[Row]:
    for path, value in _leaves(model, where):
        yield _row(config, path, value, "default")


def _mapping(config: Config, mapping: MappingConfig) -> Iterator[Row]:
    where = ("mappings", mapping.name)
    yield _row(config, (*where, "source", "type"), mapping.connector.type, "default")
    for row in _plain(config, (*where, "source"), mapping.options):
        yield _inherited(config, mapping.options, row)
    yield _row(config, (*where, "function"), mapping.function, "default")
    yield from _destinations(config, mapping)
    for name in type(mapping.settings).model_fields:
        if name == "destination_config" and (mapping.on_failure or mapping.on_success):
            continue
        value, origin = getattr(mapping.settings, name), mapping.origin[name]
        if name in mapping.connector.refuses and value is None:
            continue
        if isinstance(value, FilterCriteria) and value.filters:
            yield from _filters(config, (*where, name, "filters"), value)
            continue
        for path, leaf in _leaves(value, (*where, name)):
            if origin == "file":
                yield _row(config, path, leaf, "default")
            else:
                place = config.places.lines.get(tuple(origin.split(".")), "")
                yield Row(path=dotted(path), value=_masked(config, path, leaf), origin=origin, place=place)


def _filters(config: Config, where: Where, criteria: FilterCriteria) -> Iterator[Row]:
    """How the patterns are read: a row for each condition, joined by AND and, where one will do, by OR."""
    for index, one in enumerate(criteria.filters):
        written = (*where, index, "pattern")
        for number, reading in enumerate(readings(one.pattern)):
            steps = written if isinstance(one.pattern, str) else (*written, *reading.steps)
            secret = is_sensitive((*written, *reading.path.split(".")))
            words = MASK if secret else reading.words
            joint = "" if not number and not index else "OR " if reading.first else "AND "
            yield Row(
                path=dotted((*written, *reading.steps)),
                value=f"{joint}{printable(reading.path)}: {printable(words)}",
                origin="file",
                place=config.places.place(steps),
            )


def _destinations(config: Config, mapping: MappingConfig) -> Iterator[Row]:
    """Every rule, with what it fits, the names that it uses, and each destination of its own with its options."""
    for end, routing in zip(ENDS, (mapping.on_failure, mapping.on_success), strict=True):
        where = ("mappings", mapping.name, *place_of(end))
        rules = [(where, route) for route in routing.routes] if routing else []
        if len(rules) > 1:
            rules = [((*where, index), route) for index, (_, route) in enumerate(rules)]
        for at, route in rules:
            if route.classes is not None:
                yield _row(config, (*at, "when", "class"), sorted(route.classes), "default")
            if route.pattern is not None:
                yield _row(config, (*at, "when", "pattern"), route.pattern, "default")
            yield from _several(config, mapping, (*at, "to") if len(rules) > 1 else at, route.to)
        if routing and routing.claim_check:
            yield from _several(config, mapping, (*where[:-1], CLAIM), [routing.claim_check])


def _several(config: Config, mapping: MappingConfig, where: Where, several: Sequence[Destined]) -> Iterator[Row]:
    named = list(dict.fromkeys(_name(steps) for to in several if (steps := steps_of(to.path))))
    if named:
        yield _row(config, where, named[0] if len(named) == 1 else named, "default")
    for to in several:
        if not steps_of(to.path):
            within = [int(step) if step.isdecimal() else step for step in to.path.split(".")]
            yield from _destination(config, ("mappings", mapping.name, *within), to, mapping.options)


def _name(steps: Where) -> str:
    """What people call a destination that stands elsewhere: by its name, or by the function that has it."""
    return str(steps[1]) if steps[0] == "destinations" else dotted(steps[:2])


def _destination(config: Config, where: Where, to: Destined, source: BaseModel | None = None) -> Iterator[Row]:
    """As its own options say: they know which of them are secrets. What a text means stands where that is written."""
    lines = config.places.lines
    text = "" if (*where, "type") in lines else lines.get(where, "")
    kind = _row(config, (*where, "type"), to.kind.type, "default")
    yield replace(kind, origin="file", place=text) if text else kind
    inherited = to.kind.inherits(to.options, source) if source is not None else None
    for row in _plain(config, where, to.options):
        name = row.path.rpartition(".")[2]
        if row.value is None and (value := getattr(inherited, name, None)) is not None:
            beside = (*where[:2], "source", name)
            yield replace(_row(config, beside, value, "default"), path=row.path)
        elif text and name in to.options.model_fields_set:
            yield replace(row, origin="file", place=text)
        else:
            yield _inherited(config, to.options, row)


def _inherited(config: Config, options: BaseModel, row: Row) -> Row:
    """An option that was not written, and stands in a section which these options extend, holds from there."""
    name = row.path.rpartition(".")[2]
    for section, model in config.sections.items():
        if row.value is None and isinstance(options, type(model)) and name in type(model).model_fields:
            if getattr(_over(options, model), name) is None:
                return row
            of_section = _row(config, (section, name), getattr(model, name), "default")
            return replace(row, value=of_section.value, origin=of_section.origin, place=of_section.place)
    return row


def _over(options: BaseModel, section: BaseModel) -> BaseModel:
    """What holds of a section for *options*, which may take only some of it (`over`)."""
    over = getattr(options, "over", None)
    found: BaseModel = section if over is None else over(section)
    return found


def _leaves(value: Any, where: Where) -> Iterator[tuple[Where, Any]]:
    """Models and mappings taken apart; a list, or an empty mapping, is a value."""
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _leaves(getattr(value, name), (*where, info.alias or name))
    elif isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, (*where, key))
    else:
        yield where, value


def _row(config: Config, where: Where, value: Any, otherwise: str) -> Row:
    place = config.places.lines.get(where, "")
    origin = "file" if place else otherwise
    return Row(path=dotted(where), value=_masked(config, where, value), origin=origin, place=place)


def _masked(config: Config, where: Where, value: Any) -> object:
    """*value* for everybody's eyes."""
    if isinstance(value, BaseModel):
        value = {info.alias or name: getattr(value, name) for name, info in type(value).model_fields.items()}
    if isinstance(value, dict):
        return {str(key): _masked(config, (*where, key), one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(config, (*where, index), one) for index, one in enumerate(value)]
    if value is not None and (isinstance(value, SecretStr) or is_sensitive(where)):
        return _expression(config.places.expressions.get(where))
    plain = to_jsonable_python(value, fallback=str)
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return _without_userinfo(plain) if isinstance(plain, str) else plain


def _expression(written: str | None) -> str:
    """The variables that a secret was made of: `${NAME}`; what was written beside them is masked, defaults too."""
    names = [found[1].split(":-")[0] for found in REFERENCE.finditer(written or "") if found[1]]
    if written in {f"${{{name}}}" for name in names}:
        return str(written)
    return MASK + "".join(f"${{{name}}}" for name in names)


def _without_userinfo(text: str) -> str:
    return _QUERY.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", _BEFORE.sub(f"{MASK} ", text)))


def _with_probed(config: Config, found: list[Row], mapping: str | None, probed: Mapping[str, object]) -> list[Row]:
    """What a server said holds over what was not written, and over what was.

    A condition of a pattern stands once for each alternative that it belongs to: its path may come again.
    """
    asked = dict(_asked(config, mapping, probed))
    known = [asked.pop(row.path, row) for row in found]
    return [*known, *asked.values()]


def _asked(config: Config, mapping: str | None, probed: Mapping[str, object]) -> Iterator[tuple[str, Row]]:
    for path, value in probed.items():
        whole = mapping is None or path.startswith("mappings.") or steps_of(path)
        full = path if whole else f"mappings.{mapping}.{path}"
        name = full.split(".")[1] if full.startswith("mappings.") else ""
        queue = name in config.mappings and config.mappings[name].connector.traits.redelivers
        where = tuple(full.split("."))
        yield full, Row(path=full, value=_masked(config, where, value), origin="queue" if queue else "source")
