"""What a line of JSON is to a mapping's topic; and an event that is sent comes out as it was."""

from __future__ import annotations

import base64
import json

import pytest

from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.present.shape import Around
from headrace_connectors.kafka.present.shapes import SHAPES
from headrace_connectors.testbed.feed import Feed, Keys, UnfitError, feeds, generated

NONE = Keys()
CHANGE = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "a"}}, "NewImage": {"id": {"S": "a"}}}}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('{"a": 1}', b'{"a":1}'),
        ('"plain text"', b"plain text"),
        ("[1, 2]", b"[1,2]"),
        ("5", b"5"),
        ('"é"', "é".encode()),
    ],
)
@pytest.mark.parametrize("shape", ["sqs", "kinesis", "kafka"])
def test_a_line_is_the_body_or_the_data(line, value, shape) -> None:
    assert feeds(line, shape, NONE) == [Feed(value)]


def test_keys_are_one_text_or_a_field_of_the_line() -> None:
    assert feeds('{"c": "ann"}', "sqs", Keys(text="g"))[0].key == b"g"
    assert feeds('{"c": "ann"}', "sqs", Keys(field="c"))[0].key == b"ann"
    assert feeds('{"c": 7}', "kinesis", Keys(field="c"))[0].key == b"7"
    for line in ('{"d": 1}', '"text"'):
        with pytest.raises(UnfitError, match="no field 'c'"):
            feeds(line, "sqs", Keys(field="c"))


def test_a_change_has_the_key_of_its_item_whatever_the_order_of_its_attributes() -> None:
    first, second = (
        feeds(json.dumps({"dynamodb": {"Keys": dict(pairs)}}), "dynamodb", NONE)[0].key
        for pairs in ([("a", {"S": "1"}), ("b", {"N": "2"})], [("b", {"N": "2"}), ("a", {"S": "1"})])
    )
    assert first == second


@pytest.mark.parametrize(
    ("line", "shape", "why"),
    [
        ("{", "sqs", "is no JSON"),
        ('{"id": 1}', "dynamodb", "no change of a table"),
        (json.dumps({"Records": [CHANGE]}), "sqs", "not one of sqs"),
        (json.dumps({"Records": [{"body": "x"}]}), "kinesis", "not one of kinesis"),
        (json.dumps({"Records": [{"body": "x"}]}), "dynamodb", "no change of a table"),
        (json.dumps({"records": {"t-0": [{}]}}), "kafka", "not one of kafka"),
        (json.dumps({"Records": [{"kinesis": {"data": "*", "partitionKey": "a"}}]}), "kinesis", "not one of kinesis"),
    ],
)
def test_what_cannot_be_sent_says_why(line, shape, why) -> None:
    with pytest.raises(UnfitError, match=why):
        feeds(line, shape, NONE)


def shown(shape, feed, name="orders") -> dict:
    message = PlainMessage("testbed.m", 0, 5, 1_700_000_000_000, 0, feed.key, feed.value, list(feed.headers))
    made = SHAPES[shape](Around(name=name, bootstrap_servers="h:1"))
    return made.render(made.records([message], received=0.0))


def test_a_queues_event_comes_out_as_it_was_sent() -> None:
    record = {
        "body": '{ "kept":  "as it is" }',
        "attributes": {"MessageGroupId": "ann"},
        "messageAttributes": {
            "colour": {"stringValue": "red", "dataType": "String"},
            "bytes": {"binaryValue": base64.b64encode(b"\xff").decode(), "dataType": "Binary"},
        },
    }
    (feed,) = feeds(json.dumps({"Records": [record]}), "sqs", Keys(text="unused"))
    (found,) = shown("sqs", feed, "orders.fifo")["Records"]
    assert found["body"] == record["body"]
    assert found["attributes"]["MessageGroupId"] == "ann"
    assert found["messageAttributes"]["colour"]["stringValue"] == "red"
    assert found["messageAttributes"]["bytes"]["binaryValue"] == record["messageAttributes"]["bytes"]["binaryValue"]


def test_a_streams_event_comes_out_as_it_was_sent() -> None:
    record = {"kinesis": {"data": base64.b64encode(b"\x00\xff").decode(), "partitionKey": "ann"}}
    (feed,) = feeds(json.dumps({"Records": [record]}), "kinesis", NONE)
    (found,) = shown("kinesis", feed)["Records"]
    assert (found["kinesis"]["data"], found["kinesis"]["partitionKey"]) == (record["kinesis"]["data"], "ann")
    (feed,) = feeds(json.dumps({"Records": [CHANGE]}), "dynamodb", NONE)
    (found,) = shown("dynamodb", feed)["Records"]
    assert found["eventName"] == "INSERT"
    assert found["dynamodb"]["NewImage"] == CHANGE["dynamodb"]["NewImage"]


@pytest.mark.parametrize("key", [None, b"k"])
def test_a_kafka_event_comes_out_as_it_was_sent(key) -> None:
    event = shown("kafka", Feed(b"\xff\x00", key, (("h", b"\x80\x7f"),)))
    (feed,) = feeds(json.dumps(event), "kafka", NONE)
    assert feed == Feed(b"\xff\x00", key, (("h", b"\x80\x7f"),))


@pytest.mark.parametrize("shape", ["sqs", "kinesis", "kafka", "dynamodb"])
def test_made_up_events_are_events_with_ten_keys(shape) -> None:
    made = [generated(number, shape) for number in range(25)]
    assert len({one.key for one in made}) == 10
    assert len({one.value for one in made}) == 25
    assert shown(shape, made[0])
