"""Rules of destinations at work: the first that fits, all that it names, and nobody told twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from headrace.classes import classify
from headrace.destination import CONFIRMED, MOST_HOPS, SUCCESS, FailureClass, Message, Payload, Reply, Said
from headrace.model import Answer, Failure, Origin
from headrace.outgoing import Outcome, Outgoing
from headrace.outlet import Outlet
from headrace.outlets import Outlets, Way
from headrace.policy import EXHAUSTED, EXPIRED, UNREADABLE
from headrace.testing import virtual
from headrace.verdict import Kind, Verdict
from headrace.writing import FailureRecords, InvocationRecords
from support.engine import Lines, bad_answer, error, ids, ok, partial, records
from support.messages import about

AWAY = Reply(Said.FAILED, "away")


class To:
    """Keeps what it is sent; answers as `says` has it."""

    name = "to"

    def __init__(self, says: Reply = CONFIRMED, limit: int = 10**9) -> None:
        self.says, self.limit = says, limit
        self.sent: list[Message] = []

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        self.sent += messages
        return [self.says if len(one.body) <= self.limit else Reply(Said.REFUSED, "too large") for one in messages]

    async def close(self) -> None: ...

    @property
    def told(self) -> list[list[str]]:
        return [[one["id"] for one in json.loads(each.body)["ThingInfo"]["ids"]] for each in self.sent]


def outlet(to: To, *, apart: bool = False) -> Outlet:
    write = FailureRecords(
        about=about(),
        origin=lambda lane, some: Origin(block="ThingInfo", info={"ids": [{"id": one.id} for one in some]}),
        render=lambda some: {"Records": ids(some)},
        full=True,
    )
    return Outlet(destination=to, write=write, apart=apart, payload=Payload.OBJECT, log=Lines())


def gone(names: str, outcome: Outcome | None = None, reason: str = EXHAUSTED) -> Outgoing:
    return Outgoing(
        lane="q", records=records(names), reason=reason, attempts=2, outcome=outcome, request_id="r", at=1764088801.123
    )


def failed(type: str) -> Outcome:  # noqa: A002 - Lambda's word
    answer = Answer(request_id="r", duration=0, failure=Failure(type=type, message="m"))
    return Outcome(answer, Verdict(Kind.ERROR, failure=answer.failure))


@pytest.mark.parametrize(
    ("outcome", "reason", "expected"),
    [
        (error(), EXHAUSTED, "handler_error"),
        (partial("a"), EXHAUSTED, "handler_error"),
        (bad_answer(), EXHAUSTED, "bad_answer"),
        (failed("Runtime.MarshalError"), EXHAUSTED, "bad_answer"),
        (failed("Sandbox.Timedout"), EXHAUSTED, "timeout"),
        (failed("Function.ResponseSizeTooLarge"), EXHAUSTED, "too_large"),
        (failed("Unrenderable"), EXHAUSTED, "undecodable"),
        (error(), EXPIRED, "expired"),
        (None, EXPIRED, "expired"),
        (None, UNREADABLE, "undecodable"),
        (None, EXHAUSTED, "handler_error"),
    ],
)
def test_why_comes_before_how(outcome: Outcome | None, reason: str, expected: str) -> None:
    """What expired after an error is expired. Mutation: by the last error alone."""
    assert classify(gone("a", outcome, reason)) == expected


@virtual
async def test_the_first_rule_that_fits_takes_a_record() -> None:
    """Mutations: the last that fits; every one that fits; the order of the replies."""
    slow, odd, rest = To(), To(AWAY), To()
    ways = [
        Way(outlets=[outlet(slow)], classes=frozenset({FailureClass.TIMEOUT})),
        Way(outlets=[outlet(odd)], wanted=lambda one: one.id in "bd"),
        Way(outlets=[outlet(rest)]),
    ]
    assert await Outlets(ways)(gone("abcd", error())) == [CONFIRMED, AWAY_TO, CONFIRMED, AWAY_TO]
    assert (slow.told, odd.told, rest.told) == ([], [["b"], ["d"]], [["a"], ["c"]])
    await Outlets(ways)(gone("ab", failed("Sandbox.Timedout")))
    assert slow.told == [["a", "b"]]


AWAY_TO = Reply(Said.FAILED, "to: away")


@virtual
async def test_a_record_about_a_log_never_names_a_range_with_what_is_not_its_own() -> None:
    """A replay reads the whole range. Mutations: one record for b, c and e; one for b and e when c and d are gone."""
    odd, other, rest = To(AWAY), To(), To()
    both = [outlet(odd), outlet(other)]
    outlets = Outlets([Way(outlets=both, wanted=lambda one: one.id in "bce"), Way(outlets=[outlet(rest)])])
    out = gone("abcde", error())
    for number, one in enumerate(out.records):
        one.number = number
    assert [one.said for one in await outlets(out)] == [
        Said.CONFIRMED if one in "ad" else Said.FAILED for one in "abcde"
    ]
    assert (odd.told, other.told, rest.told) == ([["b", "c"], ["e"]], [["b", "c"], ["e"]], [["a"], ["d"]])
    again = replace(out, records=[one for one in out.records if one.id in "bce"])
    await outlets(again)
    assert odd.told[2:] == [["b", "c"], ["e"]]
    assert len(other.sent) == 2


@virtual
async def test_of_a_log_what_is_whole_or_told_one_by_one_is_sent_together() -> None:
    """Mutation: a success that is told in pieces, though it was one invocation."""
    done = To()
    outlets = Outlets([Way(outlets=[success(done)], wanted=lambda one: one.id != "b"), Way(outlets=[outlet(To())])])
    assert await outlets(gone("abc", ok(), SUCCESS)) == [CONFIRMED] * 3
    assert len(done.sent) == 1


@virtual
async def test_all_must_confirm_and_who_has_is_not_told_again() -> None:
    """Mutations: settled when one has confirmed; told again with every try of the other."""
    one, other = To(), To(AWAY)
    both = Outlets([Way(outlets=[outlet(one, apart=True), outlet(other, apart=True)])])
    out = gone("ab", error())
    assert await both(out) == [AWAY_TO] * 2
    other.says = CONFIRMED
    assert await both(out) == [CONFIRMED] * 2
    assert (one.told, other.told) == ([["a"], ["b"]], [["a"], ["b"]] * 2)
    assert await both(gone("a", error())) == [CONFIRMED]
    assert len(one.sent) == 3, "another giving up is told anew"


@virtual
async def test_a_full_record_says_all_that_a_replay_needs() -> None:
    """Mutations: a key that hangs on the attempt; no class; no version."""
    to = To()
    await outlet(to)(gone("ab", failed("Sandbox.Timedout")))
    record = json.loads(to.sent[0].body)
    assert list(record)[-2:] == ["payload", "headrace"]
    assert record["headrace"] == {
        "service": "s",
        "mapping": "orders",
        "source": "thing",
        "lane": "q",
        "class": "timeout",
        "ids": ["a", "b"],
        "keys": ["s/orders/q/a", "s/orders/q/b"],
        "handlerVersion": "sha256:0",
    }


def success(to: To, **more: Any) -> Outlet:
    write = InvocationRecords(about=about(), render=lambda some: {"Records": ids(some), "pad": "x" * 500})
    return Outlet(destination=to, write=write, apart=False, payload=Payload.OBJECT, log=Lines(), whole=True, **more)


@virtual
async def test_a_success_is_one_record_of_one_invocation_in_lambdas_form() -> None:
    """lambda-semantics 8: no functionError. Mutations: one a record; the error's keys; an unqualified ARN."""
    to = To()
    outcome = ok()
    assert await success(to)(gone("ab", outcome, SUCCESS)) == [CONFIRMED] * 2
    (message,) = to.sent
    record = json.loads(message.body)
    assert list(record) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    assert record["requestContext"] == {
        "requestId": "r",
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:fn:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 2,
    }
    assert record["requestPayload"]["Records"] == ["a", "b"]
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert (message.condition, message.function, message.hops) == (SUCCESS, "fn", 1)


