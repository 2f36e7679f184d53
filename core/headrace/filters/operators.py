"""The items of a pattern's lists: from JSON to matchers, with every fault that AWS finds, in its words.

Texts were recorded from EventBridge, or come from its open-source matcher, event-ruler 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NoReturn, TypeAlias

from headrace.errors import PatternError
from headrace.filters.addresses import address, network
from headrace.filters.matchers import (
    Affix,
    AnyCase,
    AnythingBut,
    Exact,
    Exists,
    InNetwork,
    Matcher,
    Range,
    wildcard,
)
from headrace.filters.tree import Literal, Pairs

Steps: TypeAlias = tuple[str | int, ...]
Reader: TypeAlias = Callable[[Any, Steps], Matcher]

_NOT_A_VALUE: Final = "Match value must be String, number, true, false, or null"
_ONE_KEY: Final = "Only one key allowed in match expression"
_TOO_MANY: Final = "Too many elements in numeric expression"
_SEVERAL: Final = "several conditions on one field: write each as an item of its own (OR), or use another field (AND)"
_IN_LIST: Final = "Inside anything but list, start|null|boolean is not supported."
_MIXED: Final = "Inside anything but list, either all values are number or string, mixed type is not supported"


def matcher(item: Any, steps: Steps) -> Matcher:
    """What *item* of a list asks.

    Raises:
        PatternError: it asks nothing that can be.
    """
    if isinstance(item, Pairs):
        return _expression(item, steps)
    if isinstance(item, list):
        _fail(_NOT_A_VALUE, steps, "a list in a list is none of them; write its items side by side")
    found = address(item) if isinstance(item, str) else None
    return Exact(item) if found is None else InNetwork(item, found, found)


def _fail(reason: str, steps: Steps, mend: str = "") -> NoReturn:
    raise PatternError(reason, steps, mend)


def _expression(pairs: Pairs, steps: Steps) -> Matcher:
    if not pairs:
        _fail("Match expression name not found", steps, f"name an operator: {', '.join(OPERATORS)}")
    name, operand = pairs[0]
    if name not in OPERATORS:
        close = get_close_matches(name.lower(), OPERATORS, 1)
        mend = f"did you mean {close[0]}?" if close else f"known are {', '.join(OPERATORS)}"
        _fail(f"Unrecognized match type {name}", (*steps, name), mend)
    found = OPERATORS[name](operand, (*steps, name))
    if len(pairs) > 1:
        _fail(_TOO_MANY if name in {"numeric", "anything-but"} else _ONE_KEY, steps, _SEVERAL)
    return found


def _text(operand: Any, steps: Steps, what: str) -> str:
    if not isinstance(operand, str):
        one = "one text only; for several write an item each" if isinstance(operand, list) else "write a text"
        _fail(f"{what} match pattern must be a string", steps, one)
    return operand


def _exactly(operand: Any, steps: Steps) -> Matcher:
    return Exact(_text(operand, steps, "exact"))


def _prefix(operand: Any, steps: Steps) -> Matcher:
    return _affix(operand, steps, "prefix")


def _suffix(operand: Any, steps: Steps) -> Matcher:
    return _affix(operand, steps, "suffix")


def _affix(operand: Any, steps: Steps, name: str) -> Matcher:
    if not isinstance(operand, Pairs):
        return Affix(_text(operand, steps, name), at_end=name == "suffix")
    if not operand:
        _fail(f"{name.title()} expression name not found", steps, "only equals-ignore-case may stand here")
    inner, text = operand[0]
    if inner != "equals-ignore-case":
        _fail(f"Unsupported {name} pattern: {inner}", (*steps, inner), "only equals-ignore-case may stand here")
    found = _text(text, (*steps, inner), inner)
    if len(operand) > 1:
        _fail(_ONE_KEY, steps)
    return AnyCase(found, "begins" if name == "prefix" else "ends")


def _ignore_case(operand: Any, steps: Steps) -> Matcher:
    return AnyCase(_text(operand, steps, "equals-ignore-case"))


def _wildcard(operand: Any, steps: Steps) -> Matcher:
    return wildcard(_text(operand, steps, "wildcard"), steps)


def _cidr(operand: Any, steps: Steps) -> Matcher:
    text = _text(operand, steps, "prefix")  # "prefix" is what AWS says here
    return InNetwork(text, *network(text, steps))


def _exists(operand: Any, steps: Steps) -> Matcher:
    if not isinstance(operand, bool):
        _fail("exists match pattern must be either true or false.", steps, "write true or false, without quotes")
    return Exists(operand)


def _token(operands: list[Any], at: int) -> str:
    """The JSON token at *at*, as AWS names it; behind the last item that is the bracket."""
    if at >= len(operands):
        return "]"
    value = operands[at]
    if isinstance(value, Pairs | list):
        return "{" if isinstance(value, Pairs) else "["
    if isinstance(value, Literal):
        return value.text
    return (
        {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def _operator(operands: list[Any], at: int, steps: Steps, reason: str) -> str:
    if at >= len(operands) or not isinstance(operands[at], str):
        _fail(f"{reason}: {_token(operands, at)}", (*steps, at) if at < len(operands) else steps, 'as [">", 0]')
    return str(operands[at])


def _bound(operands: list[Any], at: int, steps: Steps, operator: str) -> float:
    value = operands[at] if at < len(operands) else None
    where = (*steps, at) if at < len(operands) else steps
    if isinstance(value, Literal):
        _fail(f"Cannot compare number : {value.text}", where, "a double cannot hold it; write fewer digits")
    if isinstance(value, bool) or not isinstance(value, int | float):
        name = "equals" if operator == "=" else operator
        _fail(f"Value of {name} must be numeric", where, "write a number, without quotes")
    return value


def _numeric(operand: Any, steps: Steps) -> Matcher:
    if isinstance(operand, Pairs) or not isinstance(operand, list):
        _fail("Value of numeric must be an array.", steps, 'as [">", 0]')
    first = _operator(operand, 0, steps, "Invalid member in numeric match")
    if first not in {"=", "<", "<=", ">", ">="}:
        _fail(f"Unrecognized numeric range operator: {first}", (*steps, 0), "known are = < <= > >=")
    value = _bound(operand, 1, steps, first)
    if len(operand) > 2 and first in {"=", "<", "<="}:  # noqa: PLR2004 - operator and operand
        _fail(_TOO_MANY, (*steps, 2), 'for a range write the lower bound first: [">", 0, "<", 5]')
    if first == "=":
        return Exact(value)
    if first in {"<", "<="}:
        return Range(high=value, high_open=first == "<")
    if len(operand) == 2:  # noqa: PLR2004
        return Range(low=value, low_open=first == ">")
    return _range(operand, steps, value, low_open=first == ">")


def _range(operand: list[Any], steps: Steps, low: float, *, low_open: bool) -> Matcher:
    second = _operator(operand, 2, steps, "Bad value in numeric range")
    if second not in {"<", "<="}:
        _fail(f"Bad numeric range operator: {second}", (*steps, 2), "the upper bound takes < or <=")
    high = _bound(operand, 3, steps, second)
    if len(operand) > 4:  # noqa: PLR2004 - two operators, two operands
        _fail("Too many terms in numeric range expression", (*steps, 4))
    if low >= high:
        _fail("Bottom must be less than top", steps, "no number is in this range")
    return Range(low, low_open, high, second == "<")


def _anything_but(operand: Any, steps: Steps) -> Matcher:
    if isinstance(operand, Pairs):
        return _anything_but_like(operand, steps)
    if isinstance(operand, list):
        return AnythingBut(tuple(_plain_values(operand, steps)))
    _check_single(operand, steps)
    return AnythingBut((_plain_value(operand, steps),))


def _check_single(operand: Any, steps: Steps) -> None:
    if operand is None or isinstance(operand, bool | Pairs):
        reason = "Value of anything-but must be an array or single string/number value."
        _fail(reason, steps, "null, true, false and further levels cannot be excluded")


def _plain_value(value: Any, steps: Steps) -> Matcher:
    if value is None or isinstance(value, bool | list):
        _fail(_IN_LIST, steps, "write texts, or numbers")
    if isinstance(value, Literal):
        _fail(f"Cannot compare number : {value.text}", steps, "a double cannot hold it; write fewer digits")
    return Exact(value)


def _plain_values(values: list[Any], steps: Steps) -> list[Matcher]:
    found = [_plain_value(value, (*steps, index)) for index, value in enumerate(values)]
    if len({isinstance(value, str) for value in values}) != 1:
        _fail(_MIXED, steps, "the list is empty" if not values else "write an item for each kind")
    return found


def _anything_but_like(pairs: Pairs, steps: Steps) -> Matcher:
    if not pairs:
        _fail("Anything-But expression name not found", steps, f"known are {', '.join(_EXCLUDED)}")
    name, operand = pairs[0]
    inside = (*steps, name)
    if name not in _EXCLUDED:
        _fail(f"Unsupported anything-but pattern: {name}", inside, f"known are {', '.join(_EXCLUDED)}")
    _check_single(operand, inside)
    if operand == []:
        _fail("Empty arrays are not allowed", inside)
    if isinstance(operand, list):
        these = tuple(_excluded(one, (*inside, index), name) for index, one in enumerate(operand))
    else:
        these = (_excluded(operand, inside, name),)
    if len(pairs) > 1:
        _fail(_TOO_MANY, steps, _SEVERAL)
    return AnythingBut(these)


def _excluded(text: Any, steps: Steps, name: str) -> Matcher:
    reason, read = _EXCLUDED[name]
    if not isinstance(text, str):
        _fail(reason, steps, "write a text")
    if not text and name in {"prefix", "suffix"}:
        _fail("Null prefix/suffix not allowed", steps, "an empty text fits every text")
    return read(text, steps)


_AFFIX: Final = "prefix/suffix match pattern must be a string"
_EXCLUDED: Final[Mapping[str, tuple[str, Reader]]] = {
    "prefix": (_AFFIX, _prefix),
    "suffix": (_AFFIX, _suffix),
    "equals-ignore-case": (
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
        _ignore_case,
    ),
    "wildcard": ("wildcard match pattern must be a string", _wildcard),
}

OPERATORS: Final[Mapping[str, Reader]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "anything-but": _anything_but,
    "exists": _exists,
    "cidr": _cidr,
    "exactly": _exactly,
}
