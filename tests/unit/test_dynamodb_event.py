"""The event of a DynamoDB stream record, field by field as it was recorded on AWS (lambda-semantics 3.3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.filters import compile_pattern, keeper
from headrace.model import Record
from headrace_connectors.dynamodb.event import VIEW, render
from headrace_connectors.dynamodb.event import records as made
from headrace_connectors.dynamodb.origin import origin

ARN = "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/stream/2025-11-25T16:39:00.123"
WIRE: dict[str, Any] = {
    "s": {"S": "Grüße"},
    "n": {"N": "123456789012345678901234567890.5"},
    "b": {"B": "AP8="},
    "bool": {"BOOL": True},
    "null": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": ["AA==", "AQ=="]},
    "l": {"L": [{"B": "AP8="}, {"M": {"deep": {"BS": ["/w=="]}}}]},
    "m": {"M": {"B": {"B": "AA=="}, "S": {"S": ""}}},
}
"""Every type; an attribute whose name is that of a type; bytes deep inside."""

PARSED: dict[str, Any] = {
    **WIRE,
    "b": {"B": b"\x00\xff"},
    "bs": {"BS": [b"\x00", b"\x01"]},
    "l": {"L": [{"B": b"\x00\xff"}, {"M": {"deep": {"BS": [b"\xff"]}}}]},
    "m": {"M": {"B": {"B": b"\x00"}, "S": {"S": ""}}},
}


def sent(number: int = 1, item: dict[str, Any] | None = None, at: Any = 1732552798.0, **more: Any) -> dict[str, Any]:
    """A record as DynamoDB Streams send it, in an order of its own."""
    return {
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "SizeBytes": 59,
            "StreamViewType": "NEW_IMAGE",
            "SequenceNumber": f"{number}00000000000000000000",
            "NewImage": WIRE if item is None else item,
            "Keys": {"pk": {"S": "x"}, "sk": {"N": "1"}},
            "ApproximateCreationDateTime": at,
        },
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.0",
        **more,
    }


def one(record: dict[str, Any]) -> Record:
    (kept,) = made([record], arn=ARN, region="eu-central-1")
    return kept


def shown(record: dict[str, Any]) -> dict[str, Any]:
    event = render([one(record)])
    assert list(event) == ["Records"]
    (only,) = event["Records"]
    return dict(only)


def test_the_event_has_the_recorded_fields_in_their_order() -> None:
    """Catches: the server's own order or version, a stamp with a fraction, an ARN that is missing."""
    assert json.dumps(shown(sent())) == json.dumps(
        {
            "eventID": "c4ca4238a0b923820dcc509a6f75849b",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-central-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1732552798,
                "Keys": {"pk": {"S": "x"}, "sk": {"N": "1"}},
                "NewImage": WIRE,
                "SequenceNumber": "100000000000000000000",
                "SizeBytes": 59,
                "StreamViewType": "NEW_IMAGE",
            },
            "eventSourceARN": ARN,
        }
    )


def test_full_and_lean_answers_are_one_event() -> None:
    """botocore makes bytes and times of what it reads. Catches: bytes left in a nested list, a map, a set, a key."""
    full = sent(item=PARSED, at=datetime.fromtimestamp(1732552798, UTC))
    lean = sent(item=WIRE, at=1732552798)
    assert json.dumps(shown(full)) == json.dumps(shown(lean))
    full["dynamodb"]["Keys"] = {"pk": {"B": b"\x00\xff"}}
    lean["dynamodb"]["Keys"] = {"pk": {"B": "AP8="}}
    assert one(full).key == one(lean).key


