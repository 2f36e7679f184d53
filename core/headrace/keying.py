"""The key by which records count as one: an expression over what filters see of a record, as a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from headrace.filters import View
from headrace.filters.tree import Literal
from headrace.jmes import Search, is_missing
from headrace.model import Record, Render

KeyOf: TypeAlias = Callable[[Record], str | None]
"""A record's key; None for one without. Raises what the expression's functions raise, and what rendering does."""


def keyer(search: Search, view: View, render: Render) -> KeyOf:
    """What *search* finds in a record as *view* shows it to filters, numbers with all their digits."""

    def key_of(record: Record) -> str | None:
        value = search(view.shown(render, record, exact=True))
        return None if is_missing(value) else digest(value)

    return key_of


def digest(value: Any) -> str:
    """SHA-256 of *value* as canonical JSON: what it was made of is nowhere in the store.

    1 and 1.0 are one number; 1, "1" and true are three keys. The order of an object's fields says nothing.
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """With one form for each number. One that no double holds is its text, as no other value of JSON is written."""
    match value:
        case Literal(text):
            return {"": text}
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
    return value
