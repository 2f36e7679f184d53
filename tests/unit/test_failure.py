"""The record of a failure, and its way out: one for each message of a queue, one for a piece of a log."""

from __future__ import annotations

import json

from headrace.destination import CONFIRMED, Reply, Said
from headrace.failure import LONGEST, failure_record, message
from headrace.model import Answer, Failure, Origin
from headrace.outlet import Outlet
from headrace.policy import EXHAUSTED, EXPIRED
from headrace.settling import Discarded, Outcome
from headrace.testing import FakeClock, virtual
from headrace.verdict import Kind, Verdict
from support.engine import Lines, error, ids, partial, records

ARN = "arn:aws:lambda:us-east-1:000000000000:function:fn"
ORIGIN = Origin(block="ThingInfo", info={"thing": 1}, payload={"Records": [{"body": "x"}]})


def gone(outcome=None, *, reason=EXHAUSTED, names="a", attempts=1, lane="q") -> Discarded:
    return Discarded(lane=lane, records=records(names), reason=reason, attempts=attempts, outcome=outcome)


def made(discarded: Discarded, origin: Origin = ORIGIN):
    return failure_record(discarded, origin, function_arn=ARN, request_id="new", now=1764088801.123)


def test_the_frame_is_lambdas_key_by_key():
    """lambda-semantics 6.1 and 6.2: names, order, texts. Ours are the block, responsePayload, payload."""
    record = made(gone(error(), attempts=3))
    assert list(record) == [
        "requestContext",
        "responseContext",
        "responsePayload",
        "version",
        "timestamp",
        "ThingInfo",
        "payload",
    ]
    assert record["requestContext"] == {
        "requestId": "r",
        "functionArn": ARN,
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"] == {"errorType": "ValueError", "errorMessage": "boom"}
    assert (record["version"], record["timestamp"]) == ("1.0", "2025-11-25T16:40:01.123Z")
    assert record["ThingInfo"] == {"thing": 1}
    assert record["payload"] == {"Records": [{"body": "x"}]}


def test_a_named_failure_has_no_function_error_and_an_expired_record_no_response():
    assert made(gone(partial("a")))["responseContext"]["functionError"] is None
    assert "responsePayload" not in made(gone(partial("a")))
    expired = made(gone(reason=EXPIRED))
    assert "responseContext" not in expired
    assert expired["requestContext"]["requestId"] == "new"


def test_metadata_alone_has_no_payload():
    assert "payload" not in made(gone(error()), Origin(block="ThingInfo", info={}))


def test_the_sources_own_count_of_deliveries_counts():
    discarded = gone(error(), names="ab")
    discarded.records[1].attempt = 7
    assert made(discarded)["requestContext"]["approximateInvokeCount"] == 7


def test_a_handler_that_quotes_its_input_does_not_double_the_record():
    answer = Answer(request_id="r", duration=0, failure=Failure(type="E", message="x" * 100_000))
    record = made(gone(Outcome(answer, Verdict(Kind.ERROR, failure=answer.failure))))
    assert len(record["responsePayload"]["errorMessage"]) == LONGEST


def test_the_message_is_one_line_of_json_under_an_id_that_stays_the_same():
    first, again = (message(gone(error()), {"body": "a\nb\u2028é\x00"}) for _ in range(2))
    assert first == again
    assert b"\n" not in first.body
    assert json.loads(first.body) == {"body": "a\nb\u2028é\x00"}
    assert first.id == "a-q"
    assert message(gone(error(), lane="other"), {}).id != first.id


def test_half_of_a_surrogate_pair_is_no_end_of_it():
    """json.loads makes such texts of escapes. Mutation: orjson alone, which raises."""
    assert json.loads(message(gone(), {"body": "\ud800"}).body) == {"body": "\ud800"}


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


def outlet(to, *, apart=True, origin=None):
    def whence(lane, some):
        if "odd" in ids(some):
            raise KeyError("Body")
        return Origin(block="ThingInfo", info={"lane": lane, "ids": ids(some)})

    return Outlet(
        destination=to, origin=origin or whence, function_arn=ARN, apart=apart, clock=FakeClock(), log=Lines()
    )


@virtual
async def test_a_queues_records_go_one_by_one_and_a_logs_together():
    to = To()
    assert await outlet(to)(gone(error(), names="abc")) == [CONFIRMED] * 3
    assert await outlet(to, apart=False)(gone(error(), names="abc")) == [CONFIRMED] * 3
    assert [[one["ThingInfo"]["ids"] for one in call] for call in to.sent] == [[["a"], ["b"], ["c"]], [["a", "b", "c"]]]


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
