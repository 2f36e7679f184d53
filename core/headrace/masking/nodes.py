"""A JSON value in which others are to be replaced: held by Python, or a text of which all else is to stay. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from headrace import jsontext
from headrace.jsontext import Place


class Node(Protocol):
    """One value within another."""

    @property
    def value(self) -> Any:
        """It, as Python has JSON."""
        ...

    @property
    def written(self) -> str:
        """How a text or a number was written, where that is known and differs from its value; else empty."""
        ...

    def members(self) -> Sequence[tuple[str, Node]] | None:
        """Of an object, every one; None of anything else."""
        ...

    def items(self) -> Sequence[Node] | None:
        """Of an array; None of anything else."""
        ...

    def replace(self, value: Any) -> None: ...


class Held:
    """A value in a dict or list, which is changed in place."""

    written = ""

    def __init__(self, holder: Any, key: Any) -> None:
        self._holder, self._key = holder, key

    @property
    def value(self) -> Any:
        return self._holder[self._key]

    def members(self) -> Sequence[tuple[str, Node]] | None:
        value = self.value
        return [(str(key), Held(value, key)) for key in value] if isinstance(value, dict) else None

    def items(self) -> Sequence[Node] | None:
        value = self.value
        return [Held(value, index) for index in range(len(value))] if isinstance(value, list) else None

    def replace(self, value: Any) -> None:
        self._holder[self._key] = value


class Written:
    """A value in a valid JSON document; what is to be replaced is gathered in *changes*, in the order of the text."""

    def __init__(self, text: str, place: Place, changes: list[tuple[Place, str]]) -> None:
        self._text, self._place, self._changes = text, place, changes

    @property
    def value(self) -> Any:
        return jsontext.parse(self._text[slice(*self._place)])

    @property
    def written(self) -> str:
        written = self._text[slice(*self._place)]
        return written[1:-1] if written.startswith('"') else written

    def members(self) -> Sequence[tuple[str, Node]] | None:
        if self._first != "{":
            return None
        return [(name, self._at(place)) for name, place in jsontext.every_member(self._text, self._place[0])]

    def items(self) -> Sequence[Node] | None:
        if self._first != "[":
            return None
        return [self._at(place) for place in jsontext.items(self._text, self._place[0])]

    def replace(self, value: Any) -> None:
        self._changes.append((self._place, json.dumps(value)))

    @property
    def _first(self) -> str:
        return self._text[self._place[0]]

    def _at(self, place: Place) -> Written:
        return Written(self._text, place, self._changes)
