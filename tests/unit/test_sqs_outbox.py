"""Deletes and give-backs: tens, and every entry of every answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from headrace.model import Record
from headrace.observe import log
from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from headrace_connectors.sqs.event import records as made
from headrace_connectors.sqs.outbox import Outbox
from support.scripted import ScriptedClient, all_done, message

DELETE = "DeleteMessageBatch"


class Books:
    def __init__(self, answer: Callable[[str, dict[str, Any]], Any], calls: int = 4, *, together: bool = False) -> None:
        self.client = ScriptedClient(answer)
        self.confirmed: list[str] = []
        self.refused: list[str] = []
        self.outbox = Outbox(
            self.client,
            DELETE,
            "url",
            together=together,
            calls=calls,
            confirmed=lambda records: self.confirmed.extend(one.id for one in records),
            refused=lambda records: self.refused.extend(one.id for one in records),
            clock=FakeClock(),
            log=log(),
        )

    async def beside(self, seconds: float) -> None:
        tending = asyncio.ensure_future(self.outbox.tend())
        await asyncio.sleep(seconds)
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)


def records(numbers: range, until: float = math.inf) -> list[Record]:
    return made([message(number) for number in numbers], None, until)


@virtual
async def test_tens_are_gathered_across_batches() -> None:
    books = Books(lambda _, params: all_done(params))
    for start in range(0, 24, 3):
        books.outbox.put(records(range(start, start + 3)))
    await books.beside(1)
    assert [len(params["Entries"]) for params in books.client.named(DELETE)] == [10, 10, 4]
    assert books.confirmed == [f"m{number}" for number in range(24)]
    assert len(books.outbox) == 0


@virtual
async def test_every_entry_of_the_answer_is_read() -> None:
    """Catches: 200 taken for success (bbc/sqs-consumer#193); a sender's fault tried for ever."""
    turns = iter(range(100))

    def answer(_: str, params: dict[str, Any]) -> dict[str, Any]:
        ids = [entry["Id"] for entry in params["Entries"]]
        if next(turns) == 0:
            return {
                "Successful": [{"Id": ids[0]}],
                "Failed": [
                    {"Id": ids[1], "Code": "InternalError", "SenderFault": False},
                    {"Id": ids[2], "Code": "ReceiptHandleIsInvalid", "SenderFault": True},
                ],
            }
        return all_done(params)

    books = Books(answer)
    books.outbox.put(records(range(4)))
    await books.beside(5)
    assert books.refused == ["m2"]
    assert books.confirmed == ["m0", "m1", "m3"]
    second = books.client.named(DELETE)[1]["Entries"]
    assert [entry["ReceiptHandle"] for entry in second] == ["r1-1", "r3-1"]


@virtual
async def test_a_right_that_is_missing_is_said_until_it_is_there() -> None:
    """Mutations: one that only the log tells of; a server that is away, taken for a denial; one that is never good."""
    turns = iter([AwsError("EndpointConnectionError", "away"), AwsError("AccessDenied", "no", mend="allow it")])
    books = Books(lambda _, params: next(turns, None) or all_done(params))
    tending = asyncio.ensure_future(books.outbox.tend())
    books.outbox.put(records(range(1)))
    await asyncio.sleep(0.1)
    assert books.outbox.denied is None
    await asyncio.sleep(0.2)
    denied: Any = books.outbox.denied
    assert (denied.state, denied.reason) == ("denied", "AccessDenied: no; allow it")
    await asyncio.sleep(5)
    assert (books.outbox.denied, books.confirmed) == (None, ["m0"])
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)


@pytest.mark.parametrize(("lasts", "given_up"), [(10, 10), (math.inf, 30)])
@virtual
async def test_an_answer_without_entries_confirms_nothing(lasts: float, given_up: float) -> None:
    """Catches: a truncated body read as success; a delete given up while it may yet work, or never, without bound."""
    books = Books(lambda *_: {})
    tending = asyncio.ensure_future(books.outbox.tend())
    books.outbox.put(records(range(2), until=asyncio.get_running_loop().time() + lasts))
    await asyncio.sleep(given_up - 1)
    assert (books.confirmed, books.refused) == ([], [])
    await asyncio.sleep(7)
    assert (books.confirmed, books.refused) == ([], ["m0", "m1"])
    assert len(books.client.calls) < 15
    assert len(books.outbox) == 0
    tending.cancel()
    await asyncio.gather(tending, return_exceptions=True)


