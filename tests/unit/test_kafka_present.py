"""Kafka messages in other sources' shapes, against the same records through those sources' own connectors."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from headrace.filters import compile_pattern, keeper
from headrace.model import Record, Unreadable
from headrace_connectors.dynamodb import event as dynamodb
from headrace_connectors.dynamodb.origin import origin as dynamodb_origin
from headrace_connectors.kafka.event import KafkaRecord, render
from headrace_connectors.kafka.event import records as kafka_records
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.present.shape import Around, Shape
from headrace_connectors.kafka.present.shapes import SHAPES, VIEWS
from headrace_connectors.kinesis import event as kinesis
from headrace_connectors.kinesis.origin import origin as kinesis_origin
from headrace_connectors.sqs import event as sqs
from headrace_connectors.sqs.digests import of_attributes
from headrace_connectors.sqs.origin import origin as sqs_origin

REGION, NAME, SERVERS = "us-east-1", "orders", "b-1:9092"
TIME = 1_732_550_000_123
QUEUE = f"arn:aws:sqs:{REGION}:000000000000:{NAME}"
STREAM = f"arn:aws:kinesis:{REGION}:000000000000:stream/{NAME}"
TABLE = f"arn:aws:dynamodb:{REGION}:000000000000:table/{NAME}/stream/2020-01-01T00:00:00.000"


def shape(word: str, **more: Any) -> Shape:
    return SHAPES[word](Around(**{"name": NAME, "bootstrap_servers": SERVERS, **more}))


def message(value: bytes | None = b"Hello", offset: int = 15, **fields: Any) -> PlainMessage:
    whole: dict[str, Any] = {"partition": 3, "timestamp": TIME, "key": b"k1", "headers": [], **fields}
    return PlainMessage(topic="testbed.orders", offset=offset, timestamp_type=0, value=value, **whole)


def records(word: str, *messages: PlainMessage, **more: Any) -> list[Record]:
    return list(shape(word, **more).records(messages, received=77.0))


def one(word: str, *messages: PlainMessage, **more: Any) -> dict[str, Any]:
    made = shape(word, **more)
    event = made.render(made.records(messages, received=77.0))
    assert list(event) == ["Records"]
    (only,) = event["Records"]
    return dict(only)


def differing(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The paths at which two events differ: in a value, a type, the keys or their order."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            yield f"{path} keys {list(ours)} {list(theirs)}"
        for key in ours.keys() & theirs.keys():
            yield from differing(ours[key], theirs[key], f"{path}.{key}".removeprefix("."))
    elif ours != theirs or type(ours) is not type(theirs):
        yield path


HEADERS = [("tenant", b"old"), ("tenant", "größe".encode()), ("raw", b"\xff\x00"), ("none", None), ("empty", b"")]
ATTRIBUTES: dict[str, Any] = {
    "tenant": {"StringValue": "größe", "DataType": "String"},
    "raw": {"BinaryValue": b"\xff\x00", "DataType": "Binary"},
    "empty": {"StringValue": "", "DataType": "String"},
}
ONLY_OURS = {"messageId", "receiptHandle", "attributes.SenderId", "attributes.ApproximateFirstReceiveTimestamp"}
"""What differs between a message of a queue and the same through Kafka."""


def received(body: str, attributes: dict[str, Any], **more: str) -> dict[str, Any]:
    """The same data as SQS's own ReceiveMessage gives it."""
    return {
        "MessageId": "0d5a",
        "ReceiptHandle": "AQEB",
        "Body": body,
        "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(TIME),
            **{key: value for key, value in more.items() if key != "MessageDeduplicationId"},
            "SenderId": "AIDA",
            **{key: value for key, value in more.items() if key == "MessageDeduplicationId"},
            "ApproximateFirstReceiveTimestamp": str(TIME + 10),
        },
        **(
            {"MessageAttributes": attributes, "MD5OfMessageAttributes": of_attributes(attributes)} if attributes else {}
        ),
    }


