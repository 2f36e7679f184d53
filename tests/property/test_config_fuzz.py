"""A damaged config loads, or is refused with places: never a traceback, never a secret."""

import copy
import os
import random
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace import config
from headrace.config import explain
from headrace.config.wording import is_sensitive
from headrace.errors import ConfigError
from support.fake_catalog import CATALOG, ENVIRON, EXAMPLE, SECRET

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ", "300"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    10**12,
    10**39,
    10**60,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "a.b",
    "10",
    "yes",
    "\x85\u2028\u202e",
    "😀",
    "x" * 5000,
    "${SECRET}",
    "a ${SECRET} b ${QUEUE_URL}",
    "${SECRET:-hunter}",
    "${NO}",
    "${NO:-}",
    "${",
    "$${SECRET}",
    "memory:",
    "sqlite:${SECRET}",
    "../..",
    "queue",
    "log",
    "LATEST",
    [],
    [[]],
    [None],
    ["${SECRET}"],
    {},
    {"": ""},
    {"a": {"b": {"c": "${SECRET}"}}},
    {1: 2},
    {None: None},
    {"type": "log", "stream": "${SECRET}"},
    {"password": "${SECRET}"},
]
BYTES = [
    *(bytes([n]) for n in range(256)),
    b"\n", b"\n\n", b"\t", b": ", b"- ", b"? ", b"&a ", b"*a ", b"<<: ", b"!!python/object:os.system ", b"!x ",
    b"---\n", b"...\n", b"%YAML 9.9\n", b"${SECRET}", b"${", b"$${", b"}", b"'", b'"', b"|\n", b">\n", b"[" * 60,
    b"{a: " * 60, b"\\", b'"\\ud800"', b'"\\0"', b"9" * 500, b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r",
]  # fmt: skip


def verdict(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.yaml"
        path.write_bytes(data)
        try:
            found = config.load([path], CATALOG, ENVIRON)
        except ConfigError as refused:
            return is_well_said(refused, path)
    assert SECRET not in "".join(map(str, found.warnings))
    for row in explain.rows(found):
        assert row.origin
        if is_sensitive(tuple(row.path.split("."))) or "url" in row.path:
            assert SECRET not in str(row.value), row
    return None


def is_well_said(refused: ConfigError, path: Path) -> None:
    assert refused.faults
    for fault in refused.faults:
        assert fault.message.strip()
        assert re.fullmatch(rf"{re.escape(str(path))}(:[1-9][0-9]*)?", fault.place), fault
        assert SECRET not in str(fault), fault
        assert "\n" not in str(fault)
        str(fault).encode()


def paths(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every way into *value*, to its leaves too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where, *(path for key, one in inner for path in paths(one, (*where, key)))]


def misspell(word: Any, chance: random.Random) -> Any:
    text = str(word) or "x"
    at = chance.randrange(len(text))
    return chance.choice((text[:at] + text[at + 1 :], text[:at] + "x" + text[at:], text.upper(), text + "\n", at, None))


def damage(tree: Any, chance: random.Random) -> Any:
    where = chance.choice(paths(tree)[1:] or [()])
    if not where:
        return copy.deepcopy(chance.choice(ODD))
    holder = tree
    for step in where[:-1]:
        holder = holder[step]
    key, value = where[-1], holder[where[-1]]
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(chance.choice(ODD))
        case 2:
            holder[key] = chance.choice(([value], {"nested": value}, {key: value}, str(value)))
        case 3 if isinstance(holder, dict):
            holder[misspell(key, chance)] = holder.pop(key)
        case 4 if isinstance(holder, dict):
            holder[misspell(key, chance)] = value
        case _:
            other = chance.choice(paths(tree))
            borrowed = tree
            for step in other:
                borrowed = borrowed[step]
            holder[key] = yaml.safe_load(yaml.safe_dump(borrowed))
    return tree


def test_the_undamaged_example_is_accepted():
    verdict(EXAMPLE.encode())


@fuzz
@given(chance=st.randoms(use_true_random=False), times=st.integers(1, 6), flow=st.sampled_from([None, True, False]))
def test_damaged_values(chance, times, flow):
    tree = yaml.safe_load(EXAMPLE)
    for _ in range(times):
        tree = damage(tree, chance) if isinstance(tree, dict | list) and tree else copy.deepcopy(chance.choice(ODD))
    verdict(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True).encode("utf-8", "surrogatepass"))


@fuzz
@given(edits=st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 12), st.sampled_from(BYTES)), max_size=6))
def test_damaged_bytes(edits):
    data = EXAMPLE.encode()
    for at, cut, put in edits:
        data = data[:at] + put + data[at + cut :]
    verdict(data)


@fuzz
@given(chance=st.randoms(use_true_random=False))
def test_damaged_lines(chance):
    lines = EXAMPLE.splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                lines.insert(at, chance.choice(lines))
            case 1:
                del lines[at]
            case 2:
                lines[at] = chance.choice((" ", "\t", "  ", "- ")) + lines[at]
            case 3:
                lines[at] = lines[at].lstrip()
            case _:
                chance.shuffle(lines)
        lines = lines or [""]
    verdict("\n".join(lines).encode())


@fuzz
@given(text=st.text(st.characters(codec="utf-8"), max_size=200) | st.binary(max_size=200))
def test_anything(text):
    verdict(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp500"])
def test_other_encodings(encoding):
    verdict(EXAMPLE.replace("me,", "mé,").encode(encoding))
