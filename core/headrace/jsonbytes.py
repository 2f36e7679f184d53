"""JSON as bytes, both ways: fast, and with all that JSON can write."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson


def to_json(value: object) -> bytes:
    """As JSON in UTF-8, on one line."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half of a surrogate pair, which only escapes can write
        return json.dumps(value, separators=(",", ":")).encode()


def from_json(text: bytes | str) -> Any:
    """What `to_json` has written, and any other JSON in UTF-8.

    Raises:
        ValueError: it is none.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(text if isinstance(text, str) else text.decode(), parse_constant=no_constant)
        except (ValueError, RecursionError):
            raise error from None


def no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's own reader takes."""
    raise ValueError(f"{name} is not JSON")
