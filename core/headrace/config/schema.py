"""The JSON Schema of the whole config file, for editors; made of the same models that check it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from headrace.plugins import Catalog, Connector
from headrace.settings import FunctionSettings, MappingSettings, ServiceSettings

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_WHOLE: Final = {"type": "string", "pattern": r"^\$\{"}
"""Where a number or a switch is due: a text that begins with the name of a variable."""
_PART: Final = {"type": "string", "pattern": r"\$\{"}


def schema(catalog: Catalog) -> dict[str, Any]:
    """JSON Schema, draft 2020-12. `${NAME}` is allowed wherever a scalar is."""
    sources: list[type[BaseModel]] = [connector.options for connector in catalog.connectors]
    shared: list[type[BaseModel]] = [*catalog.sections.values()]
    models: dict[type[BaseModel], None] = dict.fromkeys(
        [ServiceSettings, FunctionSettings, MappingSettings, *sources, *shared]
    )
    references, definitions = models_json_schema([(model, "validation") for model in models])
    named: dict[Any, Any] = {model: reference for (model, _), reference in references.items()}
    parts: dict[str, Any] = definitions["$defs"]
    mapping = _definition(parts, named[MappingSettings])
    mapping["properties"] = {
        "source": {
            "description": "What is polled.",
            "oneOf": [_source(parts, named, one) for one in catalog.connectors],
        },
        "function": {"type": "string", "description": "The name of one of the functions."},
        **mapping["properties"],
    }
    mapping["required"] = ["source", "function"]
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
            "mappings": {**names, "additionalProperties": named[MappingSettings]},
        },
        "additionalProperties": False,
        "$defs": {name: _loosened(part) for name, part in parts.items()},
    }


def _definition(parts: dict[str, Any], reference: Any) -> dict[str, Any]:
    found: dict[str, Any] = parts[reference["$ref"].rsplit("/", 1)[-1]]
    return found


def _source(parts: dict[str, Any], named: dict[Any, Any], connector: Connector) -> dict[str, Any]:
    options = _loosened(_definition(parts, named[connector.options]))
    return {
        **options,
        "title": connector.type,
        "description": connector.summary,
        "properties": {
            "type": {"const": connector.type, "description": connector.summary},
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
    return {
        key: _loosened(one)
        if key in {"items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf"}
        else one
        for key, one in part.items()
    }


def _or(part: dict[str, Any], variable: dict[str, str]) -> dict[str, Any]:
    """Title, description and default stay outside, where editors look for them."""
    outside = {key: one for key, one in part.items() if key in {"title", "description", "default"}}
    inside = {key: one for key, one in part.items() if key not in outside}
    return {**outside, "anyOf": [inside, dict(variable)]}
