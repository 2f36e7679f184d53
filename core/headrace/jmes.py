"""JMESPath expressions that make keys: compiled, and what is wrong with one told before the first record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

Search: TypeAlias = Callable[[Any], Any]
"""What an expression finds in a value. Raises what its functions raise."""

_ALL: Final = {"multi_select_list", "multi_select_dict", "key_val_pair", "function_expression", "comparator", "expref"}
_ALL_TOO: Final = {"or_expression", "and_expression", "not_expression"}
"""Nodes whose parts all begin where they themselves do; of others only the first part does."""


def compiled(text: str) -> Search:
    """The expression in *text*.

    Raises:
        ValueError: it is none, it calls a function that there is not, or it finds a key where there is no field at all:
            then all records without its fields would count as one.
    """
    import jmespath  # noqa: PLC0415 - 20 ms, which no command pays whose config has no expression

    try:
        found = jmespath.compile(text)
    except ValueError as error:
        raise ValueError(f"is no JMESPath expression: {_in_one_line(error)}") from None
    for name, arguments in _calls(found.parsed):
        _check_call(name, arguments)
    if not is_missing(_or_none(found.search, {})):
        raise ValueError(
            "gives a key to a record that has none of its fields, so that all such records would count as one; "
            "name a field of the record, without a default for the whole key"
        )
    search: Search = found.search
    return search


def fields(text: str) -> set[str]:
    """The top-level fields of a record that *text*, which is an expression, begins with."""
    import jmespath  # noqa: PLC0415 - as above

    return set(_fields(jmespath.compile(text).parsed))


def is_missing(value: Any) -> bool:
    """Whether *value* is no key: null, empty, or a list or an object with a null in it.

    Of several parts none may be null: all records without that part would count as one.
    """
    if value is None or value in ("", [], {}):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(part is None for part in parts)


def _or_none(search: Search, value: Any) -> Any:
    try:
        return search(value)
    except Exception:  # noqa: BLE001 - a function that takes no null finds no key
        return None


def _calls(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every function that is called, and with how many arguments."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in _children(node):
        yield from _calls(child)


def _check_call(name: str, arguments: int) -> None:
    from jmespath.functions import Functions  # noqa: PLC0415 - as above

    table = Functions.FUNCTION_TABLE
    if name not in table:
        meant = get_close_matches(name, table, 1)
        raise ValueError(
            f"calls {name}(), which JMESPath does not have{f'; did you mean {meant[0]}?' if meant else ''}"
        )
    wanted = table[name]["signature"]
    variadic = any(one.get("variadic") for one in wanted)
    if arguments < len(wanted) or (arguments > len(wanted) and not variadic):
        raise ValueError(f"calls {name}() with {arguments} arguments; it takes {len(wanted)}{' or more' * variadic}")


def _fields(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
    children = _children(node)
    for child in children if node["type"] in _ALL | _ALL_TOO else children[:1]:
        if child["type"] != "expref":  # what a function does with each of a list begins there
            yield from _fields(child)


def _children(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [child for child in node["children"] if isinstance(child, dict)]


def _in_one_line(error: Exception) -> str:
    """Without the drawing of where, and the prefix of every message."""
    first = " ".join(str(error).split("\n", maxsplit=1)[0].split()).rstrip(":")
    for prefix in ("Invalid JMESPath expression: ", "Invalid jmespath expression: ", "Bad jmespath expression: "):
        first = first.removeprefix(prefix)
    return first.partition(", for expression")[0]