@pytest.mark.parametrize("windowed", [True, False])
@pytest.mark.parametrize(("headers", "attributes"), [([], {}), (HEADERS, ATTRIBUTES)])
def test_as_an_sqs_message_field_by_field(windowed, headers, attributes) -> None:
    """Mutations: the body re-serialised; a header's first value; seconds; null attributes; the window forgotten."""
    body = '{"total":  5, "ü": 1}'
    theirs = sqs.render(
        sqs.records([received(body, attributes)], None, math.inf), arn=QUEUE, region=REGION, windowed=windowed
    )
    ours = one("sqs", message(body.encode(), headers=headers), windowed=windowed)
    assert set(differing(ours, theirs["Records"][0])) == ONLY_OURS


def test_as_a_fifo_queues_message() -> None:
    """Mutations: no group without a key; the group after the sender; a number that falls with the offset."""
    more = {"SequenceNumber": "18849496460467696128", "MessageGroupId": "k1", "MessageDeduplicationId": "d"}
    raw = received("x", {}, **more)
    fifo = f"{QUEUE}.fifo"
    theirs = sqs.render(sqs.records([raw], None, math.inf), arn=fifo, region=REGION, windowed=False)
    ours = one("sqs", message(b"x"), name=f"{NAME}.fifo")
    only_fifo = {"attributes.SequenceNumber", "attributes.MessageDeduplicationId"}
    assert set(differing(ours, theirs["Records"][0])) == ONLY_OURS | only_fifo
    with_key, without = records("sqs", message(), message(key=None, offset=16), name=f"{NAME}.fifo")
    assert (with_key.key, without.key) == ("k1", "testbed.orders-3")
    numbers = [one.raw["Attributes"]["SequenceNumber"] for one in (with_key, without)]
    assert ([len(number) for number in numbers], sorted(numbers)) == ([20, 20], numbers)
    assert records("sqs", message())[0].key is None, "a standard queue has no groups"


@pytest.mark.parametrize("value", [b"Hello", b"", b"\xff\x00", None])
def test_as_a_kinesis_record_field_by_field(value: bytes | None) -> None:
    """Mutations: milliseconds; data in hex; the partition key in base64; a shard of its own numbering."""
    raw = {
        "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "ApproximateArrivalTimestamp": TIME / 1000,
        "Data": base64.b64encode(value or b"").decode(),
        "PartitionKey": "k1",
    }
    page = kinesis.records([raw], shard="shardId-000000000003", arn=STREAM, region=REGION)
    (theirs,) = kinesis.render(page, arn=STREAM, region=REGION)["Records"]
    ours = one("kinesis", message(value))
    assert set(differing(ours, theirs)) == {"kinesis.sequenceNumber", "eventID"}
    assert ours["eventID"] == f"shardId-000000000003:{ours['kinesis']['sequenceNumber']}"


@pytest.mark.parametrize(
    ("key", "shown"), [(b"k1", "k1"), ("ü".encode(), "ü"), (b"", ""), (b"\xff", "/w=="), (None, "15")]
)
def test_the_partition_key_is_the_key(key: bytes | None, shown: str) -> None:
    """Mutations: one for all that have none, which would order them; an error for what is no text."""
    assert one("kinesis", message(key=key))["kinesis"]["partitionKey"] == shown


def test_sequence_numbers_grow_with_the_offset_and_are_of_one_partition() -> None:
    """Mutations: as texts of unequal length, 9 above 10; two partitions with the same numbers."""
    some = [
        records(word, message(CHANGE, offset, partition=partition))[0].id
        for word in ("kinesis", "dynamodb")
        for partition in (0, 3)
        for offset in (0, 9, 10, 2**63 - 1)
    ]
    assert len(set(some)) == 16
    for start in range(0, 16, 4):
        four = some[start : start + 4]
        assert sorted(four) == sorted(four, key=int) == four
    assert [len(number) for number in some] == [56] * 8 + [31] * 8


IMAGES: dict[str, Any] = {
    "ApproximateCreationDateTime": 1732550000,
    "Keys": {"pk": {"S": "x"}, "sk": {"N": "1"}},
    "NewImage": {"pk": {"S": "x"}, "b": {"B": "AP8="}, "l": {"L": [{"M": {"deep": {"NULL": True}}}]}},
    "SequenceNumber": "4421584500000000017450439091",
    "SizeBytes": 59,
    "StreamViewType": "NEW_IMAGE",
}
RECORD = {"eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": "INSERT", "dynamodb": IMAGES}
CHANGE = json.dumps(RECORD).encode()
TTL = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


