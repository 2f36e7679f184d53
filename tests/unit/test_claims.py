"""Claim checks in core: kept whole before a ticket goes in its place, whatever the source; one object a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from headrace.claims import Claim, claim_in, object_name
from headrace.destination import CONFIRMED, SUCCESS, Message, Payload, Reply, Said
from headrace.model import Origin
from headrace.outgoing import Outgoing
from headrace.outlet import Outlet
from headrace.policy import EXHAUSTED
from headrace.testing import virtual
from headrace.writing import FailureRecords, InvocationRecords, Writer
from support.engine import Lines, error, ids, ok, records
from support.messages import about, message

LIMIT = 1000
"""Bytes: a record without its payload has fewer, a large one's payload more."""
UUIDS = UUID(int=1), UUID(int=2)


class Steps:
    """What became of messages, in order: a destination with a limit and a claim check write into one list."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.kept: dict[str, Any] = {}
        self.says: Reply = CONFIRMED


class To:
    name = "to"

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        replies = [CONFIRMED if len(one.body) <= LIMIT else Reply(Said.REFUSED, "too large") for one in messages]
        both = zip(messages, replies, strict=True)
        self._steps.taken += [("told", json.loads(one.body)) for one, reply in both if reply is CONFIRMED]
        return replies

    async def close(self) -> None: ...


class Store:
    name = "store"

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def claim(self, message: Message) -> Claim:
        return {"type": "store", "key": message.id}

    async def keep(self, message: Message) -> Reply:
        self._steps.taken.append(("kept", message.id))
        if self._steps.says is CONFIRMED:
            self._steps.kept[message.id] = json.loads(message.body)
        return self._steps.says

    async def close(self) -> None: ...


def render(some: Sequence[Any]) -> Any:
    """What has a capital is large."""
    return {"Records": [{"id": one.id, "data": "x" * (LIMIT if one.id.isupper() else 1)} for one in some]}


def failures(payload: Any = render) -> Writer:
    def origin(_: str, some: Sequence[Any]) -> Origin:
        return Origin(block="ThingInfo", info={"ids": ids(some)})

    return FailureRecords(about=about(), origin=origin, render=payload, full=True)


def invocations(request_id: str | None = None) -> Writer:
    return InvocationRecords(about=about(), render=render, request_id=(lambda _: request_id) if request_id else None)


def outlet(steps: Steps, write: Writer | None = None, **more: Any) -> Outlet:
    known = {"apart": False, "payload": Payload.OBJECT, "log": Lines(), "claims": Store(steps), **more}
    return Outlet(destination=To(steps), write=write or failures(), **known)


def gone(names: str, reason: str = EXHAUSTED, **more: Any) -> Outgoing:
    outcome = ok() if reason == SUCCESS else error()
    some = records(names)
    known = {"lane": "q", "reason": reason, "attempts": 2, "outcome": outcome, "request_id": "r", "at": 1764088801.123}
    return Outgoing(records=some, **{**known, **more})


@virtual
async def test_a_queues_record_is_kept_and_then_a_ticket_is_told() -> None:
    """Mutations: told first; a note beside the ticket; kept without its payload; the small one kept, too; returned."""
    steps, log = Steps(), Lines()
    assert await outlet(steps, apart=True, log=log)(gone("aB")) == [CONFIRMED] * 2
    assert log.lines == [("payload.kept", {"lane": "q", "ids": ["B"], "claim": {"type": "store", "key": "B-q"}})]
    (_, small), kept, (_, ticket) = steps.taken
    assert small["payload"]["Records"] == [{"id": "a", "data": "x"}]
    assert kept == ("kept", "B-q")
    assert "payload" not in ticket
    assert "payloadOmitted" not in ticket
    assert claim_in(ticket) == {"type": "store", "key": "B-q"}
    assert claim_in(small) is None
    whole = steps.kept["B-q"]
    assert whole["payload"]["Records"][0]["id"] == "B"
    assert {key: one for key, one in whole.items() if key != "payload"} == {
        key: one for key, one in ticket.items() if key != "claimCheck"
    }


@virtual
async def test_a_claim_check_that_is_away_holds_the_record_and_is_asked_once_a_try() -> None:
    """Mutations: told of all the same; refused for good; every record's own try."""
    steps = Steps()
    steps.says = Reply(Said.FAILED, "away")
    out = gone("aBC")
    assert await outlet(steps, apart=True)(out) == [CONFIRMED, *[Reply(Said.FAILED, "store: away")] * 2]
    assert [what for what, _ in steps.taken] == ["told", "kept"]
    steps.says = CONFIRMED
    left = replace(out, records=out.records[1:])
    assert await outlet(steps, apart=True)(left) == [CONFIRMED] * 2
    assert set(steps.kept) == {"B-q", "C-q"}