@virtual
async def test_an_answer_for_entries_that_were_not_asked_is_nobody_s() -> None:
    """Catches: an odd answer that ends the lane."""
    odd = {"Successful": [{"Id": "7"}, {}, {"Id": "x"}], "Failed": [{"Id": "99", "SenderFault": True}, {}]}
    turns = iter(range(100))
    books = Books(lambda _, params: odd if next(turns) == 0 else all_done(params))
    books.outbox.put(records(range(2)))
    await books.beside(5)
    assert books.confirmed == ["m0", "m1"]


@pytest.mark.parametrize("calls", [1, 4])
@virtual
async def test_a_flush_keeps_the_number_of_calls_and_with_one_the_order(calls: int) -> None:
    out = peak = 0

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        nonlocal out, peak
        out += 1
        peak = max(peak, out)
        await asyncio.sleep(1)
        out -= 1
        return all_done(params)

    books = Books(lambda _, params: answer(params), calls)
    books.outbox.put(records(range(80)))
    await books.outbox.flush()
    assert peak == calls
    assert sorted(books.confirmed) == sorted(f"m{number}" for number in range(80))
    if calls == 1:
        assert books.confirmed == [f"m{number}" for number in range(80)]


@virtual
async def test_what_is_under_way_at_a_stop_is_sent_again_by_the_flush() -> None:
    """Catches: entries that a cancelled call took with it."""
    hang = True

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        if hang:
            await asyncio.sleep(1000)
        return all_done(params)

    books = Books(lambda _, params: answer(params))
    books.outbox.put(records(range(13)))
    await books.beside(1)
    assert (books.confirmed, len(books.outbox)) == ([], 13)
    hang = False
    await books.outbox.flush()
    assert sorted(books.confirmed) == sorted(f"m{number}" for number in range(13))
    assert len(books.outbox) == 0


@virtual
async def test_a_flush_that_is_cut_short_counts_what_it_leaves() -> None:
    """The server is away at the end of a stop. Catches: repeats to come of which no count and no line of log tells."""

    async def never(_: str, params: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(1000)
        return all_done(params)

    books = Books(never)
    books.outbox.put(records(range(13)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(books.outbox.flush(), 10)
    assert (books.confirmed, sorted(books.refused)) == ([], sorted(f"m{number}" for number in range(13)))
    assert len(books.outbox) == 0


@virtual
async def test_an_outage_is_waited_out_for_some_tries() -> None:
    turns = iter(range(100))
    books = Books(lambda _, params: AwsError("ServiceUnavailable", "") if next(turns) < 3 else all_done(params))
    books.outbox.put(records(range(1)))
    await books.beside(5)
    assert books.confirmed == ["m0"]


@virtual
async def test_what_was_put_together_goes_in_one_call_at_once() -> None:
    """Catches: a FIFO batch whose deletes are split over calls (one lost, and the order with it), or wait for more."""
    books = Books(lambda _, params: all_done(params), together=True)
    for start in (0, 4, 8, 15):
        books.outbox.put(records(range(start, start + 7)))
    books.outbox.put(records(range(30, 45)))  # more than a call takes: cut, in order
    assert len(books.outbox) == 4 * 7 + 15
    await books.beside(0.001)
    sent = [[entry["ReceiptHandle"] for entry in call["Entries"]] for call in books.client.named(DELETE)]
    units = [[f"r{number}-1" for number in range(start, start + 7)] for start in (0, 4, 8, 15)]
    assert sent == [*units, *[[f"r{number}-1" for number in part] for part in (range(30, 40), range(40, 45))]]
    assert len(books.confirmed) == 4 * 7 + 15


@virtual
async def test_nothing_is_sent_for_a_fifo_message_whose_time_is_over() -> None:
    """Another copy may have it. Catches: a delete from under that copy's handler, which lets its group go on."""
    books = Books(lambda _, params: all_done(params), together=True)
    now = asyncio.get_running_loop().time()
    lapsed, ours = records(range(2), until=now), records(range(2, 4), until=now + 60)
    books.outbox.put([*lapsed, *ours])
    await books.beside(1)
    assert (books.confirmed, books.refused) == (["m2", "m3"], ["m0", "m1"])
    assert len(books.client.calls[0][2]["Entries"]) == 2
    assert len(books.outbox) == 0
