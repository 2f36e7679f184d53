"""The matcher against one that shares no code with it: every leaf listed, every choice of leaves tried."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headrace.filters import compile_pattern, faults
from headrace.filters.tree import read_event

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ", "300"))
model = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

KEYS = st.sampled_from(["a", "b", "c", "a.b", "b.c", ""])
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1", "1.0", "10e-1", "2", "-3.5", "300", "3.0e2", "1e400", "1e-400", "1e23", "1" + 23 * "0"),
        *("12345678901234567890", "12345678901234567891", "0.1", "0.1000000000000000055511151231257827"),
    ]
)
TEXTS = st.sampled_from(
    ["", "x", "X", "xy", "xyx", "x*y", "y", "ß", "SS", "10.0.0.1", "010.0.0.1", "10.0.0.9", "::1", "0:0::1", "1", "a\\"]
)
WORDS = st.sampled_from(["null", "true", "false"])


def text(value: str) -> str:
    return json.dumps(value)


def array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def one(key: str, value: str) -> str:
    return f"{{{text(key)}:{value}}}"


def members(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{text(key)}:{value}" for key, value in pairs) + "}"


scalars = st.one_of(TEXTS.map(text), NUMBERS, WORDS)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(array), st.lists(st.tuples(KEYS, inner), max_size=3).map(members)
    ),
    max_leaves=12,
)
events = st.lists(st.tuples(KEYS, values), max_size=4).map(members)

plain = st.sampled_from(["prefix", "suffix", "equals-ignore-case", "wildcard"])
comparable = st.sampled_from(["0", "1", "2", "-3.5", "300", "0.1", "1e23"])
expressions = st.one_of(
    st.tuples(plain, TEXTS.map(text)).map(lambda pair: one(*pair)),
    st.tuples(st.sampled_from(["prefix", "suffix"]), TEXTS).map(
        lambda pair: one(pair[0], one("equals-ignore-case", text(pair[1])))
    ),
    st.tuples(plain, st.lists(TEXTS.map(text), min_size=1, max_size=2).map(array)).map(
        lambda pair: one("anything-but", one(*pair))
    ),
    st.one_of(TEXTS.map(text), comparable, st.lists(comparable, min_size=1, max_size=2).map(array)).map(
        lambda value: one("anything-but", value)
    ),
    st.sampled_from(["true", "false"]).map(lambda word: one("exists", word)),
    st.sampled_from(["10.0.0.0/29", "10.0.0.0/8", "::/64", "0.0.0.0/0"]).map(lambda block: one("cidr", text(block))),
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), comparable).map(
        lambda pair: one("numeric", array([text(pair[0]), pair[1]]))
    ),
    st.sampled_from(["<", "<="]).map(lambda top: one("numeric", f'[">=",0,{text(top)},300]')),
    TEXTS.map(lambda value: one("exactly", text(value))),
)
leaves = st.lists(st.one_of(scalars, expressions), min_size=1, max_size=3).map(array)


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEYS, inner), min_size=1, max_size=3)
    branches = st.lists(pairs.map(members), min_size=2, max_size=3).map(array)
    return st.one_of(
        pairs.map(members),
        st.tuples(pairs, branches, st.booleans()).map(
            lambda made: members([("$or", made[1]), *made[0]] if made[2] else [*made[0], ("$or", made[1])])
        ),
    )


patterns = objects(st.recursive(leaves, objects, max_leaves=6))


class Text(str):
    """A number, as it was written."""

    __slots__ = ()


class Members(list[Any]):
    """An object, as it was written."""


def parse(written: str) -> Any:
    return json.loads(written, object_pairs_hook=Members, parse_int=Text, parse_float=Text)


def flatten(value: Any, path: list[str], inside: dict[int, int]) -> list[tuple[str, Any, dict[int, int]]]:
    """Each leaf with its path, and the element that it lies in of each array around it (by the array's identity)."""
    if isinstance(value, Members):
        return [leaf for key, inner in value for leaf in flatten(inner, [*path, key], inside)]
    if isinstance(value, list):
        found = []
        for index, inner in enumerate(value):
            element = {id(value): index} if isinstance(inner, list) else {}
            found += flatten(inner, path, {**inside, **element})
        return found
    return [(".".join(path), value, inside)]


def expand(pattern: Members, path: list[str], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for key, value in pattern:
        if key == "$or":
            rules = [rule for branch in value for rule in expand(branch, path, [dict(one) for one in rules])]
        elif isinstance(value, Members):
            rules = expand(value, [*path, key], rules)
        else:
            rules = [{**rule, ".".join([*path, key]): value} for rule in rules]
    return rules


def same_number(left: str, right: str) -> bool:
    held = [Decimal(repr(float(one))) == Decimal(one) for one in (left, right)]
    return Decimal(left) == Decimal(right) if all(held) else left == right


def address(value: Any) -> Any:
    try:
        return ipaddress.ip_address(".".join(part.lstrip("0") or "0" for part in value.split(".")))
    except ValueError:
        return None


def fits(item: Any, leaf: Any) -> bool:
    """Whether one item of a pattern's list takes *leaf*."""
    if isinstance(item, Members):
        ((name, operand),) = item
        return takes(name, operand, leaf)
    if isinstance(item, Text) or isinstance(leaf, Text):
        return isinstance(item, Text) and isinstance(leaf, Text) and same_number(item, leaf)
    if isinstance(item, str) and isinstance(leaf, str):
        return item == leaf or (address(item) is not None and address(item) == address(leaf))
    return item is leaf


def takes(name: str, operand: Any, leaf: Any) -> bool:  # noqa: PLR0911 - one operator after the other
    is_text, is_number = isinstance(leaf, str) and not isinstance(leaf, Text), isinstance(leaf, Text)
    if name == "exists":
        return bool(operand)
    if name == "anything-but":
        if isinstance(operand, Members):
            ((inner, operand),) = operand
        else:
            inner = "exactly"
        excluded = operand if isinstance(operand, list) else [operand]
        return not any(
            (isinstance(one, Text) and is_number and same_number(one, leaf)) or takes(inner, one, leaf)
            for one in excluded
        )
    if name == "numeric":
        if not is_number or Decimal(repr(float(leaf))) != Decimal(leaf):
            return False
        pairs = zip(operand[::2], operand[1::2], strict=True)
        sign = {"=": {0}, "<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}
        return all(int(Decimal(leaf).compare(Decimal(bound))) in sign[op] for op, bound in pairs)
    if not is_text:
        return False
    if name == "cidr":
        found = address(leaf)
        block = ipaddress.ip_network(operand)
        return found is not None and found.version == block.version and found in block
    if isinstance(operand, Text):
        return False
    if isinstance(operand, Members):
        ((_, inner),) = operand
        cut = [leaf[:n] if name == "prefix" else leaf[len(leaf) - n :] for n in range(len(leaf) + 1)]
        return any(takes("equals-ignore-case", inner, part) for part in cut)
    if name == "equals-ignore-case":
        forms = [{one, one.lower(), one.upper()} for one in operand]
        return leaf in {"".join(choice) for choice in product(*forms)}
    if name == "wildcard":
        form = re.sub(
            r"\\(.)|\*|[^*\\]", lambda m: re.escape(m[1]) if m[1] else ".*" if m[0] == "*" else re.escape(m[0]), operand
        )
        return re.fullmatch(form, leaf, re.DOTALL) is not None
    return {"prefix": leaf.startswith, "suffix": leaf.endswith, "exactly": leaf.__eq__}[name](operand)


def agrees(choice: tuple[Any, ...]) -> bool:
    chosen: dict[int, int] = {}
    return all(chosen.setdefault(array, index) == index for leaf in choice if leaf for array, index in leaf[2].items())


def expected(pattern: str, event: str) -> bool:
    listed = flatten(parse(event), [], {})
    for rule in expand(parse(pattern), [], [{}]):
        choices = []
        for path, items in rule.items():
            here = [leaf for leaf in listed if leaf[0] == path]
            good = [leaf for leaf in here if any(fits(item, leaf[1]) for item in items)]
            if not here and [("exists", False)] in items:
                good = [None]
            choices.append(good)
        if any(agrees(choice) for choice in product(*choices)):
            return True
    return False


@model
@given(pattern=patterns, event=events)
def test_the_matcher_agrees_with_trying_everything(pattern, event):
    """Catches: array consistency, `$or`, dotted or repeated keys, absence or a number handled in another way."""
    assume(not faults(pattern))  # a wildcard may end in a backslash, say
    assert compile_pattern(pattern).matches(read_event(event)) is expected(pattern, event)


few = st.sampled_from(["1", "2"])
small_rows = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.one_of(few, few.map(lambda n: f"[{n},3]"))), max_size=3).map(members),
    max_size=4,
).map(array)


@model
@given(
    event=st.lists(st.tuples(st.sampled_from(["x", "y", "x.a", "x.b"]), small_rows | few), max_size=5).map(members),
    wanted=st.dictionaries(st.sampled_from(["x.a", "x.b", "x.c", "y.a", "y.b"]), few, min_size=1),
)
def test_elements_of_arrays(event, wanted):
    """Many near misses: members of one path, repeated keys, elements that have all but one."""
    pattern = members([(path, f"[{value}]") for path, value in wanted.items()])
    assert compile_pattern(pattern).matches(read_event(event)) is expected(pattern, event)
