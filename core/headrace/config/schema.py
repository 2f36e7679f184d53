"""The JSON Schema of the whole config file, for editors; made of the same models that check it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from headrace.config.shape import BLOCKS
from headrace.functionsettings import DeadLetterConfig, FunctionSettings
from headrace.plugins import Catalog, Connector, DestinationKind
from headrace.settings import MappingSettings, ServiceSettings, To, When

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_WHOLE: Final = {"type": "string", "pattern": r"^\$\{"}
"""Where a number or a switch is due: a text that begins with the name of a variable."""
_OWN: Final = (ServiceSettings, FunctionSettings, MappingSettings, To, When, DeadLetterConfig)
_PART: Final = {"type": "string", "pattern": r"\$\{"}


def schema(catalog: Catalog) -> dict[str, Any]:
    """JSON Schema, draft 2020-12. `${NAME}` is allowed wherever a scalar is."""
    kinds: list[Connector | DestinationKind] = [*catalog.connectors, *catalog.destinations]
    shared: list[type[BaseModel]] = [*catalog.sections.values()]
    models: dict[type[BaseModel], None] = dict.fromkeys(
        [
            *_OWN,
            *(kind.options for kind in kinds),
            *shared,
        ]
    )
    references, definitions = models_json_schema([(model, "validation") for model in models])
    named: dict[Any, Any] = {model: reference for (model, _), reference in references.items()}
    parts: dict[str, Any] = definitions["$defs"]
    mapping = _definition(parts, named[MappingSettings])
    mapping["properties"] = {
        "source": {
            "description": "What is polled.",
            "oneOf": [_typed(parts, named, one) for one in catalog.connectors],
        },
        "function": {"type": "string", "description": "The name of one of the functions."},
        **mapping["properties"],
    }
    mapping["required"] = ["source", "function"]
    told = _definition(parts, named[To])["properties"]
    one = [{"type": "string"}, *(_typed(parts, named, kind) for kind in catalog.destinations)]
    several = {"anyOf": [*one, {"type": "array", "minItems": 1, "items": {"anyOf": one}}]}
    parts["Destinations"] = several
    several_of = {"$ref": "#/$defs/Destinations"}
    rule = {
        "type": "object",
        "properties": {"when": named[When], "to": several_of},
        "required": ["to"],
        "additionalProperties": False,
    }
    told["destination"]["anyOf"] = [several_of, {"type": "array", "minItems": 1, "items": rule}]
    keeping = [_typed(parts, named, kind) for kind in catalog.destinations if kind.claims]
    told["claim_check"]["anyOf"] = [{"type": "string"}, *keeping]
    del told["claim_check"]["default"]
    _definition(parts, named[DeadLetterConfig])["properties"]["target_arn"]["anyOf"] = one
    names: dict[str, Any] = {"type": "object"}
    return {
        "$schema": _DIALECT,
        "title": "headrace",
        "description": "A config file of headrace: event source mappings, the functions that they call, the service.",
        "type": "object",
        "properties": {
            "service": named[ServiceSettings],
            **{name: named[model] for name, model in catalog.sections.items()},
            "functions": {**names, "additionalProperties": named[FunctionSettings]},
            "destinations": {**names, "additionalProperties": several_of},
            "mappings": {**names, "additionalProperties": named[MappingSettings]},
        },
        "additionalProperties": False,
        "$defs": {name: _loosened(part) for name, part in parts.items()},
    }


def _definition(parts: dict[str, Any], reference: Any) -> dict[str, Any]:
    found: dict[str, Any] = parts[reference["$ref"].rsplit("/", 1)[-1]]
    return found


def _typed(parts: dict[str, Any], named: dict[Any, Any], kind: Connector | DestinationKind) -> dict[str, Any]:
    """The block `{type: …, …}` of a source or destination."""
    options = _loosened(_definition(parts, named[kind.options]))
    return {
        **options,
        "title": kind.type,
        "description": kind.summary,
        "properties": {
            "type": {"const": kind.type, "description": kind.summary},
            **options.get("properties", {}),
        },
        "required": ["type", *options.get("required", ())],
    }


def _loosened(part: Any) -> Any:
    """*part* with a variable allowed for every scalar that is more than any text."""
    if isinstance(part, list):
        return [_loosened(one) for one in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("properties"), dict):
        deeper = {name: _loosened(one) for name, one in part["properties"].items()}
        return {**part, "properties": deeper}
    if part.get("type") in {"integer", "number", "boolean"}:
        return _or(part, _WHOLE)
    if part.get("type") == "string" and part.keys() & {"enum", "const", "pattern", "format", "minLength", "maxLength"}:
        return _or(part, _PART)
    part = _filled(part)
    return {
        key: _loosened(one)
        if key in {"items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf"}
        else one
        for key, one in part.items()
    }


def _filled(part: dict[str, Any]) -> dict[str, Any]:
    """*part* without null where a block or a list is due."""
    ways = part.get("anyOf", ())
    if not any("$ref" in way or way.get("type") in BLOCKS for way in ways):
        return part
    kept = {key: one for key, one in part.items() if key != "default" or one is not None}
    return {**kept, "anyOf": [way for way in ways if way.get("type") != "null"]}


def _or(part: dict[str, Any], variable: dict[str, str]) -> dict[str, Any]:
    """Title, description and default stay outside, where editors look for them."""
    outside = {key: one for key, one in part.items() if key in {"title", "description", "default"}}
    inside = {key: one for key, one in part.items() if key not in outside}
    return {**outside, "anyOf": [inside, dict(variable)]}
