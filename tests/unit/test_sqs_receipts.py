"""Receipts: renewal from receive to delete, and a clock that runs out before SQS's."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from headrace.model import Record
from headrace.observe import log
from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from headrace_connectors.sqs.event import records as made
from headrace_connectors.sqs.receipts import Receipts, Receive
from support.scripted import ScriptedClient, all_done, message

CHANGE = "ChangeMessageVisibilityBatch"


def receipts(client: Any, *, visibility: int = 30, ceiling: int = 43200) -> Receipts:
    return Receipts(client, "url", visibility=visibility, ceiling=ceiling, clock=FakeClock(), log=log())


def receive(kept: Receipts, numbers: range) -> tuple[Receive, list[Record]]:
    asked = kept.ask(20)
    kept.arrived(asked)
    records = made([message(number) for number in numbers], asked, asked.until)
    kept.hold(asked, records)
    return asked, records


async def beside(kept: Receipts, seconds: float) -> None:
    tending = asyncio.ensure_future(kept.tend())
    await asyncio.sleep(seconds)
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)


@virtual
async def test_one_call_a_receive_at_half_of_its_time_and_not_before() -> None:
    """Catches: a call for each message, renewal on a fixed period, renewal only once."""
    client = ScriptedClient(lambda _, params: all_done(params))
    kept = receipts(client)
    start = asyncio.get_running_loop().time()
    _, records = receive(kept, range(7))
    await beside(kept, 60)
    times = [when - start for when, _, _ in client.calls]
    assert all(len(params["Entries"]) == 7 for params in client.named(CHANGE))
    assert 15 <= times[0] <= 19
    assert all(15 <= later - sooner <= 19 for sooner, later in itertools.pairwise(times))
    assert records[0].until > asyncio.get_running_loop().time()


@virtual
async def test_what_was_released_is_renewed_no_more() -> None:
    """Catches: a message given back and then hidden again by its renewal."""
    client = ScriptedClient(lambda _, params: all_done(params))
    kept = receipts(client)
    _, records = receive(kept, range(3))
    kept.release(records[:2])
    await beside(kept, 20)
    assert [len(params["Entries"]) for params in client.named(CHANGE)] == [1]
    kept.release(records[2:])
    await beside(kept, 60)
    assert len(client.named(CHANGE)) == 1


@virtual
async def test_a_refused_renewal_stops_the_message_and_only_it() -> None:
    """Catches: `Failed` that nobody reads."""

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        first, *rest = params["Entries"]
        return {
            "Successful": [{"Id": entry["Id"]} for entry in rest],
            "Failed": [{"Id": first["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": True}],
        }

    kept = receipts(ScriptedClient(answer))
    _, records = receive(kept, range(3))
    await beside(kept, 20)
    now = asyncio.get_running_loop().time()
    assert records[0].until <= now < min(records[1].until, records[2].until)


@virtual
async def test_a_failed_renewal_call_is_tried_again_and_the_clock_runs_on() -> None:
    """Catches: `until` moved before the answer; no second try."""
    broken = True

    def answer(_: str, params: dict[str, Any]) -> Any:
        return AwsError("ServiceUnavailable", "") if broken else all_done(params)

    client = ScriptedClient(answer)
    kept = receipts(client)
    _, records = receive(kept, range(1))
    first = records[0].until
    await beside(kept, 22)
    assert records[0].until == first
    assert len(client.calls) > 1
    broken = False
    await beside(kept, 5)
    assert records[0].until > first


@virtual
async def test_a_renewal_that_is_denied_says_so_until_one_is_not() -> None:
    """Mutations: only the log tells of it; it is told for ever."""
    denial = [AwsError("AccessDenied", "no", mend="allow it")]
    kept = receipts(ScriptedClient(lambda _, params: denial[0] if denial else all_done(params)))
    receive(kept, range(1))
    tending = asyncio.ensure_future(kept.tend())
    await asyncio.sleep(19)
    denied: Any = kept.denied
    assert (denied.state, denied.reason) == ("denied", "AccessDenied: no; allow it")
    denial.clear()
    await asyncio.sleep(10)
    assert kept.denied is None
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)


@virtual
async def test_an_answer_that_names_nothing_renews_nothing() -> None:
    """A truncated body comes as an empty answer. Catches: silence taken for success."""
    kept = receipts(ScriptedClient(lambda *_: {}))
    _, records = receive(kept, range(2))
    first = records[0].until
    await beside(kept, 40)
    assert [one.until for one in records] == [first, first]


@virtual
async def test_what_an_answer_does_not_confirm_is_renewed_again_before_its_time_is_over() -> None:
    """An empty answer, and a fault of the server's own. Catches: the next try only when the visibility is over."""
    turns = iter(range(100))

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        first, *rest = params["Entries"]
        match next(turns):
            case 0:
                return {}
            case 1:
                failed = {"Id": first["Id"], "Code": "InternalError", "SenderFault": False}
                return {"Successful": [{"Id": one["Id"]} for one in rest], "Failed": [failed]}
        return all_done(params)

    kept = receipts(ScriptedClient(answer))
    _, records = receive(kept, range(2))
    first = records[0].until
    await beside(kept, 27)
    assert all(one.until > first for one in records)


