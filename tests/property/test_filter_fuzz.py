"""Whatever is written as a pattern compiles or is a PatternError; whatever is matched is True or False."""

import copy
import json
import os
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import PatternError
from headrace.filters import Mismatch, View, compile_pattern, faults, keeper
from support.engine import record

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ", "300"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

GOOD = {
    "body": {
        "total": [{"numeric": [">", 0, "<=", 5e3]}, 12345678901234567890],
        "kind": ["a", {"prefix": {"equals-ignore-case": "x"}}, {"anything-but": {"suffix": ["b", "c"]}}],
        "lines": {"sku": [{"wildcard": "A*\\*B"}], "gone": [{"exists": False}]},
        "$or": [{"ip": [{"cidr": "10.0.0.0/8"}]}, {"note": [None, True, {"equals-ignore-case": "y"}]}],
    },
    "messageId": [{"anything-but": [1, 2]}],
}
BODIES = ["", "x", "{", "{}", "[]", "1", '{"total": 1e999, "lines": [[], [{"sku": null}]]}', json.dumps(GOOD["body"])]
ODD: list[Any] = [
    None, True, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", "*", "**", "\\", "\ud800", "10.0.0.1", "::/0",
    [], [[]], [None], {}, {"": []}, {"$or": []}, {"$or": [{}, {}]}, {"a": [1]}, [{"a": [1]}, {"b": [2]}], {1: 2},
    {None: ["x"]}, (1, 2), b"x", object(), {"prefix": {"prefix": {}}}, ["=", 1], [">", 1, "<"], "x" * 5000,
    {"a.b": ["x"]},
]  # fmt: skip
WORDS = ["$or", "prefix", "numeric", "anything-but", "exists", "cidr", "wildcard", "equals-ignore-case", "=", "", "a.b"]
PIECES = [*'[]{}:,"\\0123456789.-eE+*nulltrue ', '"$or":[', '{"a":', "[" * 60, "{" * 60, "\ud800", "\0", "1e999", "NaN"]

view = View(
    record="message",
    payload="body",
    content=lambda one: one.raw["content"],
    fields=lambda _, one: {"messageId": one.id},
    keys=frozenset({"messageId"}),
    mismatch=Mismatch.DROP,
)


def verdict(pattern: Any) -> None:
    found = faults(pattern)
    for fault in found:
        assert type(fault) is PatternError
        assert fault.place.startswith("$")
        assert str(fault).startswith("Event pattern is not valid. Reason: ")
    if not found:
        keep = keeper([compile_pattern(pattern)], view, lambda _: {})
        for body in BODIES:
            one = record("m")
            one.raw["content"] = body
            assert keep(one) in {True, False}


def paths(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where, *(path for key, one in inner for path in paths(one, (*where, key)))]


def damage(tree: Any, chance: random.Random) -> Any:
    where = chance.choice(paths(tree))
    if not where:
        return copy.deepcopy(chance.choice(ODD)) if chance.random() < 0.1 else tree
    holder = tree
    for step in where[:-1]:
        holder = holder[step]
    value = holder[where[-1]]
    match chance.randrange(5):
        case 0:
            del holder[where[-1]]
        case 1:
            holder[where[-1]] = copy.deepcopy(chance.choice(ODD))
        case 2:
            holder[where[-1]] = chance.choice(([value], {chance.choice(WORDS): value}, [value, value]))
        case 3 if isinstance(holder, dict):
            holder[chance.choice(WORDS)] = value
        case _:
            borrowed = tree
            for step in chance.choice(paths(tree)):
                borrowed = borrowed[step]
            holder[where[-1]] = copy.deepcopy(borrowed)
    return tree


@fuzz
@given(chance=st.randoms(use_true_random=False), times=st.integers(1, 8))
def test_damaged_mappings(chance, times):
    """Catches: any other exception, as of a value that JSON does not know or a key that is no text."""
    tree = json.loads(json.dumps(GOOD))
    for _ in range(times):
        tree = damage(tree, chance)
    verdict(tree if isinstance(tree, dict) else {"a": tree})


@fuzz
@given(edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), st.sampled_from(PIECES)), max_size=6))
def test_damaged_text(edits):
    text = json.dumps(GOOD)
    for at, cut, put in edits:
        text = text[:at] + put + text[at + cut :]
    verdict(text)


@fuzz
@given(text=st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=60) | st.binary(max_size=60))
def test_anything(text):
    verdict(text if isinstance(text, str) else text.decode("utf-8", "surrogateescape"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner),
    max_leaves=15,
)


@fuzz
@given(tree=st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), json_values))
def test_any_tree(tree):
    verdict(tree)
