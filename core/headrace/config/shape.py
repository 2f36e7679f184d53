"""What a setting takes, read from its model's JSON Schema: to say it in plain words, and to find it by its way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from headrace.config.places import Where

Schema: TypeAlias = Mapping[str, Any]

_KINDS: Final = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


class Shape:
    """A model's schema with its definitions at hand."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.schema: Schema = model.model_json_schema(by_alias=True)
        self.definitions: Schema = self.schema.get("$defs", {})

    def branches(self, schema: Schema) -> Iterator[Schema]:
        """The alternatives of *schema*, with what it refers to put in its place; null left out."""
        if "$ref" in schema:
            schema = self.definitions[schema["$ref"].rsplit("/", 1)[-1]]
        several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if several:
            for one in several:
                yield from self.branches(one)
        elif schema.get("type") != "null":
            yield schema

    def at(self, where: Where) -> list[Schema]:
        """What the value at *where* may be; empty where the model says nothing."""
        found = list(self.branches(self.schema))
        for step in where:
            found = [deeper for one in found for inner in _inner(one, step) for deeper in self.branches(inner)]
        return found

    def names(self, where: Where) -> list[str]:
        """The settings that the model knows at *where*."""
        return [name for one in self.at(where) for name in one.get("properties", ())]


@cache
def shape(model: type[BaseModel]) -> Shape:
    return Shape(model)


def _inner(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
    if isinstance(found, dict):
        yield found


def describe(schemas: Sequence[Schema]) -> str:
    """`a whole number, 1 to 10000`; alternatives joined by `or`."""
    return " or ".join(dict.fromkeys(_describe(schema) for schema in schemas)) or "something else"


def limits(schema: Schema) -> str:
    """The range alone: `1 to 10000`, `more than 0 and at most 900`; empty where there is none."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    said = (("at least", low), ("more than", above), ("at most", high), ("less than", below))
    return " and ".join(f"{words} {_number(bound)}" for words, bound in said if bound is not None)


def _describe(schema: Schema) -> str:
    if "const" in schema or "enum" in schema:
        words = [str(word) for word in schema.get("enum", (schema.get("const"),))]
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    kind = _KINDS.get(schema.get("type", ""), "a value")
    return ", ".join(filter(None, (kind, limits(schema), _length(schema), _form(schema))))


def _length(schema: Schema) -> str:
    for least, most, unit in (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "items")):
        low, high = schema.get(least, 0), schema.get(most)
        if low and low == high:
            return f"of {low} {unit}"
        if high is not None:
            return f"of {low} to {high} {unit}" if low else f"of at most {high} {unit if high > 1 else unit[:-1]}"
        if low:
            return "not empty" if low == 1 else f"of at least {low} {unit}"
    return ""


def _form(schema: Schema) -> str:
    return f"of the form {schema['pattern']}" if "pattern" in schema else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The name that was meant: misspelt, or written as AWS's API (`BatchSize`) or with hyphens."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word[:100]).lower()
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(snake, lowered, n=1) or [name for name in lowered if len(snake) > 2 and snake in name]  # noqa: PLR2004
    return lowered[close[0]] if len(close) == 1 else None
