"""The record of a failure, and its way out: one for each message of a queue, one for a piece of a log."""

from __future__ import annotations

import json

import pytest

from headrace.destination import CONFIRMED, Payload, Reply, Said
from headrace.failure import LONGEST, dead_letter_attributes, failure_record, name_of
from headrace.jsonbytes import to_json
from headrace.model import Answer, Failure, Origin
from headrace.outgoing import Outcome, Outgoing
from headrace.outlet import Outlet
from headrace.policy import EXHAUSTED, EXPIRED, UNREADABLE
from headrace.testing import virtual
from headrace.verdict import Kind, Verdict
from headrace.writing import About, FailureRecords
from support.engine import Lines, bad_answer, error, ids, partial, records

ARN = "arn:aws:lambda:us-east-1:000000000000:function:fn"
ORIGIN = Origin(block="ThingInfo", info={"thing": 1})
ABOUT = About(service="shop", mapping="orders", source="thing", function="fn", function_arn=ARN, version="sha256:0")
EVENT = {"Records": [{"body": "x"}]}


AT = 1764088801.123


def gone(outcome=None, *, reason=EXHAUSTED, names="a", attempts=1, lane="q", request_id="r") -> Outgoing:
    return Outgoing(
        lane=lane,
        records=records(names),
        reason=reason,
        attempts=attempts,
        outcome=outcome,
        request_id=request_id,
        at=AT,
    )


def made(discarded: Outgoing, *, full: bool = True, payload: object = None):
    return failure_record(discarded, ORIGIN, function_arn=ARN, full=full, payload=payload)


def test_the_frame_is_lambdas_key_by_key():
    """lambda-semantics 6.1 and 6.2: names, order, texts. Mutations: another order; a key of ours among them."""
    record = made(gone(error(), attempts=4), full=False)
    assert list(record) == ["requestContext", "responseContext", "version", "timestamp", "ThingInfo"]
    assert list(record["requestContext"].items()) == [
        ("requestId", "r"),
        ("functionArn", ARN),
        ("condition", "RetryAttemptsExhausted"),
        ("approximateInvokeCount", 4),
    ]
    assert list(record["responseContext"].items()) == [
        ("statusCode", 200),
        ("executedVersion", "$LATEST"),
        ("functionError", "Unhandled"),
    ]
    assert (record["version"], record["timestamp"]) == ("1.0", "2025-11-25T16:40:01.123Z")
    assert record["ThingInfo"] == {"thing": 1}


def test_full_adds_the_error_and_the_event():
    record = made(gone(error()), payload=EVENT)
    assert list(record)[2:] == ["responsePayload", "version", "timestamp", "ThingInfo", "payload"]
    assert record["responsePayload"] == {"errorType": "ValueError", "errorMessage": "boom"}
    assert record["payload"] == EVENT


@pytest.mark.parametrize("outcome", [partial("a"), bad_answer()])
def test_an_answer_is_no_function_error_be_it_valid_or_not(outcome):
    """Recorded: null. Mutation: the verdict's failure taken for the function's."""
    assert made(gone(outcome))["responseContext"]["functionError"] is None


def test_an_expired_record_has_no_response_even_if_the_function_ran():
    """Recorded: the key is absent, and the request id is the last call's."""
    for outcome in (None, error(), partial("a")):
        record = made(gone(outcome, reason=EXPIRED, attempts=8))
        assert list(record) == ["requestContext", "version", "timestamp", "ThingInfo"]
        assert record["requestContext"]["requestId"] == "r"
        assert record["requestContext"]["approximateInvokeCount"] == 8


def test_what_no_event_can_show_has_no_response_and_always_the_reason():
    """Nothing was called. Mutations: "Unhandled"; a reason that only `failure_payload: full` tells."""
    failure = Failure(type="Unreadable", message="no JSON")
    outcome = Outcome(Answer(request_id="", duration=0, failure=failure), Verdict(Kind.UNREADABLE, failure=failure))
    for full in (True, False):
        record = made(gone(outcome, reason=UNREADABLE), full=full)
        assert list(record) == ["requestContext", "responsePayload", "version", "timestamp", "ThingInfo"]
        assert record["requestContext"]["condition"] == "DESERIALIZATION_ERROR"
        assert record["responsePayload"] == {"errorType": "Unreadable", "errorMessage": "no JSON"}


def test_the_sources_own_count_of_deliveries_counts():
    discarded = gone(error(), names="ab")
    discarded.records[1].attempt = 7
    assert made(discarded)["requestContext"]["approximateInvokeCount"] == 7


