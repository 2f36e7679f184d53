"""Whatever lies among dead letters: it is a letter, or it is said why not; nothing else ends a replay.

Mutations, found so: a condition that is a list, a count that is a text, an event whose records are none.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.filters import compile_pattern
from headrace.letters import Form, NoLetter, Posted, parse
from headrace.replaying.editing import NotEdited, compiled
from headrace.replaying.finding import Finder, Known
from headrace.replaying.selection import Selection
from headrace.settings import MappingSettings
from headrace_connectors.catalog import catalog
from support.letters import click, failure, invocation, message
from support.messages import opening

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OPTIONS: dict[str, dict[str, Any]] = {
    "sqs": {"queue_url": "https://sqs.eu-central-1.amazonaws.com/000000000000/orders", "unwrap": ["sns", "s3"]},
    "kinesis": {"stream": "clicks"},
    "dynamodb": {"table": "items"},
    "kafka": {"topics": ["payments"], "bootstrap_servers": ["localhost:9092"]},
}
KAFKA = {
    "records": {"payments-0": [{"topic": "payments", "partition": 0, "offset": 1, "value": "YQ==", "headers": []}]}
}
GOOD = [
    failure(message("m1", {"a": 1}), cls="timeout"),
    failure(message("m1", "x"), text=True),
    failure(click(1, {"a": 1})),
    failure(payload=KAFKA),
    invocation({"a": 1}),
]
NOBODY = frozenset({"nobody", "no one"})
EDIT = compiled('if type == "object" and has("body") then .body = "x" else . end')


def known(kind: str) -> Known:
    connector = catalog.connector(kind)
    made = opening(mapping=kind, settings=MappingSettings(), options=connector.options(**OPTIONS[kind]))
    return Known(connector=connector, opening=made, function="f")


MAPPINGS = {kind: known(kind) for kind in OPTIONS}


def look_through(body: bytes, mapping: str) -> None:
    """As a preview does."""
    finder = Finder(mappings=MAPPINGS, functions=["f"], mapping=mapping)
    selection = Selection(classes=["timeout"], since=1.0, patterns=[compile_pattern('{"body": {"a": [1]}}')])
    try:
        letter = parse(Posted(id="1", body=body, at=0.0))
        selection.refuses(letter)
        if letter.form is Form.PLACE:
            finder.whose(letter)
            return
        found = finder.made(letter, letter.event)
        selection.of(found, found.recalled.records)
        for record in found.recalled.records:
            found.payload(record)
            assert record.id not in NOBODY
            found.edited(record, EDIT)
        found.recalled.render(found.recalled.records)
    except (NoLetter, NotEdited):
        pass


much = settings(
    max_examples=int(os.environ.get("HEADRACE_FUZZ", "300")), deadline=None, suppress_health_check=list(HealthCheck)
)


@much
@given(JSON, st.sampled_from(["", *OPTIONS]))
def test_any_json(value: Any, mapping: str) -> None:
    look_through(json.dumps(value).encode(errors="surrogatepass"), mapping)


@much
@given(st.binary(max_size=40))
def test_any_bytes(body: bytes) -> None:
    look_through(body, "")


@much
@given(st.sampled_from(GOOD), JSON, st.randoms(use_true_random=False), st.sampled_from(["", *OPTIONS]))
def test_a_letter_of_which_something_is_something_else(
    letter: Any, other: Any, chance: random.Random, mapping: str
) -> None:
    look_through(json.dumps(spoiled(letter, other, chance)).encode(errors="surrogatepass"), mapping)


def spoiled(value: Any, other: Any, chance: random.Random) -> Any:
    """A copy in which one node, at random, is *other*, or left out."""
    places: list[tuple[Any, Any]] = []
    whole = json.loads(json.dumps(value))

    def walk(node: Any) -> None:
        for key, inner in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(inner, dict | list):
                walk(inner)

    walk(whole)
    node, key = chance.choice(places)
    if chance.random() < 0.3:
        del node[key]
    else:
        node[key] = other
    return whole


@pytest.mark.parametrize("letter", GOOD)
def test_none_of_it_is_needed_to_read_a_good_one(letter: Any) -> None:
    mapping = "kafka" if "records" in str(letter.get("payload", "")) else ""
    look_through(json.dumps(letter).encode(), mapping)
