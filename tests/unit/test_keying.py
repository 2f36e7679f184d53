"""Which records count as one: the key's expression, what it finds, and what it is as a digest."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from headrace.jmes import compiled, fields, is_missing
from headrace.keying import digest, keyer
from headrace.model import Record
from headrace_connectors.dynamodb.event import VIEW as DYNAMODB
from headrace_connectors.kafka.event import VIEW as KAFKA
from headrace_connectors.sqs.event import VIEW as SQS
from support.engine import record


def key_of(expression: str, body: str, **fields: object) -> str | None:
    one = record("m-1")
    one.raw = {"Body": body}
    render = lambda _: {"Records": [{"messageId": "m-1", "body": body, **fields}]}  # noqa: E731
    return keyer(compiled(expression), SQS, render)(one)


def test_it_is_read_over_what_filters_see():
    """Payload parsed, and the rest of the record beside it. Mutation: the event's own body, a text."""
    assert key_of("body.order.id", '{"order": {"id": 7}}') == digest(7)
    assert key_of("messageId", "no JSON") == digest("m-1")
    assert key_of("body", "no JSON") == digest("no JSON")
    assert key_of("[body.shop, body.id]", '{"shop": "a", "id": 1}') == digest(["a", 1])


def test_a_message_of_a_topic_is_its_value_and_what_stands_beside_it():
    one = record("t-0")
    one.raw = SimpleNamespace(value=b'{"id": 7}')
    render = lambda _: {"records": {"t-0": [{"topic": "t", "value": "eyJpZCI6IDd9", "headers": []}]}}  # noqa: E731
    assert keyer(compiled("[topic, value.id]"), KAFKA, render)(one) == digest(["t", 7])


def test_a_record_of_a_table_is_its_item():
    one = Record("e", {"eventID": "e", "dynamodb": {"Keys": {"id": {"S": "k"}}}}, 0.0, 10)
    assert keyer(compiled("dynamodb.Keys"), DYNAMODB, lambda _: {})(one) == digest({"id": {"S": "k"}})


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("body.id", "{}"),
        ("body.id", '{"id": null}'),
        ("body.id", '{"id": ""}'),
        ("body.id", "plain"),
        ("body.items[].id", '{"items": []}'),
        ("[body.shop, body.id]", '{"shop": "a"}'),
        ("{a: body.shop, b: body.id}", '{"shop": "a"}'),
    ],
)
def test_what_gives_null_has_no_key(expression, body):
    """Nor what has a part without: all such would count as one. Mutation, tried: only the whole is looked at."""
    assert key_of(expression, body) is None


def test_a_part_may_have_a_default():
    assert key_of("[body.shop, body.line || '']", '{"shop": "a"}') == digest(["a", ""])


def test_numbers_are_told_apart_by_all_their_digits():
    """Mutation, tried: a plain parser, which makes one double of both."""
    one, two = (key_of("body.id", f'{{"id": 1234567890123456789{digit}}}') for digit in "12")
    assert one
    assert one != two
    assert key_of("body.id", '{"id": 1234567890123456}') == digest(1234567890123456)
    fine, finer = (key_of("body.id", f'{{"id": 0.1000000000000000000000{digit}}}') for digit in "12")
    assert fine != finer


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1}), (1e15, 10**15), ("é", "\u00e9")],
)
def test_one_value_is_one_key_however_it_is_written(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (1, True), (0, False), ([1, 2], [2, 1]), ([1], 1), ("a", ["a"])])
def test_two_values_are_two_keys(one, other):
    assert digest(one) != digest(other)


def test_the_store_sees_nothing_of_what_it_is_made_of():
    assert len(digest({"card": "4111111111111111"})) == 64
    assert "4111" not in digest({"card": "4111111111111111"})


@pytest.mark.parametrize("value", [None, "", [], {}, [1, None], {"a": None}])
def test_missing(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, False, "0", [0], [""], {"a": ""}, [[None]]])
def test_not_missing(value):
    assert not is_missing(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be empty"),
        ("body.", "Parse error at column 5"),
        ("body[", "Incomplete expression"),
        ("body.id + 1", "Unknown token +"),
        ("lower(body.id)", "calls lower(), which JMESPath does not have"),
        ("joi('-', body.ids)", "did you mean join?"),
        ("body.id || joi('-', @)", "did you mean join?"),
        ("join(body.ids)", "calls join() with 1 arguments; it takes 2"),
        ("'orders'", "gives a key to a record that has none of its fields"),
        ("body.id || 'none'", "would count as one"),
        ("body.id == 'a'", "would count as one"),
        ("`1`", "would count as one"),
    ],
)
def test_what_is_no_key_is_refused(text, says):
    """Mutations, tried: functions looked up only when they are called; a constant key (everything is one record)."""
    with pytest.raises(ValueError) as caught:
        compiled(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("body.id", {"body"}),
        ("[body.a, attributes.b]", {"body", "attributes"}),
        ("{a: body.a}", {"body"}),
        ("body.items[*].id", {"body"}),
        ("body.items[?kind == 'a'].id | [0]", {"body"}),
        ("body.items[0:2].id", {"body"}),
        ("body.a || messageId", {"body", "messageId"}),
        ("sort_by(body.a, &b)", {"body"}),
        ("join('-', [body.a, to_string(body.b)])", {"body"}),
        ("@.boddy", set()),
        ("body.a[].b", {"body"}),
    ],
)
def test_the_fields_that_it_begins_with(text, found):
    assert fields(text) == found


def test_a_function_that_cannot_take_a_value_raises():
    """`Once` runs such a record, and says nothing of what it holds."""
    with pytest.raises(ValueError):
        key_of("length(body.id)", json.dumps({"id": 7}))
