"""Envelopes come off as they nest, and whatever is none passes as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.errors import ConfigError
from headrace.model import Record
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace_connectors import SqsPoller
from headrace_connectors.sqs.event import render, render_unwrapped, unwrapped_records
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.source import keep
from headrace_connectors.sqs.unwrap import DEEPEST, ENVELOPES, ORIGINAL, TEST_EVENT, Kind, unwrap
from support.scripted import message

ALL: tuple[Kind, ...] = ("sns", "s3", "eventbridge")
TOPIC = "arn:aws:sns:eu-central-1:111111111111:orders"


def text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def sns(payload: str, **more: Any) -> str:
    """A notification as SNS writes it to a queue."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Subject": "An order",
            "Message": payload,
            "Timestamp": "2026-11-23T19:30:00.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLEw6JRN",
            "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0.pem",
            "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
            **more,
        },
        indent=2,
    )


def s3_record(key: str, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-23T19:30:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AIDA"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "in",
            "bucket": {"name": "b", "arn": "arn:aws:s3:::b"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8c", "sequencer": "0055AED6DCD90281E5", **more},
        },
    }


def s3(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def eventbridge(detail: str, **more: Any) -> str:
    """An event as EventBridge writes it, with this text as its detail."""
    envelope = {
        "version": "0",
        "id": "6a7e8feb-b491",
        "detail-type": "Order placed",
        "source": "shop",
        "account": "111111111111",
        "time": "2026-11-23T19:30:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:shop:1"],
        **more,
    }
    return f'{json.dumps(envelope)[:-1]},"detail": {detail} }}'


TEST_EVENT_BODY = text(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-23T19:30:00.000Z",
        "Bucket": "uploads",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3e",
    }
)


def opened(body: str, *kinds: Kind, **more: Any) -> dict[str, Any]:
    return unwrap({**message(1, body=body), **more}, kinds or ALL)


def objects(body: str) -> list[dict[str, Any]]:
    return [record["s3"]["object"] for record in json.loads(body)["Records"]]


def test_sns_leaves_what_raw_delivery_would_have_sent() -> None:
    """Catches: the payload parsed and written anew, the rest of the envelope lost."""
    payload = '{"n":  1.10, "é": "\\u00e9"}\n'
    found = opened(sns(payload))
    assert found["Body"] == payload
    assert "MessageAttributes" not in found
    (envelope,) = found[ENVELOPES]
    kept = json.loads(sns(payload))
    assert envelope == {"type": "sns"} | {k: v for k, v in kept.items() if k not in {"Type", "Message"}}
    assert found["MessageId"] == "m1"
    assert found["Attributes"] == message(1)["Attributes"]


def test_sns_attributes_become_the_messages() -> None:
    """Catches: a type left out, the array parsed, the blob decoded, the message's own attributes replaced."""
    given = {
        "type": {"Type": "String", "Value": "order"},
        "total": {"Type": "Number", "Value": "1.10"},
        "blob": {"Type": "Binary", "Value": "AP8="},
        "tags": {"Type": "String.Array", "Value": '["a",1,null]'},
        "own": {"Type": "String", "Value": "of SNS"},
        "type2": {"Type": "Colour", "Value": "red"},
        "broken": {"Type": "Binary", "Value": "no base64"},
        "odd": "no attribute",
    }
    own = {"own": {"StringValue": "mine", "DataType": "String"}, "raw": {"BinaryValue": b"\x00", "DataType": "Binary"}}
    found = opened(sns("x", MessageAttributes=given), MessageAttributes=own)
    assert found["MessageAttributes"] == {
        **own,
        "type": {"StringValue": "order", "DataType": "String"},
        "total": {"StringValue": "1.10", "DataType": "Number"},
        "blob": {"BinaryValue": "AP8=", "DataType": "Binary"},
        "tags": {"StringValue": '["a",1,null]', "DataType": "String.Array"},
    }
    left = ("own", "type2", "broken", "odd")
    assert found[ENVELOPES][0]["MessageAttributes"] == {name: given[name] for name in left}
    assert list(own) == ["own", "raw"], "the message as it came is not changed"