@virtual
async def test_a_repeat_overwrites_itself() -> None:
    """A queue's record that was kept, and whose process was killed. Mutation: another name each time."""
    steps = Steps()
    for request_id in "rs":
        await outlet(steps, apart=True)(gone("B", request_id=request_id, at=float(ord(request_id))))
    assert list(steps.kept) == ["B-q"]
    one, same, other = message("m", b"1"), message("m", b"2", at=7), message("n", b"1")
    assert object_name(UUIDS[0], one) == object_name(UUIDS[0], same)
    assert len({object_name(UUIDS[0], one), object_name(UUIDS[0], other), object_name(UUIDS[1], one)}) == 3


@virtual
async def test_a_logs_records_go_one_by_one_and_the_large_one_is_kept() -> None:
    """Mutations: the whole batch is kept; metadata with a note, though there is a claim check."""
    steps = Steps()
    assert await outlet(steps)(gone("aBc")) == [CONFIRMED] * 3
    told = [one for what, one in steps.taken if what == "told"]
    assert [(one["ThingInfo"]["ids"], "payload" in one, "claimCheck" in one) for one in told] == [
        (["a"], True, False),
        (["c"], True, False),
        (["B"], False, True),
    ]
    (whole,) = steps.kept.values()
    assert whole["ThingInfo"]["ids"] == ["B"]


@virtual
async def test_metadata_is_never_kept() -> None:
    """It has no payload that could be left out. Mutation: kept all the same."""
    steps = Steps()
    out = replace(gone("B"), records=records(["B" * LIMIT]))
    (reply,) = await outlet(steps, payload=Payload.OMITTED)(out)
    assert (reply.said, steps.taken) == (Said.REFUSED, [])


@pytest.mark.parametrize(("reason", "request_id"), [(SUCCESS, None), (SUCCESS, "i"), (EXHAUSTED, "i")])
@virtual
async def test_an_invocation_is_kept_whole(reason: str, request_id: str | None) -> None:
    """Mutations: its answer is told beside the ticket; a success that is told without one."""
    steps, asynchronous = Steps(), request_id is not None
    write = invocations(request_id)
    out = gone("B", reason)
    assert await outlet(steps, write, apart=asynchronous, whole=reason == SUCCESS)(out) == [CONFIRMED]
    (_, ticket) = steps.taken[-1]
    assert not ticket.keys() & {"requestPayload", "responsePayload", "payloadOmitted"}
    (whole,) = steps.kept.values()
    assert whole["requestPayload"]["Records"][0]["id"] == "B"
    assert whole["requestContext"] == ticket["requestContext"]
    assert claim_in(ticket) is not None


@virtual
async def test_what_no_record_can_be_made_of_stays() -> None:
    """A queue's would be deleted, and nothing of it kept. Mutation: told as metadata."""
    steps = Steps()

    def broken(_: Any) -> Any:
        raise ValueError("odd")

    (reply,) = await outlet(steps, failures(broken), apart=True)(gone("B"))
    assert reply.said is Said.REFUSED
    assert (steps.taken, steps.kept) == ([], {})


@virtual
async def test_a_store_that_raises_is_away() -> None:
    """Mutation: the lane ends."""

    class Broken(Store):
        async def keep(self, message: Message) -> Reply:
            raise OSError("torn")

    steps = Steps()
    (reply,) = await outlet(steps, apart=True, claims=Broken(steps))(gone("B"))
    assert reply == Reply(Said.FAILED, "store: OSError: torn")


@pytest.mark.parametrize("ticket", [None, "s3", {}, {"key": "k"}, {"type": "s3", "key": 7}])
def test_only_a_ticket_is_one(ticket: Any) -> None:
    assert claim_in({"claimCheck": ticket}) is None
