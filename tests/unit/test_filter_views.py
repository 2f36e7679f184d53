"""What a source's records show to filters: the format tables, and when a payload is parsed how."""

from typing import Any

import pytest

from headrace.filters import Mismatch, View, compile_pattern, keeper
from headrace.filters.view import Format, read_payload
from headrace.model import Record
from headrace_connectors.sqs.event import VIEW, render
from support.engine import record

JSON, PLAIN, BROKEN = '{"a": 1, "t": "x"}', "plain", '{"a": 1'


def view(mismatch: Mismatch, payload: str = "value") -> View:
    return View(
        record="record",
        payload=payload,
        content=lambda record: record.raw["content"],
        fields=lambda _, record: {"topic": record.raw["id"]},
        keys=frozenset({"topic"}),
        mismatch=mismatch,
    )


def kept(pattern: Any, content: Any, mismatch: Mismatch = Mismatch.DROP) -> bool:
    one = record("orders")
    one.raw["content"] = content
    return keeper([compile_pattern(pattern)], view(mismatch), lambda _: {})(one)


DATA = {"value": {"a": [1]}}
TEXT = {"value": ["plain"]}
META = {"topic": ["orders"]}
OTHER = {"topic": ["clicks"]}
DROP, PASS = Mismatch.DROP, Mismatch.PASS


@pytest.mark.parametrize(
    ("content", "pattern", "mismatch", "result"),
    [
        (PLAIN, TEXT, DROP, True),
        ("other", TEXT, DROP, False),
        (PLAIN, META, DROP, True),
        (PLAIN, OTHER, DROP, False),
        (PLAIN, DATA, DROP, False),
        (PLAIN, {**DATA, **META}, DROP, False),
        (JSON, TEXT, DROP, False),
        (JSON, {"value": [{"exists": True}]}, DROP, False),
        (JSON, META, DROP, True),
        (JSON, DATA, DROP, True),
        ('{"a": 2}', DATA, DROP, False),
        (JSON, {**DATA, **OTHER}, DROP, False),
        (PLAIN, {"value": {"a": [{"exists": False}]}}, DROP, False),
        (b"\xff", TEXT, DROP, False),
        (b"\xff", DATA, DROP, False),
        (b"\xff", META, DROP, True),
        (None, DATA, DROP, False),
        (None, META, DROP, True),
        (PLAIN, TEXT, PASS, True),
        ("other", TEXT, PASS, False),
        (PLAIN, DATA, PASS, True),
        (PLAIN, {**DATA, **META}, PASS, True),
        (PLAIN, {**DATA, **OTHER}, PASS, False),
        (JSON, TEXT, PASS, True),
        (JSON, {**TEXT, **OTHER}, PASS, False),
        (JSON, DATA, PASS, True),
        ('{"a": 2}', DATA, PASS, False),
        (b"\xff", {**DATA, **META}, PASS, True),
        (b"\xff", {**DATA, **OTHER}, PASS, False),
        (b'{"a": 1}', DATA, PASS, True),
        ({"a": 1}, DATA, DROP, True),
        (JSON, {"value.a": [1]}, DROP, True),
        (JSON, {"value": ["x"], "value.a": [1]}, DROP, False),
        (PLAIN, {"$or": [TEXT, DATA]}, DROP, True),
        (JSON, {"$or": [TEXT, DATA]}, DROP, True),
        (BROKEN, {"$or": [TEXT, DATA]}, DROP, False),
    ],
)
def test_the_format_table(content, pattern, mismatch, result):
    """AWS's tables of SQS, streams and Kafka (drop and pass). Catches: a row read the other way, and F157."""
    assert kept(pattern, content, mismatch) is result


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("{}", Format.JSON),
        (" \n[1]", Format.JSON),
        (b"{}", Format.JSON),
        ({}, Format.JSON),
        (r'{"a": "\ud800"}', Format.JSON),
        ('{"a": "\ud800"}', Format.JSON),
        ('{"a": 1e400}', Format.JSON),
        ("123", Format.PLAIN),
        ('"text"', Format.PLAIN),
        ("null", Format.PLAIN),
        ("", Format.PLAIN),
        (BROKEN, Format.PLAIN),
        ('{"a": NaN}', Format.PLAIN),
        ('{"a": 1} x', Format.PLAIN),
        ("[" * 200_000, Format.PLAIN),
        ("[" * 200_000 + "]" * 200_000, Format.PLAIN),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, Format.PLAIN),
        ("\ufeff{}", Format.PLAIN),
        (b"\xff{}", Format.OTHER),
        (None, Format.OTHER),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_what_counts_as_json(content, form, exact):
    """An object or an array. Catches: a bare number taken for JSON, a parser's exception, another word by parser."""
    found, value = read_payload(content, exact=exact)
    assert found is form
    if form is Format.PLAIN:
        assert value == content


