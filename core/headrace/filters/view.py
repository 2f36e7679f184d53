"""What a source shows to filters, and the format table: what becomes of a record whose payload is of another kind.

A pattern whose payload is an object is for JSON, one whose payload is a list is for plain text, and one that does not
name the payload asks for no format. AWS's tables differ by source only in what a mismatch does (`Mismatch`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

import orjson

from headrace.filters.pattern import Alternative, Pattern, compile_pattern
from headrace.filters.tree import read_event
from headrace.masking import Masking
from headrace.model import Keep, Record, Render
from headrace.settings import FilterCriteria

Payload: TypeAlias = str | bytes | dict[str, Any] | None

_LONG_NUMBER: Final = re.compile(r"[0-9][0-9.]{15}|[eE][-+]?[0-9]{3}")
"""Where a double may not hold a number: 16 digits, or an exponent of three."""


class Format(StrEnum):
    """What a payload is, or a pattern asks it to be."""

    JSON = "JSON"
    PLAIN = "plain text"
    OTHER = "neither"


class Mismatch(StrEnum):
    """What a payload of another format than the pattern's does."""

    DROP = "drop"
    PASS = "pass"  # noqa: S105 - no password: the conditions on the payload are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a connector's records look to filters.

    Attributes:
        record: what one record is called: `SQS message`.
        payload: its key in patterns: `body`, `data`, `value`, `dynamodb`.
        content: the payload of a record, decoded as far as bytes or text; a dict is JSON as it is.
        fields: the other keys of a record, given the source's render; a payload among them is not looked at.
        keys: the names of these, for the warning about a pattern that names another.
        mismatch: what a payload of another format does.
        plain: False where a pattern for plain text is refused.
        masking: how *** is put into its events; None where nothing of them can be hidden.
    """

    record: str
    payload: str
    content: Callable[[Record], Payload]
    fields: Callable[[Render, Record], dict[str, Any]]
    keys: frozenset[str]
    mismatch: Mismatch = Mismatch.DROP
    plain: bool = True
    masking: Masking | None = None

    def shown(self, render: Render, record: Record, *, exact: bool) -> dict[str, Any]:
        """All of a record, with its payload as `read_payload` has it."""
        _, payload = read_payload(self.content(record), exact=exact)
        return {**self.fields(render, record), self.payload: payload}

    def format(self, alternative: Alternative) -> Format | None:
        """What *alternative* asks the payload to be; None where it does not name it."""
        whole = any(one.path == self.payload for one in alternative.conditions)
        inside = any(one.path.startswith(f"{self.payload}.") for one in alternative.conditions)
        if whole and inside:
            return Format.OTHER
        return Format.PLAIN if whole else Format.JSON if inside else None

    def unknown(self, pattern: Pattern) -> list[str]:
        """Top-level keys that *pattern* asks for, and that no record has."""
        first = {one.path.split(".")[0] for alternative in pattern.alternatives for one in alternative.conditions}
        return sorted(first - self.keys - {self.payload})


def read_payload(payload: Payload, *, exact: bool) -> tuple[Format, Any]:
    """What *payload* is, and its value: an object or array, or a text. Never raises.

    JSON is an object or an array; a bare number, text, true, false or null is plain text, as are a text that cannot be
    parsed and one nested too deep. *exact* keeps the text of numbers that a double does not hold.
    """
    if isinstance(payload, dict):
        return Format.JSON, payload
    try:
        text = payload.decode() if isinstance(payload, bytes) else payload
    except UnicodeDecodeError:
        text = None
    if text is None:
        return Format.OTHER, None
    if text.lstrip(" \t\n\r")[:1] in {"{", "["}:
        with suppress(ValueError):
            return Format.JSON, _parsed(text, exact=exact)
    return Format.PLAIN, text


def write_payload(value: Any) -> str:
    """A payload of which `read_payload` makes *value*."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parsed(text: str, *, exact: bool) -> Any:
    if not (exact and _LONG_NUMBER.search(text)):
        with suppress(orjson.JSONDecodeError):  # it takes no half of a surrogate pair, which is JSON
            return orjson.loads(text)
    return read_event(text)


def keeper(patterns: Sequence[Pattern], view: View, render: Render) -> Keep:
    """Whether a record is wanted: by one of *patterns*, or because there is none. A payload is parsed once at most."""
    filters = [
        (pattern, alternative, view.format(alternative), pattern.bits(alternative, view.payload))
        for pattern in patterns
        for alternative in pattern.alternatives
    ]
    exact = any(pattern.numbers for pattern in patterns)
    names_payload = any(form is not None for _, _, form, _ in filters)
    names_others = any(
        one.path.split(".")[0] != view.payload for _, alternative, _, _ in filters for one in alternative.conditions
    )

    def keep(record: Record) -> bool:
        event = view.fields(render, record) if names_others else {}
        form: Format | None = None
        if names_payload:
            form, event[view.payload] = read_payload(view.content(record), exact=exact)
        for pattern, alternative, wanted, payload in filters:
            if wanted is None or wanted is form:
                if pattern.meets(event, alternative):
                    return True
            elif view.mismatch is Mismatch.PASS and pattern.meets(event, alternative, without=payload):
                return True
        return False

    return keep if filters else lambda _: True


def keeper_of(criteria: FilterCriteria | None, view: View | None, render: Render) -> Keep | None:
    """The same by a mapping's own filters; None where it has none."""
    if criteria is None or view is None or not criteria.filters:
        return None
    return keeper([compile_pattern(one.pattern) for one in criteria.filters], view, render)