def test_a_fifo_topics_sequence_number_is_kept() -> None:
    found = opened(sns("x", SequenceNumber="10000000000000003000"))
    assert found[ENVELOPES][0]["SequenceNumber"] == "10000000000000003000"


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("a.txt", "a.txt"),
        ("red+flower.jpg", "red flower.jpg"),
        ("2026/a%2Bb%25.csv", "2026/a+b%.csv"),
        ("caf%C3%A9/%E6%97%A5%F0%9F%90%9F", "café/日🐟"),
        ("quote%22and%5Cslash%0A", 'quote"and\\slash\n'),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("", ""),
    ],
)
def test_a_key_is_decoded_and_the_encoded_one_stays(key: str, plain: str) -> None:
    """Catches: unquote instead of unquote_plus, latin-1, a key put into JSON unescaped."""
    found = opened(s3(s3_record(key, versionId="L4kqtJlcpXroDTDmpUMLUo")))
    (thing,) = objects(found["Body"])
    assert thing == {**s3_record(plain, versionId="L4kqtJlcpXroDTDmpUMLUo")["s3"]["object"], "urlEncodedKey": key}
    assert ENVELOPES not in found, "nothing was taken off"


def test_every_record_of_a_notification_and_nothing_else_in_it() -> None:
    """Catches: only the first record; a record's key for another's; numbers, spaces or order changed."""
    body = (
        '{"Records" : [\n {"eventSource":"aws:s3","s3":{"object":{"size":12345678901234567890123,"key":"a+b"}}},'
        ' {"eventSource":"aws:sqs","s3":{"object":{"key":"not+mine"}}}, 7,'
        ' {"x":1.10e2,"eventSource":"minio:s3","s3":{"object":{"key":"c%2Bd" , "sequencer":"00"}}} ] , "z":[]}'
    )
    assert opened(body)["Body"] == (
        '{"Records" : [\n {"eventSource":"aws:s3","s3":{"object":{"size":12345678901234567890123,'
        '"key":"a b","urlEncodedKey":"a+b"}}},'
        ' {"eventSource":"aws:sqs","s3":{"object":{"key":"not+mine"}}}, 7,'
        ' {"x":1.10e2,"eventSource":"minio:s3","s3":{"object":{"key":"c+d","urlEncodedKey":"c%2Bd" , "sequencer":"00"'
        '}}} ] , "z":[]}'
    )


def test_what_stands_twice_counts_as_every_parser_reads_it() -> None:
    """Catches: the first of two members changed, which no handler sees."""
    body = (
        '{"Records":[],"Records":[{"eventSource":"aws:s3","s3":{"object":{"key":"x+1"},"object":'
        '{"key":"x+2","key":"a+b"}}}]}'
    )
    assert objects(opened(body)["Body"]) == [{"key": "a b", "urlEncodedKey": "a+b"}]
    twice = eventbridge('{"n":1}').replace('"detail":', '"detail":{"n":0}, "detail":')
    assert opened(twice)["Body"] == '{"n":1}'


def test_a_key_is_decoded_once() -> None:
    """Catches: a message that went through twice, its key decoded twice: a%252Bb -> a%2Bb -> a+b."""
    once = opened(s3(s3_record("a%252Bb")))["Body"]
    assert objects(once)[0]["key"] == "a%2Bb"
    again = message(1, body=once)
    assert unwrap(again, ALL) is again


def test_detail_stays_byte_for_byte() -> None:
    """Catches: a float round trip, compact JSON instead of the text."""
    detail = '{ "big": 123456789012345678901234567890, "d": 0.10000000000000000001, "e": 1E400,\n "t": "\\u00e9\\/" }'
    found = opened(eventbridge(detail))
    assert found["Body"] == detail
    (envelope,) = found[ENVELOPES]
    assert envelope == {"type": "eventbridge"} | {
        name: value for name, value in json.loads(eventbridge("{}")).items() if name != "detail"
    }


@pytest.mark.parametrize("inner", [s3(s3_record("a+b")), eventbridge('{"n": 1}')])
def test_envelopes_nest(inner: str) -> None:
    found = opened(sns(inner))
    assert found["Body"] == opened(inner)["Body"]
    assert [one["type"] for one in found[ENVELOPES]] == (["sns", "eventbridge"] if "detail" in inner else ["sns"])


