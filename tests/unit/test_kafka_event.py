"""Kafka messages as Lambda shows them: records, the event, what filters see, what an answer names."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.consumer.fetcher import ConsumerRecord

from headrace.filters import compile_pattern, keeper
from headrace.model import Record
from headrace_connectors.kafka.event import VIEW, identify, key_text, records, render
from headrace_connectors.kafka.message import Message, PlainMessage

SERVERS = "b-2.c.kafka:9092,b-1.c.kafka:9092"
shape = partial(render, bootstrap_servers=SERVERS)
made = partial(records, received=77.5)


def message(**fields: Any) -> PlainMessage:
    whole: dict[str, Any] = {
        "topic": "my-topic",
        "partition": 0,
        "offset": 15,
        "timestamp": 1545084650987,
        "timestamp_type": 0,
        "key": b"k1",
        "value": b"Hello",
        "headers": [],
    }
    return PlainMessage(**{**whole, **fields})


def one(**fields: Any) -> Record:
    (record,) = made([message(**fields)])
    return record


def shown(**fields: Any) -> dict[str, Any]:
    ((only,),) = shape([one(**fields)])["records"].values()
    return dict(only)


def test_the_event_is_the_guides_and_in_its_order() -> None:
    """lambda-semantics 3.4. Mutations: a list of servers; `Records`; unsigned header bytes; offsets as texts."""
    headers = [("h", "ë".encode()), ("h", b"header"), ("none", None), ("empty", b"")]
    assert json.dumps(shape(made([message(headers=headers), message(offset=16, timestamp_type=1)]))) == json.dumps(
        {
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": SERVERS,
            "records": {
                "my-topic-0": [
                    {
                        "topic": "my-topic",
                        "partition": 0,
                        "offset": 15,
                        "timestamp": 1545084650987,
                        "timestampType": "CREATE_TIME",
                        "key": "azE=",
                        "value": "SGVsbG8=",
                        "headers": [
                            {"h": [-61, -85]},
                            {"h": [104, 101, 97, 100, 101, 114]},
                            {"none": []},
                            {"empty": []},
                        ],
                    },
                    {
                        "topic": "my-topic",
                        "partition": 0,
                        "offset": 16,
                        "timestamp": 1545084650987,
                        "timestampType": "LOG_APPEND_TIME",
                        "key": "azE=",
                        "value": "SGVsbG8=",
                        "headers": [],
                    },
                ]
            },
        }
    )


def test_what_is_null_and_what_is_empty_differ() -> None:
    """Mutations: a null key as null; a tombstone left out, or as an empty text; an empty key as none."""
    assert "key" not in shown(key=None)
    assert list(shown(key=None)) == [name for name in shown() if name != "key"]
    assert shown(value=None)["value"] is None
    assert shown(key=None, value=None)["value"] is None
    assert (shown(key=b"")["key"], shown(value=b"")["value"]) == ("", "")


@pytest.mark.parametrize("keyed", [b"k", None])
def test_a_message_of_kafkas_oldest_formats_has_no_timestamp(keyed: bytes | None) -> None:
    """Mutations: a table without None, which fails the batch; an age since 1970, which expires it at once."""
    for time, kind in ((None, None), (-1, -1), (0, 0)):
        record = one(key=keyed, timestamp=time, timestamp_type=kind)
        assert record.at == 77.5
        ((only,),) = shape([record])["records"].values()
        assert only["timestamp"] == time
        assert only["timestampType"] == ("CREATE_TIME" if kind == 0 else "NO_TIMESTAMP_TYPE")


def test_kafka_pythons_own_record_is_a_message_as_it_is() -> None:
    """Mutation: a field renamed here, or there."""
    theirs = ConsumerRecord("my-topic", 0, 3, 15, 1545084650987, 0, b"k1", b"Hello", [("h", b"v")], None, 2, 5, 2)
    ours = message(headers=[("h", b"v")])
    assert {name for name in vars(Message) if not name.startswith("_")} == set(PlainMessage._fields)
    assert shape(made([theirs])) == shape(made([ours]))


def test_the_record_is_named_by_partition_and_offset() -> None:
    """Mutations: an id of the offset alone; a time in milliseconds; ids and keys that differ when asked for again."""
    record = one()
    assert (record.id, record.token, record.at, record.attempt) == ("my-topic-0:15", "15", 1545084650.987, 0)
    assert (record.until, record.number, record.key) == (math.inf, 0, "k1")
    assert record.id is record.id
    assert repr(record) == "<Record my-topic-0:15>"
    assert record.raw == message()
    with pytest.raises(AttributeError):
        record.nothing  # noqa: B018 - asked for on purpose


def test_every_key_has_a_text_of_its_own() -> None:
    """It orders. Mutation: what is not UTF-8 replaced, so that two keys become one."""
    keys = [b"", b"k", b"\xff", b"\xfe", "é".encode(), "�".encode(), b"\x00"]
    assert len({key_text(key) for key in keys}) == len(keys)
    assert (key_text(None), key_text(b"k-1")) == (None, "k-1")


def test_an_event_is_fresh_at_every_call() -> None:
    """Mutation: the headers' lists, or the records' dicts, kept with the record."""
    record = one(headers=[("h", b"v")])
    event = shape([record])
    event["records"]["my-topic-0"][0]["headers"][0]["h"].clear()
    event["records"]["my-topic-0"].append({})
    ((only,),) = shape([record])["records"].values()
    assert only["headers"] == [{"h": [118]}]


def test_no_records_are_an_event_without_any() -> None:
    assert made([]) == []
    assert shape([]) == {"eventSource": "SelfManagedKafka", "bootstrapServers": SERVERS, "records": {}}


PAST = 9_223_372_036_854_775_807


@example(key=None, value=b"x" * 9_000, headers=[], offset=PAST, time=PAST)
@example(key=b"x" * 9_000, value=None, headers=[], offset=PAST, time=PAST)
@example(key=None, value=None, headers=[("\x01" * 90, b"\x80" * 90)], offset=PAST, time=PAST)
@given(
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=20)), max_size=4),
    offset=st.integers(0, PAST),
    time=st.none() | st.integers(-1, PAST),
)
def test_the_size_is_an_upper_bound_and_without_headers_a_near_one(key, value, headers, offset, time) -> None:
    """Mutations: base64 forgotten, or headers; a header's name by characters; a topic left out."""
    headers = [(name.encode("utf-8", "replace").decode(), content) for name, content in headers]
    fields = {"topic": "t" * 249, "partition": 2**31 - 1, "key": key, "value": value, "headers": headers}
    record = one(**fields, offset=offset, timestamp=time, timestamp_type=None)
    ((only,),) = shape([record])["records"].values()
    taken = len(orjson.dumps(only)) + 1
    assert taken <= record.size
    if not headers:
        assert record.size <= taken + 60