def test_a_handler_that_quotes_its_input_does_not_double_the_record():
    answer = Answer(request_id="r", duration=0, failure=Failure(type="E", message="x" * 100_000))
    record = made(gone(Outcome(answer, Verdict(Kind.ERROR, failure=answer.failure))))
    assert len(record["responsePayload"]["errorMessage"]) == LONGEST


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("x" * 2000, "x" * 1024),
        ("x" + "é" * 600, "x" + "é" * 511),
        ("€" * 400, "€" * 341),
        ("a\ud800b", "a?b"),
        ("", "Unhandled"),
    ],
)
def test_a_dead_letter_has_a_kilobyte_of_the_errors_text(said, kept):
    """In bytes, cut at a character. Mutations: characters; half a character; an attribute that no queue takes."""
    answer = Answer(request_id="r", duration=0, failure=Failure(type="E", message=said))
    outcome = Outcome(answer, Verdict(Kind.ERROR, failure=answer.failure))
    assert dead_letter_attributes(gone(outcome), "id")["ErrorMessage"] == kept


def test_the_message_is_one_line_of_json_under_an_id_that_stays_the_same():
    first, again = (ABOUT.message(gone(error()), to_json({"body": "a\nb\u2028é\x00"}), "a-q") for _ in range(2))
    assert first == again
    assert b"\n" not in first.body
    assert json.loads(first.body) == {"body": "a\nb\u2028é\x00"}
    assert (first.id, first.lane, first.at) == ("a-q", "q", AT)
    assert name_of(gone(error(), lane="other"), apart=True) != name_of(gone(error()), apart=True)


def test_what_a_log_gives_up_has_an_id_of_that_giving_up():
    """A FIFO destination drops a repeat, so what was sent for [a] must not pass for [a, b], nor for a's sibling.

    Mutation: the first record's id alone, as queues have it.
    """
    named = [
        name_of(gone(names=names, request_id=request), apart=False)
        for names, request in [("a", "r"), ("ab", "r"), ("a", "s"), ("b", "r")]
    ]
    sibling = gone()
    sibling.records[0].number = 7
    assert len({*named, name_of(sibling, apart=False)}) == 5
    assert name_of(gone(), apart=False) == named[0]


def test_half_of_a_surrogate_pair_is_no_end_of_it():
    """json.loads makes such texts of escapes. Mutation: orjson alone, which raises."""
    assert json.loads(to_json({"body": "\ud800"})) == {"body": "\ud800"}


class To:
    """A destination that keeps what it is sent."""

    name = "to"

    def __init__(self, *replies) -> None:
        self.sent, self.replies = [], replies

    async def send(self, messages):
        self.sent.append([json.loads(one.body) for one in messages])
        if self.replies and isinstance(self.replies[0], Exception):
            raise self.replies[0]
        return list(self.replies) or [CONFIRMED] * len(messages)

    async def close(self) -> None: ...


class Limited(To):
    """One that refuses what is longer than *limit*, as queues and topics do."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    async def send(self, messages):
        too_long = Reply(Said.REFUSED, f"above {self.limit} bytes")
        self.replies = [too_long if len(one.body) > self.limit else CONFIRMED for one in messages]
        return await super().send(messages)


def outlet(to, *, apart=True, payload=Payload.OMITTED, full=False, kept=None, key=None, form=dict, **more):
    def whence(lane, some):
        if "odd" in ids(some):
            raise KeyError("Body")
        return Origin(block="ThingInfo", info={"lane": lane, "ids": ids(some)}, payload=kept, key=key)

    return Outlet(
        destination=to,
        write=FailureRecords(
            about=ABOUT,
            origin=whence,
            render=lambda some: {"Records": [{"id": one.id, "data": "x" * one.size} for one in some]},
            full=full,
            form=form,
        ),
        apart=apart,
        payload=payload,
        log=Lines(),
        **more,
    )


def told(to) -> list[list[str]]:
    return [[",".join(one["ThingInfo"]["ids"]) for one in call] for call in to.sent]


@virtual
async def test_a_queues_records_go_one_by_one_and_a_logs_together():
    to = To()
    assert await outlet(to)(gone(error(), names="abc")) == [CONFIRMED] * 3
    assert await outlet(to, apart=False)(gone(error(), names="abc")) == [CONFIRMED] * 3
    assert told(to) == [["a", "b", "c"], ["a,b,c"]]


@virtual
async def test_the_payload_goes_as_it_is_asked_for():
    """Metadata alone, the event as an object, or as JSON text (S3, 6.3). Mutation: text where none is wanted."""
    to = To()
    for payload in (Payload.OMITTED, Payload.OBJECT, Payload.TEXT):
        await outlet(to, apart=False, payload=payload)(gone(error(), names="a"))
    await outlet(to, apart=False, payload=Payload.OBJECT, kept=EVENT)(gone(error(), names="a"))
    none, event, text, whole = (call[0] for call in to.sent)
    assert "payload" not in none
    assert event["payload"] == {"Records": [{"id": "a", "data": "x" * 100}]}
    assert json.loads(text["payload"]) == event["payload"]
    assert whole["payload"] == EVENT


@virtual
async def test_a_destination_may_be_sent_each_record_of_a_log_by_itself_and_in_its_own_form():
    """Mutations: one for all; a form that is given a queue's records only; refused ones sent as if they were queued."""
    to = Limited(700)
    sending = outlet(
        to, apart=False, payload=Payload.OBJECT, singly=True, form=lambda record: {"form": "theirs", **record}
    )
    discarded = gone(error(), names="abc")
    discarded.records[1].size = 1000
    assert await sending(discarded) == [CONFIRMED] * 3
    assert told(to) == [["a", "b", "c"], ["b"]]
    assert [one["form"] for call in to.sent for one in call] == ["theirs"] * 4
    assert ["payload" in one for call in to.sent for one in call] == [True, True, True, False]
    without = Limited(10)
    replies = await outlet(without, apart=False, singly=True)(gone(error(), names="ab"))
    assert [one.said for one in replies] == [Said.REFUSED] * 2
    assert len(without.sent) == 1, "there is no payload to leave out"