def test_a_number_is_compared_by_its_text_where_a_double_cannot_hold_it():
    """Through the plain parser too, which has only doubles. Catches: no second parse."""
    wanted = {"value": {"a": [{"numeric": ["=", 0.1]}]}}
    assert kept(wanted, '{"a": 0.1}')
    assert not kept(wanted, '{"a": 0.1000000000000000055511151231257827}')
    assert kept('{"value":{"a":[12345678901234567890]}}', '{"a": 12345678901234567890}')
    assert not kept('{"value":{"a":[12345678901234567890]}}', '{"a": 12345678901234567891}')
    assert not kept({"value": {"a": [{"numeric": [">=", 0]}]}}, '{"a": 1e-400}')


def test_a_payload_is_read_once_for_all_filters():
    """And not at all when no pattern names it."""
    reads = []

    def content(one: Record) -> str:
        reads.append(one.id)
        return JSON

    counting = View(record="r", payload="value", content=content, fields=lambda *_: {"topic": "t"}, keys=frozenset())
    data = [compile_pattern({"value": {"a": [n]}}) for n in range(5)]
    assert not keeper(data[2:], counting, lambda _: {})(record("x"))
    assert reads == ["x"]
    assert keeper([compile_pattern({"topic": ["t"]})], counting, lambda _: {})(record("y"))
    assert reads == ["x"]


def test_filters_are_ored_and_none_takes_all():
    patterns = [compile_pattern({"value": {"a": [n]}}) for n in (2, 1)]
    one = record("x")
    one.raw["content"] = JSON
    assert keeper(patterns, view(DROP), lambda _: {})(one)
    assert keeper([], view(DROP), lambda _: {})(one)


def test_an_sqs_message_is_matched_as_it_stands_in_the_event():
    message = {
        "MessageId": "id",
        "ReceiptHandle": "handle",
        "Body": '{"total": 5}',
        "Attributes": {"SenderId": "me"},
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "big"}},
    }

    def shown(some: Any) -> Any:
        return render(some, arn="arn:aws:sqs:eu-central-1:000000000000:q", region="eu-central-1", windowed=False)

    def matches(pattern: Any) -> bool:
        return keeper([compile_pattern(pattern)], VIEW, shown)(Record("id", message, 0.0, 100))

    assert matches({"body": {"total": [{"numeric": [">", 4]}]}})
    assert matches({"messageAttributes": {"kind": {"stringValue": ["big"], "dataType": ["String"]}}})
    assert matches({"attributes": {"SenderId": ["me"]}, "body": {"total": [5]}})
    assert matches({"messageId": ["id"], "awsRegion": [{"prefix": "eu-"}], "eventSource": ["aws:sqs"]})
    assert not matches({"body": ['{"total": 5}']})
    assert not matches({"Body": {"total": [5]}})
    assert message["Body"] == '{"total": 5}'
    patterns = compile_pattern({"Body": [1], "body": [1], "messageId": [1]})
    assert VIEW.unknown(patterns) == ["Body"]
