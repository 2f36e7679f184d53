"""Records are mended by an expression of jq, one after another, as filters see them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import jq

from headrace.errors import HeadraceError

EXACT: Final = 2**53
"""Whole numbers above it are rounded by jq, which has doubles."""


class NotEdited(HeadraceError):  # noqa: N818 - why a letter stays as it is
    """The expression cannot do it, and why."""


Edit: TypeAlias = Callable[[Any], Any]


def compiled(expression: str) -> Edit:
    """What *expression* makes of a value.

    Raises:
        ValueError: it is no expression of jq: why, in jq's words.
    """
    program = jq.compile(expression)

    def edit(value: Any) -> Any:
        _exact(value)
        try:
            text = program.input_text(json.dumps(value)).text()
        except ValueError as error:
            raise NotEdited(f"--edit: {error}") from None
        return _only(text)

    return edit


def _only(text: str) -> Any:
    lines = text.split("\n") if text else []  # jq writes one value a line
    if len(lines) != 1:
        raise NotEdited(f"--edit: it makes {len(lines) or 'no'} values of one; it must make one")
    return json.loads(lines[0])


def _exact(value: Any) -> None:
    if isinstance(value, int) and abs(value) > EXACT:
        raise NotEdited(f"--edit: it holds the number {value}, which jq would round")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _exact(one)
