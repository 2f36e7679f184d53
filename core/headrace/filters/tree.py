"""JSON as patterns and events need it: repeated keys seen, and the text of numbers that no double holds.

AWS compares numbers by value where a double holds them without loss, and by their text elsewhere: 300 is 3.0e2, but
12345678901234567890 is only itself. A plain parser tells neither apart, and drops all but the last of repeated keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeAlias

from headrace.errors import PatternError

LONGEST: Final = 4096
"""Characters of a pattern's text; AWS's limit."""

DEPTH: Final = 50
"""Levels of a pattern, and steps of a field's path."""

_DIGITS: Final = 15
"""A double holds every number of so many digits."""

_HUGE: Final = 10**400


@dataclass(frozen=True, slots=True)
class Literal:
    """A number that a double cannot hold: equal to the same text only, and neither above nor below anything."""

    text: str


Number: TypeAlias = int | float | Literal


class Pairs(list[tuple[str, Any]]):
    """An object of a pattern, as it was written: a key may come twice."""


class Repeated(dict[str, Any]):
    """An object of an event in which a key comes twice: `pairs` has every value; the dict the last of each."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def whole(text: str) -> Number:
    """The number that a JSON text without fraction and exponent means."""
    return int(text) if len(text) <= _DIGITS else _lossless(text)


def fraction(text: str) -> Number:
    """The number that any other JSON text of a number means."""
    return float(text) if len(text) <= _DIGITS and "e" not in text and "E" not in text else _lossless(text)


def _lossless(text: str) -> Number:
    value = float(text)
    try:
        is_held = math.isfinite(value) and Decimal(repr(value)) == Decimal(text)
    except ArithmeticError:  # an exponent beyond what Decimal takes
        is_held = False
    return value if is_held else Literal(text)


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def _parse(text: str, pairs: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    return json.loads(text, object_pairs_hook=pairs, parse_int=whole, parse_float=fraction, parse_constant=_constant)


def read_event(text: str) -> Any:
    """The JSON in *text*, with repeated keys and the text of numbers.

    Raises:
        ValueError: it is not JSON, or nested too deep to be read.
    """
    try:
        return _parse(text, _object)
    except RecursionError:
        raise ValueError("nested too deep to be read") from None


def read_pattern(written: str | Mapping[str, Any]) -> Any:
    """The tree of a pattern, written as JSON text or as a mapping; objects are `Pairs`.

    Raises:
        PatternError: it is not JSON, longer than `LONGEST`, or deeper than `DEPTH`.
    """
    if not isinstance(written, str):
        return _of_mapping(written)
    _bounded(len(written), "the text")
    if not written.strip():
        raise PatternError("Filter is not an object", (), "the text is empty; write a JSON object")
    try:
        tree = _parse(written, Pairs)
    except RecursionError:
        raise _deep(()) from None
    except ValueError as error:
        raise PatternError(f"Filter is not valid JSON: {error}") from None
    _measure(tree, ())
    return tree


def _bounded(length: int, what: str) -> None:
    if length > LONGEST:
        raise PatternError(f"Filter is too long: {what} has {length} characters, at most {LONGEST} are allowed")


def _deep(steps: tuple[str | int, ...]) -> PatternError:
    return PatternError(f"Filter is nested too deep: at most {DEPTH} levels are allowed", steps)


def _measure(tree: Any, steps: tuple[str | int, ...]) -> None:
    if len(steps) > DEPTH:
        raise _deep(steps[:3])
    if isinstance(tree, Pairs):
        for key, value in tree:
            _measure(value, (*steps, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            _measure(value, (*steps, index))


def _of_mapping(written: Any) -> Any:
    tree = _of_value(written, ())
    _bounded(len(json.dumps(written, ensure_ascii=False, separators=(",", ":"))), "as JSON it")
    return tree


def _of_value(value: Any, steps: tuple[str | int, ...]) -> Any:
    """A value as YAML or a program gives it. Nothing is guessed: what JSON has no word for is refused."""
    if len(steps) > DEPTH:
        raise _deep(steps[:3])
    if isinstance(value, dict):
        return Pairs((_key(key, steps), _of_value(one, (*steps, key))) for key, one in value.items())
    if isinstance(value, list | tuple):
        return [_of_value(one, (*steps, index)) for index, one in enumerate(value)]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if abs(value) > _HUGE:
            raise PatternError("Match value must be String, number, true, false, or null", steps, "it is too large")
        return whole(str(int(value)))
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    what = "JSON has no such number" if isinstance(value, float) else f"a {type(value).__name__} is none of them"
    mend = f"{what}; put it in quotes if a text is meant"
    raise PatternError("Match value must be String, number, true, false, or null", steps, mend)


def _key(key: Any, steps: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise PatternError("Field names must be String", steps, f"the key {key!r} is none; put it in quotes")
    return key