@virtual
async def test_a_message_has_the_key_that_its_source_has_in_bytes():
    """Mutation: the text that orders it, which is not the key."""
    to, messages = To(), []
    to.send = lambda some: messages.extend(some) or _confirmed(some)
    for key in (b"\xff\x00", b"", None):
        await outlet(to, apart=False, singly=True, key=key)(gone(error(), names="a"))
    assert [one.source_key for one in messages] == [b"\xff\x00", b"", None]


@virtual
async def test_what_is_sent_again_is_the_same_to_the_byte():
    """An S3 key is made of it. Mutation: a time or an id of each sending."""
    to = To()
    sending, discarded = outlet(to, apart=False, full=True, payload=Payload.TEXT), gone(None, names="ab")
    messages = []
    to.send = lambda some: messages.extend(some) or _confirmed(some)
    for _ in range(2):
        await sending(discarded)
    assert messages[0] == messages[1]


async def _confirmed(messages):
    return [CONFIRMED] * len(messages)


@virtual
async def test_a_logs_payload_that_no_message_can_hold_goes_one_by_one_and_then_without():
    """Never dropped, and no shard held for it. Mutations: held for ever; a sound record sent without its payload."""
    to = Limited(700)
    sending = outlet(to, apart=False, payload=Payload.OBJECT)
    discarded = gone(error(), names="abc")
    discarded.records[1].size = 1000
    assert await sending(discarded) == [CONFIRMED] * 3
    assert told(to) == [["a,b,c"], ["a", "b", "c"], ["b"]]
    (last,) = to.sent[2]
    assert "payload" not in last
    assert last["payloadOmitted"] == "to: above 700 bytes"
    assert ["payloadOmitted" in one for one in to.sent[1]] == [False] * 3
    (line,) = sending.log.of("payload.omitted")
    assert line["ids"] == ["b"]


@virtual
async def test_a_single_record_is_not_sent_with_its_payload_twice():
    to = Limited(700)
    discarded = gone(error())
    discarded.records[0].size = 1000
    assert await outlet(to, apart=False, payload=Payload.OBJECT)(discarded) == [CONFIRMED]
    assert len(to.sent) == 2


@virtual
async def test_what_is_refused_even_so_is_refused():
    """The shard holds. Mutation: an endless loop; confirmed because nothing is left to leave out."""
    for payload in Payload:
        replies = await outlet(Limited(10), apart=False, payload=payload)(gone(error(), names="ab"))
        assert [one.said for one in replies] == [Said.REFUSED] * 2


@virtual
async def test_a_queues_record_that_no_message_can_hold_stays_whole():
    """It is deleted afterwards, so metadata would be a loss. Mutation: the log's way for queues."""
    to = Limited(700)
    discarded = gone(error(), names="ab")
    discarded.records[1].size = 1000
    replies = await outlet(to, payload=Payload.OBJECT)(discarded)
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED]
    assert len(to.sent) == 1


@virtual
async def test_a_record_of_odd_shape_is_refused_and_the_others_go():
    """Mutation: an exception that ends the lane; replies that slip by one."""
    failed = Reply(Said.FAILED, "full")
    to = To(CONFIRMED, failed)
    replies = await outlet(to)(gone(error(), names=["a", "odd", "b"]))
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED, Said.FAILED]
    assert replies[2].reason == "to: full"
    assert len(to.sent[0]) == 2


@virtual
async def test_what_a_kind_raises_is_a_failure_and_so_is_a_wrong_number_of_replies():
    """Mutation: zip without strict, with which a record without a reply would vanish."""
    for to in (To(ConnectionError("gone")), To(CONFIRMED)):
        replies = await outlet(to)(gone(error(), names="ab"))
        assert [one.said for one in replies] == [Said.FAILED] * 2
        assert replies[0].reason
