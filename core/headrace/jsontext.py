"""Where values stand in the text of a JSON document, so that one can be taken or changed and the rest stays. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from headrace.jsonbytes import no_constant

Place: TypeAlias = tuple[int, int]
"""Where a value begins in the text, and where what follows it begins."""

_SPACE = re.compile(r"[ \t\n\r]*")


_DECODER = json.JSONDecoder(parse_constant=no_constant)


def parse(text: str) -> Any:
    """The value of *text*; None when it is not JSON, or nested more deeply than Python reads."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def root(text: str) -> int:
    """Where the document's own value begins."""
    return _skip(text, 0)


def whole(text: str) -> Place:
    """The document's own value."""
    return _value(text, 0)


def members(text: str, at: int) -> dict[str, Place]:
    """The values of the object at *at* of a valid document, by name; of one that stands twice the last, as parsed."""
    return dict(every_member(text, at))


def every_member(text: str, at: int) -> list[tuple[str, Place]]:
    """The same, also of a name that stands twice each."""
    places: list[tuple[str, Place]] = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        place = _value(text, _skip(text, at) + 1)
        places.append((name, place))
        at = _following(text, place)
    return places


def items(text: str, at: int) -> list[Place]:
    """The items of the array at *at* of a valid document."""
    places: list[Place] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        places.append(_value(text, at))
        at = _following(text, places[-1])
    return places


def replaced(text: str, changes: Iterable[tuple[Place, str]]) -> str:
    """*text* with other text in these places, which are in order and apart from each other."""
    parts: list[str] = []
    kept_from = 0
    for (start, end), new in changes:
        parts += text[kept_from:start], new
        kept_from = end
    return "".join([*parts, text[kept_from:]])


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _value(text: str, at: int) -> Place:
    start = _skip(text, at)
    return start, _DECODER.raw_decode(text, start)[1]


def _following(text: str, place: Place) -> int:
    """Where the next name or item begins, or the closing bracket stands."""
    at = _skip(text, place[1])
    return _skip(text, at + 1) if text[at] == "," else at