def test_each_kind_only_if_it_is_listed() -> None:
    """Catches: a kind taken off unasked, or looked for under one that was not to be touched."""
    inner = eventbridge('{"n": 1}')
    assert opened(sns(inner), "sns")["Body"] == inner
    for body, kinds in (
        (sns(inner), ("eventbridge", "s3")),
        (sns(s3(s3_record("a+b"))), ("s3",)),
        (s3(s3_record("a+b")), ("sns", "eventbridge")),
        (s3(s3_record("a+b"), {"detail-type": 1, "TopicArn": 1}), ("sns", "eventbridge")),
        (TEST_EVENT_BODY, ("sns", "eventbridge")),
        (TEST_EVENT_BODY.replace("Time", "TopicArn"), ("sns", "eventbridge")),
        (eventbridge('{"s3": 1, "TopicArn": 1}'), ("sns", "s3")),
    ):
        given = message(1, body=body)
        assert unwrap(given, kinds) is given


def test_s3_through_eventbridge_has_plain_keys_already() -> None:
    """Catches: a plus in a plain key read as a space."""
    detail = '{"version":"0","bucket":{"name":"b"},"object":{"key":"a+b.txt","size":5},"reason":"PutObject"}'
    found = opened(eventbridge(detail, source="aws.s3", **{"detail-type": "Object Created"}))
    assert found["Body"] == detail


NO_ENVELOPES = [
    "",
    "plain text",
    '"TopicArn" "s3" "detail-type"',
    '["s3"]',
    "null",
    '{"s3": ',
    '{"detail-type": NaN}',
    '{"TopicArn": "\x00"}',
    '{"Records": []}',
    '{"Records": {"s3": {}}}',
    '{"Records": [{"s3": null, "eventSource": "aws:s3"}]}',
    s3(s3_record("a+b") | {"eventSource": "my-app"}),
    s3({"s3": {"object": {"key": "a+b"}}}),
    s3(s3_record("%ff%fe")),
    s3({"eventSource": "aws:s3", "s3": {"object": {"key": 7}}}),
    s3({"eventSource": "aws:s3", "s3": {"object": {"key": "\ud800+"}}}),
    sns("x", Type="SubscriptionConfirmation"),
    sns("x", Message={"not": "text"}),
    sns("x", TopicArn=None),
    sns("half a pair: \ud83d"),
    sns("x", Big=2**70),
    '{"Type":"Notification","Message":"x","s3":"TopicArn"}',
    eventbridge('"text"'),
    eventbridge('{"n": NaN}'),
    eventbridge("null"),
    eventbridge("{}", resources="x"),
    eventbridge("{}", id=7),
    '{"detail-type":"x","source":"y","detail":{}}',
    TEST_EVENT_BODY.replace("TestEvent", "Other"),
    TEST_EVENT_BODY.replace('"uploads"', "7"),
    TEST_EVENT_BODY.replace("Amazon S3", "My S3"),
]


@pytest.mark.parametrize("body", NO_ENVELOPES)
def test_what_only_looks_like_an_envelope_passes_as_it_came(body: str) -> None:
    """Catches: any condition of an envelope left out."""
    given = message(1, body=body)
    assert unwrap(given, ALL) is given


def test_one_key_that_is_no_utf8_leaves_the_others() -> None:
    things = objects(opened(s3(s3_record("%ff"), s3_record("a+b")))["Body"])
    assert [thing["key"] for thing in things] == ["%ff", "a b"]


@pytest.mark.parametrize("form", ["%s", s3(s3_record("a+b", x=0)).replace('"x": 0', '"x": %s'), eventbridge("{%s}")])
def test_deep_nesting_is_no_error(form: str) -> None:
    """Catches: a RecursionError that escapes, wherever Python's limit lies; an outer envelope left on for an inner."""
    for depth in [*range(800, 1000), 100_000]:
        nested = "[" * depth + "]" * depth
        payload = form.replace("{%s}", '{"x": %s}').replace("%s", nested)
        assert opened(sns(payload + ' "s3"'))["Body"] == payload + ' "s3"'
        assert nested in opened(sns(payload))["Body"]


def test_envelopes_come_off_up_to_a_bound() -> None:
    """Catches: a bomb that is parsed for every of its thousands of envelopes."""
    body = "{}"
    for _ in range(DEEPEST + 3):
        body = eventbridge(body)
    found = opened(body)
    assert len(found[ENVELOPES]) == DEEPEST
    assert found["Body"].count("detail-type") == 3