@pytest.mark.parametrize("identity", [{"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, {}])
def test_a_deletion_by_time_to_live_says_who_did_it(identity: dict[str, str]) -> None:
    """On the wire its names have capitals; botocore drops what has not, and leaves it empty."""
    assert shown(sent(userIdentity=identity))["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }
    assert "userIdentity" not in shown(sent())


def test_a_handler_that_changes_its_event_changes_nothing_else() -> None:
    kept = one(sent())
    event = render([kept])
    event["Records"][0]["dynamodb"]["NewImage"]["l"]["L"].clear()
    event["Records"].clear()
    assert render([kept])["Records"][0]["dynamodb"]["NewImage"] == WIRE


def test_a_record_knows_its_position_age_and_item() -> None:
    """Catches: a key that depends on the order of its attributes, one that tells no type."""
    kept = one(sent(7))
    assert (kept.id, kept.token, kept.at) == ("700000000000000000000", "700000000000000000000", 1732552798)
    turned, typed = sent(8), sent(9)
    turned["dynamodb"]["Keys"] = {"sk": {"N": "1"}, "pk": {"S": "x"}}
    typed["dynamodb"]["Keys"] = {"pk": {"S": "x"}, "sk": {"S": "1"}}
    assert one(turned).key == kept.key
    assert one(typed).key != kept.key


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=200).map(lambda text: {"S": text}), max_size=4))
def test_the_size_is_an_upper_bound_of_the_bytes_in_the_event(item: dict[str, Any]) -> None:
    """Catches: SizeBytes taken for it, which knows neither escapes nor the names of types."""
    item = json.loads(json.dumps(item).encode("utf-8", "replace").decode())
    record = sent(item={k.encode("utf-8", "replace").decode(): _clean(v) for k, v in item.items()})
    assert len(json.dumps(shown(record), ensure_ascii=False, separators=(",", ":")).encode()) < one(record).size


def _clean(value: dict[str, str]) -> dict[str, str]:
    return {name: text.encode("utf-8", "replace").decode() for name, text in value.items()}


def test_a_failure_record_says_whole_seconds() -> None:
    """lambda-semantics 6.2. Catches: Kinesis's milliseconds."""
    said = origin("shardId-1", made([sent(1), sent(2, at=1732552800)], arn=ARN, region="r"))
    assert (said.block, said.payload) == ("DDBStreamBatchInfo", None)
    assert said.info == {
        "shardId": "shardId-1",
        "startSequenceNumber": "100000000000000000000",
        "endSequenceNumber": "200000000000000000000",
        "approximateArrivalOfFirstRecord": "2024-11-25T16:39:58Z",
        "approximateArrivalOfLastRecord": "2024-11-25T16:40:00Z",
        "batchSize": 2,
        "streamArn": ARN,
    }


def item(**attributes: dict[str, Any]) -> dict[str, Any]:
    return sent(item=attributes)


def wants(pattern: dict[str, Any], record: dict[str, Any]) -> bool:
    return keeper([compile_pattern(pattern)], VIEW, render)(one(record))


IN_IMAGE: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"k": {"S": ["v"]}}, item(k={"S": "v"}), True),
    ({"k": {"S": ["v"]}}, item(k={"S": "w"}), False),
    ({"k": ["v"]}, item(k={"S": "v"}), False),
    ({"k": {"S": [{"exists": True}]}}, item(k={"S": "v"}), True),
    ({"k": [{"exists": True}]}, item(k={"S": "v"}), False),
    ({"k": [{"exists": False}]}, item(other={"S": "v"}), True),
    ({"k": [{"exists": False}]}, item(k={"S": "v"}), True),
    ({"n": {"N": [{"numeric": [">", 100]}, {"anything-but": "101"}]}}, item(n={"N": "42"}), True),
    ({"n": {"N": [{"numeric": [">", 100]}, {"anything-but": "101"}]}}, item(n={"N": "101"}), False),
    ({"n": {"N": [{"numeric": [">", 100]}]}}, item(n={"N": "101"}), False),
    ({"b": {"BOOL": [True]}}, item(b={"BOOL": True}), True),
]


@pytest.mark.parametrize(("pattern", "record", "kept"), IN_IMAGE)
def test_filters_see_typed_values(pattern: dict[str, Any], record: dict[str, Any], kept: bool) -> None:
    """The recorded edge cases (lambda-semantics 7.6): type descriptors count, an attribute's name is no leaf."""
    assert wants({"dynamodb": {"NewImage": pattern}}, record) is kept


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"eventName": ["INSERT"], "dynamodb": {"Keys": {"pk": {"S": ["x"]}}}}, True),
        ({"eventName": ["INSERT"], "dynamodb": {"Keys": {"pk": {"S": ["y"]}}}}, False),
        ({"eventSourceARN": [{"prefix": "arn:aws:dynamodb:"}]}, True),
        ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}}, True),
        ({"userIdentity": {"type": ["Service"]}}, False),
    ],
)
def test_filters_see_the_rest_of_the_record(pattern: dict[str, Any], kept: bool) -> None:
    assert wants(pattern, sent()) is kept


def test_a_filter_changes_no_record() -> None:
    kept = one(sent())
    before = json.dumps(kept.raw)
    keeper([compile_pattern({"eventName": ["INSERT"], "dynamodb": {"SizeBytes": [59]}})], VIEW, render)(kept)
    assert json.dumps(kept.raw) == before
