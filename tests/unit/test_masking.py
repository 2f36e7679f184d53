"""*** in the place of what paths name: each shape of payload keeps all else as it was; and texts that quote it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from headrace.masking import Mask, Secrets, read_path
from headrace_connectors.dynamodb.event import masked as dynamodb_masked
from headrace_connectors.kafka.event import masked as kafka_masked
from headrace_connectors.kinesis.event import masked as kinesis_masked
from headrace_connectors.sqs.event import masked as sqs_masked
from support.planted import SOURCES
from support.traces import exposes


def mask(*paths: str) -> Mask:
    return Mask([read_path(one) for one in paths])


@pytest.mark.parametrize(
    ("paths", "body", "expected"),
    [
        ("a.b", ' {"a" : {"b":\t"x", "n": 1.10 }, "z": 1E5} ', ' {"a" : {"b":\t"***", "n": 1.10 }, "z": 1E5} '),
        ("a", '{"a": {"b": [1, 2]}, "é": "\\u00e9\\/"}', '{"a": "***", "é": "\\u00e9\\/"}'),
        ("a", '{"\\u0061": 1, "a": 2}', '{"\\u0061": "***", "a": "***"}'),
        (
            "a.b",
            '{"a": [{"b": 1}, [{"b": 2, "c": 3}], {"c": 4}]}',
            '{"a": [{"b": "***"}, [{"b": "***", "c": 3}], {"c": 4}]}',
        ),
        ("a.*.b", '{"a": {"x": {"b": 1}, "y": "z"}}', '{"a": {"x": {"b": "***"}, "y": "z"}}'),
        ("a.*.b", '{"a": [{"b": 1}, {"k": {"b": 2}}]}', '{"a": [{"b": "***"}, {"k": {"b": "***"}}]}'),
        ("a.*", '{"a": [1, {"b": 2}]}', '{"a": ["***", "***"]}'),
        ("a.1.b", '{"a": [{"b": 1}, {"b": 2}]}', '{"a": [{"b": 1}, {"b": "***"}]}'),
        ("*.b", '[{"b": 1}, {"x": {"b": 2}}]', '[{"b": "***"}, {"x": {"b": "***"}}]'),
        ("a\\.b", '{"a.b": 1, "a": {"b": 2}}', '{"a.b": "***", "a": {"b": 2}}'),
        ("a.b", '{"a": "{\\"b\\": 1, \\"c\\": 1.0}"}', '{"a": "{\\"b\\": \\"***\\", \\"c\\": 1.0}"}'),
        ("a.b", '{"a": "4111"}', '{"a": "***"}'),
        ("a.b", '{"a": [4111, null, true]}', '{"a": ["***", null, true]}'),
        ("a.b", '{"a": {"c": 1}, "b": 2}', '{"a": {"c": 1}, "b": 2}'),
        ("a.b", "plain", "***"),
        ("a.b", '"{}"', "***"),
        ("a.b", '{"a": NaN}', "***"),
        ("a.b", '{"a": 1', "***"),
        ("a.b", "", ""),
    ],
)
def test_text_that_is_json_keeps_every_other_character(paths: str, body: str, expected: str) -> None:
    """Mutations: parsed and written anew; the last of repeated keys only; lists left; a leak by shape."""
    assert mask(*(f"body.{one}" for one in paths.split())).text("body", body) == expected


def test_nothing_is_touched_where_no_path_leads() -> None:
    untouched = mask("body.a", "attributes.x")
    assert untouched.text("value", "plain") == "plain"
    assert untouched.text("body", '{"b":1}') == '{"b":1}'
    assert (untouched.paths, untouched.secrets.blind) == ([], False)


def test_depth_is_no_way_round_and_costs_little() -> None:
    """Mutations: the error of a deep document leaves it as it is; a way for each way to get there."""
    for depth in (*range(100, 1100, 20), 5000):
        opening, closing = ("[" * depth, "]" * depth) if depth % 40 else ('{"b":' * depth, "}" * depth)
        path = "a" if depth % 40 else ".".join(["b"] * depth + ["a"])
        assert "secret" not in mask(f"body.{path}").text("body", opening + '{"a": "secret"}' + closing)
    nested = "[" * 100 + '{"a": "x"}' + "]" * 100
    assert '"***"' in mask(f"body.{'*.' * 20}a").text("body", nested)


def event(source: str) -> tuple[Any, Mask]:
    planted = SOURCES[source]
    found = planted.connector.masking_of(planted.options)
    assert found is not None
    made = mask(*planted.redact)
    return found.mask(planted.render(planted.make()), made), made


def test_an_sqs_message_keeps_its_shape_and_has_digests_of_what_is_left() -> None:
    """A digest of the whole would tell a card's number to who tries all. Mutation: the old digests."""
    (shown,) = event("sqs, attributes")[0]["Records"]
    hidden = {"stringValue": "***", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
    assert shown["messageAttributes"]["token"] == shown["messageAttributes"]["raw"] == hidden
    assert shown["messageAttributes"]["tenant"]["stringValue"] == "t1"
    (before,) = SOURCES["sqs, attributes"].render(SOURCES["sqs, attributes"].make())["Records"]
    assert shown["md5OfMessageAttributes"] != before["md5OfMessageAttributes"]
    (shown,) = event("fifo")[0]["Records"]
    body = shown["body"].encode()
    assert json.loads(body)["customer"]["name"] == "Bob"
    assert shown["md5OfBody"] == hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert shown["attributes"]["MessageDeduplicationId"] == hashlib.sha256(body).hexdigest()
    assert shown["attributes"]["MessageGroupId"] == "***"


def test_base64_stays_base64_and_types_stay_types() -> None:
    """Mutations: text in the place of base64; an attribute without its type; a list of bytes as text."""
    (shown,) = event("kinesis")[0]["Records"]
    assert json.loads(base64.b64decode(shown["kinesis"]["data"]))["card"] == {"number": "***", "cvv": "***"}
    ((shown,),) = event("kafka")[0]["records"].values()
    assert json.loads(base64.b64decode(shown["value"]))["customer"]["name"] == "Bob"
    assert base64.b64decode(shown["key"]) == b"***"
    assert bytes(shown["headers"][0]["token"]) == b"***"
    (shown,) = event("dynamodb")[0]["Records"]
    image = shown["dynamodb"]["NewImage"]
    assert image["card"] == image["notes"] == image["cvv"] == {"S": "***"}
    assert image["customer"] == {"M": {"home": {"M": {"email": {"S": "***"}}}, "name": {"S": "Bob"}}}
    assert shown["dynamodb"]["SequenceNumber"] == "111"


def test_paths_of_dynamodb_may_have_types_or_leave_them_out() -> None:
    """Mutation: a type that changed is a way out."""
    change = {"NewImage": {"a": {"M": {"b": {"L": [{"S": "x"}, {"N": "1"}]}}}, "c": {"S": "x"}, "d": {"SS": ["x"]}}}
    for path in ("a.b", "a.M.b", "a.M.b.L"):
        shown = dynamodb_masked(
            {"Records": [{"dynamodb": json.loads(json.dumps(change))}]}, mask(f"dynamodb.NewImage.{path}")
        )
        assert not exposes(json.dumps(shown["Records"][0]["dynamodb"]["NewImage"]["a"]), '"x"'), path
    for path in ("c.N", "c.S", "c.M.e", "c.e", "d.SS", "d.*"):
        shown = dynamodb_masked(
            {"Records": [{"dynamodb": json.loads(json.dumps(change))}]}, mask(f"dynamodb.NewImage.{path}")
        )
        assert "x" not in json.dumps(shown["Records"][0]["dynamodb"]["NewImage"][path[0]]), path


@pytest.mark.parametrize("masked", [sqs_masked, kinesis_masked, dynamodb_masked, kafka_masked])
def test_an_event_of_no_records_is_one(masked: Any) -> None:
    empty = {"records": {}} if masked is kafka_masked else {"Records": []}
    assert masked(dict(empty), mask("body.a")) == empty


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    """Mutations: 41 hidden in 4111, too; not hidden at all."""
    secrets = Secrets({"41", "7"})
    assert secrets.text("code 41, not 4111 and 0x41; 7") == "code ***, not 4111 and 0x41; ***"


def test_a_payload_in_base64_is_hidden_whole_where_it_is_quoted() -> None:
    """It may hold what is too short to be looked for in base64. Mutation: what is in it alone."""
    data = base64.b64encode(b'{"cvv": 41}').decode()
    made = mask("data.cvv")
    assert base64.b64decode(made.base64("data", data) or "") == b'{"cvv": "***"}'
    assert made.secrets.text(f"bad {data}") == "bad ***"


def test_values_are_hidden_in_json_of_any_shape() -> None:
    secrets = Secrets({"4111222233334444", "3.5"})
    found = {"a": [4111222233334444, "no 4111222233334444", 3.5, True, None], "4111222233334444": {"b": 1}}
    assert secrets.value(found) == {"a": ["***", "no ***", "***", True, None], "***": {"b": 1}}


def test_where_it_is_not_known_what_is_secret_nothing_is_said() -> None:
    secrets = Secrets(blind=True)
    assert (secrets.text("any"), secrets.value({"a": 1}), secrets.value(None)) == ("***", "***", None)


def test_half_of_a_surrogate_pair_ends_nothing() -> None:
    """It is JSON, and no UTF-8. Mutation: strict encoding."""
    made = mask("body.a")
    assert made.text("body", '{"a": "\\ud800 key"}') == '{"a": "***"}'
    assert made.secrets.text("x \ud800 key y") == "x *** y"


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("$.body", "without $"),
        ("body[0]", "lists are gone through"),
        ("body..a", "steps with dots"),
        ("", "steps with dots"),
        ("body.", "steps with dots"),
    ],
)
def test_what_is_no_path(path: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend.replace("$", "[$]")):
        read_path(path)