@virtual
async def test_a_success_that_is_too_large_is_told_without_its_payload() -> None:
    """The handler must not run again for it. Mutations: held for ever; taken apart; said to be whole."""
    to = To(limit=500)
    assert await success(to)(gone("ab", ok(), SUCCESS)) == [CONFIRMED] * 2
    whole, bare = (json.loads(one.body) for one in to.sent)
    assert "requestPayload" in whole
    assert bare.keys() & {"requestPayload", "responsePayload"} == set()
    assert bare["payloadOmitted"] == "to: too large"


@virtual
async def test_a_runaway_ends_whatever_the_way_of_its_records_is() -> None:
    """Mutation: counted for functions of the config alone, while a circle over queues goes on for ever."""
    for hops, replies in ((MOST_HOPS - 1, [CONFIRMED]), (MOST_HOPS, [Reply(Said.REFUSED, CIRCLE)])):
        to = To()
        write = InvocationRecords(
            about=about(hops=lambda _, hops=hops: hops), render=lambda some: {"Records": ids(some)}
        )
        told = Outlet(destination=to, write=write, apart=False, payload=Payload.OBJECT, log=Lines(), whole=True)
        assert await told(gone("a", ok(), SUCCESS)) == replies


CIRCLE = "its content has come through 16 functions already, so this is a circle; break it"