@pytest.mark.parametrize(
    ("identifier", "means"),
    [
        ({"partition": "my-topic-0", "offset": 15}, "my-topic-0:15"),
        ({"partition": "my-topic-0", "offset": "15"}, None),
        ({"partition": "my-topic-0", "offset": 15.0}, None),
        ({"partition": "my-topic-0", "offset": True}, None),
        ({"partition": 0, "offset": 15}, None),
        ({"partition": "my-topic-0"}, None),
        ({"partition": "my-topic-0", "offset": 15, "topic": "my-topic"}, None),
        ("my-topic-0:15", None),
        ([], None),
        (None, None),
    ],
)
def test_an_answer_names_a_record_by_an_object(identifier: object, means: str | None) -> None:
    """lambda-semantics 4.1. Mutations: a bool taken for a number; our own id taken for an identifier."""
    assert identify(identifier) == means


def wanted(pattern: dict[str, Any], **fields: Any) -> bool:
    return keeper([compile_pattern(pattern)], VIEW, shape)(one(**fields))


def test_filters_see_the_value_decoded_and_the_metadata_of_the_event() -> None:
    """Mutations: the value matched as base64; the metadata looked for below the partition's name."""
    assert wanted({"value": {"n": [1]}}, value=b'{"n": 1}')
    assert not wanted({"value": {"n": [2]}}, value=b'{"n": 1}')
    assert wanted({"topic": ["my-topic"], "partition": [0], "offset": [{"numeric": [">", 14]}]})
    assert not wanted({"topic": ["other"]})
    assert wanted({"timestampType": ["CREATE_TIME"], "timestamp": [1545084650987], "key": ["azE="]})
    assert wanted({"headers": {"h": [118]}}, headers=[("h", b"v")])
    assert wanted({"key": [{"exists": False}]}, key=None)
    assert not wanted({"key": [{"exists": False}]})
    assert VIEW.unknown(compile_pattern({"records": {"my-topic-0": {"topic": ["my-topic"]}}})) == ["records"]
    assert VIEW.keys == set(shown()) - {"value"}


DATA, TEXT, META, OTHER = {"value": {"n": [1]}}, {"value": ["plain"]}, {"partition": [0]}, {"partition": [9]}


@pytest.mark.parametrize(
    ("value", "pattern", "result"),
    [
        (b"plain", TEXT, True),
        (b"another", TEXT, False),
        (b"plain", META, True),
        (b"plain", OTHER, False),
        (b"plain", DATA, True),
        (b"plain", {**DATA, **META}, True),
        (b"plain", {**DATA, **OTHER}, False),
        (b'{"n": 1}', TEXT, True),
        (b'{"n": 1}', {**TEXT, **META}, True),
        (b'{"n": 1}', {**TEXT, **OTHER}, False),
        (b'{"n": 1}', DATA, True),
        (b'{"n": 2}', DATA, False),
        (b'{"n": 1}', {**DATA, **OTHER}, False),
        (b'{"n": 1}', META, True),
        (b"\xff", DATA, True),
        (b"\xff", TEXT, True),
        (b"\xff", META, True),
        (b"\xff", {**DATA, **OTHER}, False),
        (b"\xff", {**TEXT, **OTHER}, False),
        (None, DATA, True),
        (None, TEXT, True),
        (None, {**DATA, **OTHER}, False),
    ],
)
def test_another_format_than_the_patterns_leaves_the_metadata_to_decide(value, pattern, result) -> None:
    """Every row of Kafka's table, lambda-semantics 7.4. Mutation: a mismatch that drops, as SQS and streams have it."""
    assert wanted(pattern, value=value) is result
