"""What a handler returned, as a reader of its JSON sees it. Source: awslambdaric and recorded responses."""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from typing import Any

LIMIT = 6_291_556
"""Bytes of a response; Lambda's."""

_PLAIN = frozenset({str, int, float, bool, type(None)})
_encode = json.JSONEncoder(ensure_ascii=sys.version_info < (3, 12)).encode
"""Lambda's runtimes keep what is not ASCII from Python 3.12 on; it shows only in the size."""


class NotJson(str):
    """A response of bytes that is not JSON: its text. No mapping can read it, so the batch fails."""

    __slots__ = ()


class TooLarge(Exception):  # noqa: N818 - named as Lambda's Function.ResponseSizeTooLarge
    """The response has more bytes than `LIMIT`."""


def marshal(value: object) -> object:
    """*value* as JSON gives it back: tuples as lists, keys as strings, a Decimal as a number, bytes as the body itself.

    An empty body is None: Lambda takes it as success, as it does null.

    Raises:
        TooLarge: see `LIMIT`.
        Exception: whatever encoding raised; its text is Lambda's.
    """
    if value is None:
        return None
    if type(value) is dict and _reports_nothing(value):
        return {**value}
    if isinstance(value, bytes):
        return _body(value)
    text = _encode(_plain(value))
    if len(text) > LIMIT or (not text.isascii() and len(text.encode()) > LIMIT):
        raise TooLarge
    text.encode()  # a lone surrogate cannot be sent
    return json.loads(text)


def _reports_nothing(value: dict[Any, Any]) -> bool:
    """True for {} and for {"batchItemFailures": []}, the answers of nearly every batch."""
    if not value:
        return True
    failures = value.get("batchItemFailures")
    return len(value) == 1 and type(failures) is list and not failures


def _body(raw: bytes) -> object:
    if len(raw) > LIMIT:
        raise TooLarge
    if not raw:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return NotJson(raw.decode("utf-8", "replace"))


def _plain(value: Any) -> Any:
    """*value* with what Lambda's encoder (simplejson) writes otherwise than the standard library's, or not at all."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return math.nan if value.is_nan() else json.loads(str(value))
    return value.decode() if isinstance(value, bytes) else value


def _key(key: Any) -> Any:
    return key.decode() if isinstance(key, bytes) else key
