"""What a setting takes, read from its model's JSON Schema: to say it, to find it by its way, to try values of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

BLOCKS: Final = frozenset({"object", "array"})
"""Kinds of values that hold others."""

_LITTLE: Final = 0.001
_MUCH: Final = 10**12


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

    def words(self, where: Where) -> Iterator[str]:
        """What names the value at *where*: each step to it, and each setting that it may hold.

        Behind a key that users choose each goes with the way to that key, as what other keys hold has the same names.
        """
        keys = max((end for end in range(1, len(where) + 1) if self.is_chosen(where[:end])), default=0)
        entry, deeper = ".".join(map(str, where[:keys])), where[keys:]
        if entry and not deeper:
            yield entry
        yield from (f"{entry} {word}".strip() for word in (*deeper, *self.names(where)))

    def is_chosen(self, where: Where) -> bool:
        """Whether the last step is a key that users choose: the model has no name for it, and takes any."""
        return any(
            where[-1] not in one.get("properties", {}) and isinstance(one.get("additionalProperties"), dict)
            for one in self.at(where[:-1])
        )


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


def stand_ins(form: Shape, schemas: Iterable[Schema]) -> Iterator[Any]:
    """Values that are far apart: the ends of a range, all words of a choice. Some may be refused for their form."""
    for schema in schemas:
        kind = schema.get("type")
        if "const" in schema or "enum" in schema:
            yield from schema.get("enum", (schema.get("const"),))
        elif kind == "boolean":
            yield from (False, True)
        elif kind in {"integer", "number"}:
            yield from _ends(schema, 1 if kind == "integer" else _LITTLE)
        elif kind == "array":
            least = schema.get("minItems", 0)
            inner = list(stand_ins(form, (one for item in _inner(schema, 0) for one in form.branches(item))))
            yield from ([] if least else [[]])
            yield from ([one] * max(least, 1) for one in (inner[:1] + inner[1:][-1:]))
        elif kind == "object":
            fields = {
                name: list(stand_ins(form, form.branches(one))) for name, one in schema.get("properties", {}).items()
            }
            yield from ({name: ends[at] for name, ends in fields.items() if ends} for at in (0, -1))
        else:
            yield from (letter * max(schema.get("minLength", 1), 1) for letter in "xy")


def _ends(schema: Schema, step: float) -> Iterator[float]:
    low = schema["exclusiveMinimum"] + step if "exclusiveMinimum" in schema else schema.get("minimum", 0)
    high = schema["exclusiveMaximum"] - step if "exclusiveMaximum" in schema else schema.get("maximum", _MUCH)
    yield from (low, high)


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
    close, holding = likely(word, known)
    return close[0] if close else holding[0] if len(holding) == 1 else None


def likely(word: str, known: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that may have been meant: those spelt nearly so, the nearest first, and those that hold the word."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word[:100]).lower()
    lowered = {name.lower(): name for name in known}
    close = [lowered[name] for name in get_close_matches(snake, lowered)]
    return close, [lowered[name] for name in lowered if len(snake) > 2 and snake in name]  # noqa: PLR2004
