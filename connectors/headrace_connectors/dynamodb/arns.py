"""The names of tables and of their streams. Pure."""

from __future__ import annotations

import re

_TABLE = r"arn:aws[a-z0-9-]*:dynamodb:([a-z0-9-]+):[0-9]{12}:table/([a-zA-Z0-9_.-]{1,255})"
_TABLE_ARN = re.compile(_TABLE)
_STREAM_ARN = re.compile(rf"{_TABLE}/stream/[0-9A-Za-z:.-]+")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
"""Letters, digits, `_`, `.`, `-`; 3 to 255 of them (the API's own model)."""


def checked_table(value: str) -> str:
    """A table's name or ARN.

    Raises:
        ValueError: it is none.
    """
    if _STREAM_ARN.fullmatch(value):
        raise ValueError("is a stream's ARN: write it as stream_arn")
    if not (_NAME.fullmatch(value) or _TABLE_ARN.fullmatch(value)):
        raise ValueError("must be a table's name, or its ARN: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME")
    return value


def checked_stream(value: str) -> str:
    """A stream's ARN.

    Raises:
        ValueError: it is none.
    """
    if _TABLE_ARN.fullmatch(value):
        raise ValueError("is a table's ARN: write it as table, and its latest stream is found")
    if not _STREAM_ARN.fullmatch(value):
        raise ValueError("must be a stream's ARN: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL")
    return value


def region_of(name: str) -> str | None:
    """The region in the ARN of a table or of a stream; None of a bare name."""
    found = _TABLE_ARN.match(name)
    return found[1] if found else None


def table_of(name: str) -> str:
    """The table's name, whichever of the three *name* is."""
    found = _TABLE_ARN.match(name)
    return found[2] if found else name