@virtual
async def test_a_renewal_that_hangs_is_asked_again_before_the_visibility_is_over() -> None:
    """A half-open connection. Catches: a call that outlasts what it is to renew."""
    turns = iter(range(100))

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        if next(turns) == 0:
            await asyncio.sleep(1000)
        return all_done(params)

    kept = receipts(ScriptedClient(lambda _, params: answer(params)))
    _, records = receive(kept, range(2))
    first = records[0].until
    await beside(kept, 29)
    assert all(one.until > first for one in records)


@virtual
async def test_renewal_ends_at_the_ceiling() -> None:
    client = ScriptedClient(lambda _, params: all_done(params))
    kept = receipts(client, visibility=30, ceiling=40)
    start = asyncio.get_running_loop().time()
    _, records = receive(kept, range(1))
    await beside(kept, 200)
    assert records[0].until <= start + 40
    assert client.named(CHANGE)[-1]["Entries"][0]["VisibilityTimeout"] < 30


@virtual
async def test_the_base_of_a_long_poll_follows_at_a_distance() -> None:
    """Catches: visibility counted from the sending of a long poll (dead on arrival), or from reading its answer."""
    kept = receipts(ScriptedClient(lambda _, params: all_done(params)))
    asked = kept.ask(20)
    sent = asked.base
    await beside(kept, 20)
    now = asyncio.get_running_loop().time()
    assert now - 2.5 <= asked.base < now - 0.9
    assert sent < asked.base


@virtual
async def test_an_answer_from_before_a_sleep_counts_from_before_the_sleep() -> None:
    """SIGSTOP: the answer lay in the socket. Catches: time of reading taken for time of receipt."""
    kept = receipts(ScriptedClient(lambda _, params: all_done(params)))
    asked = kept.ask(20)
    tending = asyncio.ensure_future(kept.tend())
    await asyncio.sleep(5)
    before = asyncio.get_running_loop().time()
    asyncio.get_running_loop()._jumping.now += 60
    await asyncio.sleep(0.6)
    kept.arrived(asked)
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)
    assert asked.base <= before
    assert asked.until < asyncio.get_running_loop().time()


@virtual
async def test_an_answer_that_the_network_held_back_counts_from_when_it_was_due() -> None:
    """A black hole: SQS answered within the wait, and we read it much later. Catches: a base that follows for ever."""
    kept = receipts(ScriptedClient(lambda _, params: all_done(params)))
    asked = kept.ask(1)
    sent = asked.base
    await beside(kept, 40)
    kept.arrived(asked)
    assert asked.base <= sent + 1
    assert asked.until < asyncio.get_running_loop().time()


@virtual
async def test_every_try_of_a_call_counts_anew() -> None:
    """Catches: a retry's fresh messages taken for lapsed ones."""
    kept = receipts(ScriptedClient(lambda _, params: all_done(params)))
    asked = kept.ask(1)
    asked.arriving()
    await beside(kept, 40)
    asked.sent()
    assert asked.base == asyncio.get_running_loop().time()
    assert not asked.begun


@virtual
async def test_what_was_settled_is_swept_out() -> None:
    """Catches: a receive that stays for half of a long visibility after its last message was deleted."""
    kept = receipts(ScriptedClient(lambda _, params: all_done(params)), visibility=43200)
    _, still = receive(kept, range(3))
    for number in range(10, 5010):
        _, done = receive(kept, range(number, number + 1))
        kept.release(done)
    assert len(kept._due) < 1100
    assert any(held is still[0].token for _, held in kept._due)


@virtual
async def test_an_odd_answer_to_a_renewal_is_no_end() -> None:
    kept = receipts(ScriptedClient(lambda *_: {"Successful": [{"Id": "x"}, {}], "Failed": [{"Id": "9"}, {}]}))
    _, records = receive(kept, range(2))
    first = records[0].until
    await beside(kept, 40)
    assert records[0].until == first


@virtual
async def test_what_has_lapsed_is_renewed_no_more() -> None:
    """The process was stopped for longer than the visibility. Catches: taking a message back that is with another."""
    client = ScriptedClient(lambda _, params: all_done(params))
    kept = receipts(client)
    _, records = receive(kept, range(2))
    await asyncio.sleep(30)
    await beside(kept, 60)
    assert client.calls == []
    assert all(record.until <= asyncio.get_running_loop().time() for record in records)