def test_a_body_of_a_mebibyte() -> None:
    payload = "é" * 500_000
    assert opened(sns(payload))["Body"] == payload


@pytest.mark.parametrize("body", [TEST_EVENT_BODY, sns(TEST_EVENT_BODY, Subject="Amazon S3 Notification")])
def test_a_test_event_is_marked_and_not_wanted(body: str) -> None:
    """Catches: the mark ignored; a test event in a notification overlooked; others refused."""
    logged: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def info(self, name: str, **values: Any) -> None:
            logged.append((name, values))

    wanted = keep(opening("s3", "sns", log=Log()))
    assert wanted is not None
    event, other = unwrapped_records([message(1, body=body), message(2)], None, 1.0, kinds=ALL)
    assert event.raw[TEST_EVENT] == "uploads"
    assert (wanted(event), wanted(other)) == (False, True)
    assert logged == [("message.test_event", {"id": "m1", "bucket": "uploads"})]


def test_without_s3_nothing_is_asked_of_a_record() -> None:
    assert keep(opening("sns", "eventbridge")) is None
    assert keep(opening()) is None


def test_what_is_no_kind_or_stands_twice_is_refused() -> None:
    for kinds, said in (
        (["sns", "evenbridge"], "must be sns, s3 or eventbridge"),
        (["s3", "s3"], "lists a kind twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            SqsPoller(queue_url="http://h/1/q", handler=print, unwrap=kinds)  # type: ignore[arg-type]


def opening(*kinds: Kind, log: Any = None) -> Opening:
    options = SqsOptions(queue_url="http://localhost/1/q", unwrap=list(kinds))
    settings = MappingSettings.model_construct()
    return Opening(
        service="s", mapping="m", settings=settings, options=options, sections={}, function_timeout=3, log=log
    )


def records_of(*bodies: str) -> list[Record]:
    return unwrapped_records([message(n, body=body) for n, body in enumerate(bodies)], None, 1.0, kinds=ALL)


def test_the_event_is_lambdas_with_envelopes_at_the_end_where_some_came_off() -> None:
    """Catches: `envelopes` on every record; a private key shown; a handler that changes what a second attempt gets."""
    made = records_of(sns("x"), "plain", s3(s3_record("a+b")))
    shape: dict[str, Any] = {"arn": "arn:q", "region": "r", "windowed": False}
    first, *others = render_unwrapped(made, **shape)["Records"]
    (without,) = render([made[0]], **shape)["Records"]
    assert list(first) == [*without, "envelopes"]
    assert first["body"] == "x"
    assert others == render(made[1:], **shape)["Records"]
    first["envelopes"][0].clear()
    assert render_unwrapped(made, **shape)["Records"][0]["envelopes"][0]["type"] == "sns"


def test_the_whole_message_is_kept_for_a_failure_destination() -> None:
    given = message(1, body=sns("x", MessageAttributes={"a": {"Type": "String", "Value": "v"}}))
    before = json.dumps(given)
    found = unwrap(given, ALL)
    assert found[ORIGINAL] is given
    assert json.dumps(given) == before


def test_digests_are_those_of_what_is_shown() -> None:
    """Catches: SQS's digests beside another body. Attributes: see the integration test."""
    found = opened(sns("x", MessageAttributes={"a": {"Type": "String", "Value": "v"}}))
    assert found["MD5OfBody"] == "9dd4e461268c8034f5c8564e155c67a6"
    assert len(found["MD5OfMessageAttributes"]) == 32
    assert opened(TEST_EVENT_BODY)["MD5OfBody"] == message(1)["MD5OfBody"]


@pytest.mark.parametrize(
    "attributes", [{}, {"n": {"Type": "Binary", "Value": "AP8="}, "é": {"Type": "String", "Value": "\x01"}}]
)
@pytest.mark.parametrize("payload", ["", "\x00" * 50, eventbridge('{"n": 1}', resources=["é" * 2000])])
def test_size_bounds_the_event_from_above_and_counts_the_original_not(payload: str, attributes: Any) -> None:
    """Catches: envelopes not counted; the message counted twice over."""
    body = sns(payload, MessageAttributes=attributes)
    (made,) = records_of(body)
    (shown,) = render_unwrapped([made], arn="a" * 256, region="eu-central-1", windowed=True)["Records"]
    actual = len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())
    assert actual <= made.size < actual + 2000
