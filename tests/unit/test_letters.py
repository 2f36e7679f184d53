"""What may lie among dead letters, read; mutations: a form taken for another, a class that is guessed wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.jsonbytes import to_json
from headrace.letters import Form, NoLetter, Posted, arn_in, function_in, parse
from support.letters import QUEUE, click, failure, invocation, message


def posted(body: object, **more: Any) -> Posted:
    text = body if isinstance(body, str) else json.dumps(body)
    return Posted(**{"id": "1", "body": text.encode(), "at": 7.0, **more})


@pytest.mark.parametrize("text", [False, True], ids=["object", "text, as S3 has it"])
def test_a_failure_record_with_its_payload(text: bool) -> None:
    letter = parse(posted(failure(message("m1", {"total": 1}), text=text)))
    assert letter.form is Form.RECORDS
    assert letter.event["Records"][0]["messageId"] == "m1"
    assert (letter.function, letter.request_id, letter.attempts) == ("f", "c9b8", 3)
    assert (letter.cls, letter.error, letter.block) == ("handler_error", "ValueError: boom", "SQSMessageInfo")
    assert (letter.at, letter.mapping) == (1764088801.123, "")


def test_what_was_redacted_is_not_given_to_a_handler() -> None:
    """Mutations: a handler is given ***; the bare event of a dead letter; an invocation's record."""
    record = failure(message("m1", ""))
    record["headrace"] = {**record.get("headrace", {}), "payloadRedacted": ["body.card", "body.cvv"]}
    with pytest.raises(NoLetter, match=r"redact has hidden body.card, body.cvv in it"):
        parse(posted(record))
    dead = {"RequestID": "r", "ErrorCode": "200", "ErrorMessage": "m", "PayloadRedacted": "card, cvv"}
    with pytest.raises(NoLetter, match="redact has hidden card, cvv in it"):
        parse(posted({"card": "***"}, attributes=dead))


def test_our_own_block_says_whose_it_is() -> None:
    """Mutation: the class is guessed although it stands there."""
    letter = parse(posted(failure(message("m1", ""), cls="bad_answer")))
    assert (letter.mapping, letter.cls, letter.lane) == ("orders", "bad_answer", "orders")


@pytest.mark.parametrize(
    ("condition", "error", "cls"),
    [
        ("RecordAgeExceeded", {}, "expired"),
        ("EventAgeExceeded", {"errorType": "E"}, "expired"),
        ("RetryAttemptsExhausted", {"errorType": "Sandbox.Timedout"}, "timeout"),
        ("RetryAttemptsExhausted", {"errorType": "BadAnswer"}, "bad_answer"),
        ("Unreadable", {"errorType": "Unreadable"}, "undecodable"),
        ("RetryAttemptsExhausted", {}, "handler_error"),
    ],
)
def test_the_class_of_one_that_does_not_say_it(condition: str, error: dict[str, str], cls: str) -> None:
    record = failure(message("m1", ""), responsePayload=error)
    record["requestContext"]["condition"] = condition
    assert parse(posted(record)).cls == cls


@pytest.mark.parametrize("text", [False, True])
def test_half_of_a_surrogate_pair_is_read_back(text: bool) -> None:
    """Escapes write it, and so do our own records. Mutation: orjson alone, which refuses what it cannot hold."""
    half = {**message("m1", "x"), "body": "x\ud800y"}
    letter = parse(Posted(id="p", body=to_json(failure(half, text=text)), at=7.0))
    assert letter.event == {"Records": [half]}
    told = {"Type": "Notification", "Message": to_json(failure(half)).decode()}
    assert parse(Posted(id="p", body=to_json(told), at=7.0)).event == {"Records": [half]}


@pytest.mark.parametrize("body", [b"NaN", b'{"a": "\\ud800", "b": Infinity}', b"[" * 100_000, b"\xff", b"{"])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    """Mutations: constants that only Python knows; a depth that ends the replay."""
    with pytest.raises(NoLetter, match="it cannot be read as JSON"):
        parse(Posted(id="p", body=body, at=7.0))


def test_without_a_payload_it_says_where_its_records_are() -> None:
    record = failure(click(1, {}))
    del record["payload"], record["SQSMessageInfo"]
    record["KinesisBatchInfo"] = {"shardId": "s", "startSequenceNumber": "1", "endSequenceNumber": "2"}
    letter = parse(posted(record))
    assert (letter.form, letter.block, letter.info["shardId"]) == (Form.PLACE, "KinesisBatchInfo", "s")


def test_an_invocation_and_a_functions_dead_letter() -> None:
    letter = parse(posted(invocation({"a": 1}, "req-9")))
    assert (letter.form, letter.event, letter.function, letter.request_id) == (Form.INVOCATION, {"a": 1}, "f", "req-9")
    dead = {"RequestID": "req-7", "ErrorCode": "200", "ErrorMessage": "no"}
    letter = parse(posted([1, 2], attributes=dead))
    assert (letter.form, letter.event, letter.function, letter.request_id) == (Form.INVOCATION, [1, 2], "", "req-7")
    assert (letter.error, letter.at) == ("no", 7.0)


def test_what_a_source_has_put_aside_itself() -> None:
    """A body that looks like anything is the source's own, unless it is a failure record."""
    own = {"Records": [message("m1", "plain")]}
    for body in ("plain", "{}", '{"version": "1.0"}', '{"Type": "Notification", "Message": "hello"}'):
        letter = parse(posted(body, event=own))
        assert (letter.form, letter.event) == (Form.OWN, own)
    assert parse(posted(failure(message("m2", "")), event=own)).form is Form.RECORDS


def test_in_an_envelope_of_sns_or_eventbridge() -> None:
    record = failure(message("m1", ""))
    assert parse(posted({"Type": "Notification", "Message": json.dumps(record)})).form is Form.RECORDS
    bridge = {"detail-type": "Lambda Function Invocation Result - Failure", "detail": invocation({"a": 1})}
    assert parse(posted(bridge)).event == {"a": 1}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("not json", "cannot be read as JSON"),
        ("[1]", "no failure record"),
        ('{"requestContext": 1, "version": "1.0"}', "no failure record"),
        (failure(message("m1", ""), payload="{torn"), "cannot be read as JSON"),
        (failure(message("m1", ""), requestContext={"condition": "Success"}), "a call that succeeded"),
        (failure(message("m1", ""), payload=[1]), "no event"),
    ],
)
def test_what_is_no_letter(body: object, why: str) -> None:
    with pytest.raises(NoLetter, match=why):
        parse(posted(body))


def test_names_in_arns() -> None:
    assert function_in("arn:aws:lambda:r:000000000000:function:f:$LATEST") == "f"
    assert function_in("nothing") == ""
    assert arn_in({"Records": [message("m", "")]}) == QUEUE
    for odd in (None, {}, {"Records": []}, {"Records": [1]}, {"Records": {}}):
        assert arn_in(odd) == ""