@pytest.mark.parametrize("more", [{}, {"eventName": "REMOVE", "userIdentity": TTL}])
def test_as_a_dynamodb_stream_record_field_by_field(more: dict[str, Any]) -> None:
    """Mutations: the value's own ids, of which a topic may hold two; sizes of the JSON; the identity left out."""
    record = {**RECORD, **more}
    raw = {"awsRegion": REGION, "eventSource": "aws:dynamodb", "eventVersion": "1.0", **record}
    (theirs,) = dynamodb.render(dynamodb.records([raw], arn=TABLE, region=REGION))["Records"]
    ours = one("dynamodb", message(json.dumps(record).encode()))
    assert set(differing(ours, theirs)) == {"eventID", "dynamodb.SequenceNumber"}
    assert UUID(ours["eventID"]).hex == ours["eventID"]


@pytest.mark.parametrize(
    ("images", "name", "view"),
    [
        (["NewImage"], "INSERT", "NEW_IMAGE"),
        (["OldImage"], "REMOVE", "OLD_IMAGE"),
        (["NewImage", "OldImage"], "MODIFY", "NEW_AND_OLD_IMAGES"),
    ],
)
def test_of_a_change_alone_the_images_say_what_happened(images: list[str], name: str, view: str) -> None:
    """Mutations: a modification as an insertion; whole seconds with a fraction; a size of nothing."""
    value = json.dumps({"Keys": {"pk": {"S": "x"}}, **{image: {"pk": {"S": "x"}} for image in images}}).encode()
    shown = one("dynamodb", message(value))
    assert (shown["eventName"], shown["dynamodb"]["StreamViewType"]) == (name, view)
    assert json.dumps(shown["dynamodb"]["ApproximateCreationDateTime"]) == "1732550000"
    assert shown["dynamodb"]["SizeBytes"] == len(value)
    assert list(shown["dynamodb"])[:2] == ["ApproximateCreationDateTime", "Keys"]
    with_keys_only = json.dumps({"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "x"}}}}).encode()
    assert one("dynamodb", message(with_keys_only))["dynamodb"]["StreamViewType"] == "KEYS_ONLY"


def test_a_time_that_no_calendar_has_is_not_taken_over() -> None:
    """It would end the failure record. Mutation: the value's own time, whatever it is."""
    for time in (-1, 1e12, True, "now", None):
        value = json.dumps({**RECORD, "dynamodb": {**IMAGES, "ApproximateCreationDateTime": time}}).encode()
        shown = one("dynamodb", message(value))
        assert shown["dynamodb"]["ApproximateCreationDateTime"] == 1732550000
    for word in ("sqs", "kinesis", "kafka"):
        assert records(word, message(timestamp=10**18))[0].at == 77.0


DEEP = b'{"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "x"}}, "NewImage": %s1%s}}'
NESTED = [DEEP % (b'{"M":' * levels, b"}" * levels) for levels in (30, 245, 250, 300, 5000)]


@pytest.mark.parametrize(
    ("word", "value", "why"),
    [
        ("sqs", None, "its value is null, a tombstone; a queue's message has a body"),
        ("sqs", b"ab\xff", "its value is no text in UTF-8, as a queue's body is: invalid start byte at byte 2"),
        ("dynamodb", None, "its value is null, a tombstone; a change of an item is JSON"),
        ("dynamodb", b"", "its value is no JSON"),
        ("dynamodb", b"\xff", "its value is no JSON"),
        ("dynamodb", b'{"Keys": {"a": {"S": "\\ud800"}}, "NewImage": {}}', "its value is no JSON"),
        ("dynamodb", b"[1]", "its value is JSON, but no object"),
        ("dynamodb", b"{}", "it has no Keys"),
        ("dynamodb", b'{"dynamodb": 1, "Keys": {"a": {"S": ""}}}', "its dynamodb is no object"),
        ("dynamodb", b'{"eventName": "INSERT", "dynamodb": {"Keys": []}}', "it has no Keys"),
        ("dynamodb", b'{"Keys": {"a": {"S": ""}}, "NewImage": null}', "its NewImage is no object"),
        ("dynamodb", b'{"Keys": {"a": {"S": ""}}}', "it has neither an eventName nor an image"),
        ("dynamodb", b'{"eventName": "DROP", "dynamodb": {"Keys": {"a": {}}}}', "its eventName is none of INSERT"),
        ("dynamodb", b'{"eventName": [], "dynamodb": {"Keys": {"a": {}}}}', "its eventName is none of INSERT"),
        ("dynamodb", NESTED[3], "its value nests deeper than any item of DynamoDB"),
        ("dynamodb", NESTED[4], "its value"),
    ],
)
def test_what_a_shape_cannot_show_says_why_and_the_others_are_shown(word: str, value: bytes | None, why: str) -> None:
    """Mutations: an exception, which would fail the page for ever; the record dropped; one that a render can read."""
    good = message(CHANGE)
    some = records(word, good, message(value, 16), message(CHANGE, 17))
    assert [one.token for one in some] == ["15", "16", "17"]
    bad = some[1]
    assert isinstance(bad, Unreadable)
    assert bad.why.startswith(why), bad.why
    assert (bad.id, bad.of, bad.key, bad.at) == ("testbed.orders-3:16", message(value, 16), "k1", TIME / 1000)
    with pytest.raises(Exception):  # noqa: B017 - any: it only must not pass
        shape(word).render(some)
    assert len(shape(word).render([some[0], some[2]])["Records"]) == 2


@pytest.mark.parametrize("value", NESTED)
def test_what_is_read_can_also_be_written(value: bytes) -> None:
    """orjson reads deeper than it writes. Mutation: no look at the depth: a batch that can never be rendered."""
    made = shape("dynamodb")
    some = made.records([message(value)], received=0.0)
    if not isinstance(some[0], Unreadable):
        orjson.dumps([made.render(some)])


IDS = {
    "kafka": "testbed.orders-3:15",
    "sqs": "99dab200-c114-5bb5-9f16-36ca114426eb",
    "kinesis": "49000000000300000000000000000000000000000000000000000015",
    "dynamodb": "1000000000300000000000000000015",
}
"""A promise: a record that comes again after an upgrade has the same."""


@pytest.mark.parametrize("word", ["kafka", "sqs", "kinesis", "dynamodb"])
def test_a_message_that_comes_again_is_the_same_record(word: str) -> None:
    """Mutations: an id of the time or of chance; the same for two messages; a token that is not the offset."""
    places = [(3, 15), (3, 16), (4, 15)]
    some = [records(word, message(CHANGE, offset, partition=partition))[0] for partition, offset in places]
    assert some[0].id == IDS[word]
    assert len({one.id for one in some}) == 3
    assert [one.token for one in some] == ["15", "16", "15"]
    first, again = (shape(word).render(records(word, message(CHANGE))) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("word", ["kafka", "sqs", "kinesis", "dynamodb"])
def test_an_event_is_fresh_and_no_larger_than_its_records_say(word: str) -> None:
    """Mutations: a dict that two attempts share; a size that forgets what rendering adds."""
    made = shape(word, windowed=True)
    some = made.records([message(CHANGE, headers=HEADERS)], received=0.0)
    event = made.render(some)
    before = orjson.dumps(event)
    assert len(before) - len(orjson.dumps({"Records": []})) <= some[0].size + 200
    (shown,) = event["Records"] if "Records" in event else event["records"]["testbed.orders-3"]
    assert len(orjson.dumps(shown)) <= some[0].size
    shown.clear()
    assert orjson.dumps(made.render(some)) == before


def wanted(word: str, pattern: dict[str, Any], value: bytes | None = CHANGE, **fields: Any) -> bool:
    made = shape(word)
    (record,) = made.records([message(value, **fields)], received=0.0)
    return keeper([compile_pattern(pattern)], made.view, made.render)(record)


def test_filters_see_the_shape_and_not_kafka() -> None:
    """Mutations: Kafka's view for all; its format table, which lets a mismatch pass, for a queue."""
    assert wanted("sqs", {"body": {"eventName": ["INSERT"]}})
    assert not wanted("sqs", {"body": {"eventName": ["INSERT"]}}, b"plain")
    assert wanted("sqs", {"messageAttributes": {"a": {"stringValue": ["b"]}}}, b"x", headers=[("a", b"b")])
    assert wanted("kinesis", {"data": {"eventName": ["INSERT"]}, "partitionKey": ["k1"]})
    assert not wanted("kinesis", {"data": {"eventName": ["INSERT"]}}, b"plain")
    assert wanted("dynamodb", {"dynamodb": {"NewImage": {"pk": {"S": ["x"]}}}, "eventName": ["INSERT"]})
    assert wanted("kafka", {"value": {"eventName": ["INSERT"]}})
    assert wanted("kafka", {"value": {"eventName": ["INSERT"]}}, b"plain")
    assert {word: shape(word).view for word in SHAPES} == dict(VIEWS)


def test_an_answer_names_records_as_the_shapes_source_does() -> None:
    """Mutation: Kafka's objects for all, or texts for Kafka."""
    place = {"partition": "testbed.orders-3", "offset": 15}
    assert shape("kafka").identify(place) == records("kafka", message())[0].id
    for word in ("sqs", "kinesis", "dynamodb"):
        (record,) = records(word, message(CHANGE))
        assert shape(word).identify(record.id) == record.id
        assert shape(word).identify(place) is None


def test_failure_records_are_those_of_the_shapes_source() -> None:
    """Mutations: offsets as sequence numbers; Kafka's block; the key of the message lost."""
    some = records("kinesis", message(), message(offset=16))
    told = shape("kinesis").origin(some)
    theirs = [Record(one.id, one.raw, one.at, one.size, one.key, one.id) for one in some]
    assert told.info == kinesis_origin("shardId-000000000003", theirs, arn=STREAM).info
    assert (told.block, told.info["endSequenceNumber"], told.key) == ("KinesisBatchInfo", some[1].id, None)

    some = records("dynamodb", message(CHANGE), message(CHANGE, 16))
    told = shape("dynamodb").origin(some)
    theirs = [Record(one.id, one.raw, one.at, one.size, one.key, one.id) for one in some]
    assert told.info == dynamodb_origin("shardId-000000000003", theirs).info
    assert (told.block, told.info["startSequenceNumber"]) == ("DDBStreamBatchInfo", some[0].id)

    some = records("sqs", message())
    told = shape("sqs").origin(some)
    assert told.info == sqs_origin(some[0], arn=QUEUE, region=REGION, windowed=False).info
    assert told.payload == shape("sqs").render(some)
    both = records("sqs", message(), message(offset=16))
    assert shape("sqs").origin(both).info == {"messageIds": [one.id for one in both], "queueArn": QUEUE}

    for word in SHAPES:
        assert shape(word).origin(records(word, message(CHANGE, key=b"\xff"))).key == b"\xff"


@pytest.mark.parametrize("word", ["sqs", "dynamodb"])
def test_what_cannot_be_shown_is_given_up_with_where_it_is_and_whole(word: str) -> None:
    """A destination's record is all that is left of it. Mutations: no payload; a shape's block, which has no place."""
    bad = records(word, message(b"\xff"), message(None, 16))
    for some in (bad, [*bad, *records(word, message(CHANGE, 17))]):
        told = shape(word).origin(some)
        (place,) = told.info["recordsInfo"].values()
        assert (told.block, place["firstRecordOffset"]) == ("KafkaBatchInfo", "15")
        assert told.payload is not None
        (shown,) = told.payload["records"].values()
        assert [one["value"] for one in shown[:2]] == ["/w==", None]
        assert len(shown) == len(some)


def test_kafkas_own_shape_is_kafkas_event() -> None:
    """Mutation: anything added on the way."""
    made = shape("kafka")
    some = made.records([message()], received=1.0)
    assert isinstance(some[0], KafkaRecord)
    assert made.render(some) == render(kafka_records([message()], received=1.0), bootstrap_servers=SERVERS)
    assert made.origin(some).payload is None
    for word in SHAPES:
        assert list(shape(word).records([], received=1.0)) == []
