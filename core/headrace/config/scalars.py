"""What a YAML scalar means: the environment filled in, then the types of YAML 1.2's core schema.

Not YAML 1.1 as PyYAML resolves it: there `no` is false, `1:30` is 90 and `2026-01-01` a date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)

_WORDS: Final[Mapping[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIGITS: Final = 40
"""More than any setting takes, and less than makes `int` or `float` refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A text after its `${…}`: what it became, what was taken from the environment by name, what is wrong."""

    text: str
    expressions: tuple[str, ...] = ()
    taken: Mapping[str, str]
    faults: tuple[str, ...]


def fill(text: str, environ: Mapping[str, str]) -> Filled:
    """`${NAME}` and `${NAME:-default}` from *environ*; `$${` is a literal `${`.

    As in a shell, the default stands for an empty variable too. No message holds a value of *environ*.
    """
    expressions: list[str] = []
    taken: dict[str, str] = {}
    faults: list[str] = []

    def one(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        named = _NAME.fullmatch(found[1] or "")
        if named is None:
            faults.append(
                "${…} must hold the name of a variable: ${NAME} or ${NAME:-default}; write $${ for a plain ${"
            )
            return ""
        name, default = named[1], named[2]
        expressions.append(found[0])
        value = environ.get(name)
        if value is None and default is None:
            faults.append(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
        elif value is not None and not is_clean(value):
            faults.append(f"the environment variable {name} holds characters that are not text")
            return ""
        elif value or default is None:
            taken[name] = value or ""
            return value or ""
        return default or ""

    filled = REFERENCE.sub(one, text)
    return Filled(text=filled, expressions=tuple(expressions), taken=taken, faults=tuple(faults))


def resolve(text: str) -> Scalar:
    """What a plain (unquoted) scalar means.

    Raises:
        ValueError: a number that no setting can take: not finite, or of too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > _DIGITS:
            raise ValueError("the number is too large")
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("must be a finite number")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError("the number is too large")
        return number
    return text


def is_clean(text: str) -> bool:
    """False for what no UTF-8 text, environment or JSON of ours can carry: NUL and half surrogates."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def join_surrogates(text: str) -> str:
    r"""JSON escapes a character beyond 16 bits as two: `"\ud83d\ude00"`. YAML reads each alone; here they meet."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
