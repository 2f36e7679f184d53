"""The receiver: a place reserved first, pollers that follow the backlog, a stop that loses nothing here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from headrace.model import Condition
from headrace.observe import log
from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from headrace_connectors.sqs.inbox import GroupedInbox, Inbox
from headrace_connectors.sqs.receipts import Receipts
from headrace_connectors.sqs.receiver import LONG_POLL, Receiver
from support.scripted import ScriptedClient, message


class Desk:
    """A receiver over a scripted queue of `backlog` messages; calls take 50 ms, or wait their time out when empty."""

    def __init__(
        self,
        backlog: int,
        *,
        most: int = 8,
        answer: Callable[[dict[str, Any]], Any] | None = None,
        inbox: GroupedInbox | None = None,
    ) -> None:
        self.backlog = backlog
        self.given = 0
        self.out = self.peak = 0
        self.conditions: list[Condition] = []
        self.client = ScriptedClient(lambda _, params: (answer or self._answer)(params))
        receipts = Receipts(self.client, "url", visibility=30, ceiling=43200, clock=FakeClock(), log=log())
        self.receiver = Receiver(
            self.client,
            "url",
            receipts,
            Inbox() if inbox is None else inbox,
            fetch_again=isinstance(inbox, GroupedInbox),
            most=most,
            set_condition=self.conditions.append,
            log=log(),
        )

    async def _answer(self, params: dict[str, Any]) -> dict[str, Any]:
        self.out += 1
        self.peak = max(self.peak, self.out)
        try:
            count = min(params["MaxNumberOfMessages"], self.backlog)
            self.backlog -= count
            await asyncio.sleep(0.05 if count else params["WaitTimeSeconds"])
            messages = [message(self.given + number) for number in range(count)]
            self.given += count
            return {"Messages": messages} if messages else {}
        finally:
            self.out -= 1

    async def __aenter__(self) -> Self:
        self.tending = asyncio.ensure_future(self.receiver.tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.tending.cancel()
        await asyncio.gather(self.tending, return_exceptions=True)


@virtual
async def test_never_asks_for_more_than_there_is_room_for() -> None:
    """Catches: a receive of ten for a free place of three (the rest burns a delivery attempt)."""
    async with Desk(1000) as desk:
        assert len(await desk.receiver.take(3)) == 3
        await asyncio.sleep(5)
        assert desk.given == 3
        for _ in range(20):
            await desk.receiver.take(25)
            await asyncio.sleep(0.2)
            assert len(desk.receiver) + desk.out * 10 <= 25
        asked = [params["MaxNumberOfMessages"] for params in desk.client.named("ReceiveMessage")]
        assert max(asked) == 10


@virtual
async def test_receives_follow_the_backlog_up_and_fall_back_when_idle() -> None:
    """At most `most` side by side; an idle queue costs three empty receives a minute."""
    async with Desk(2000, most=4) as desk:
        while desk.backlog:
            await desk.receiver.take(200)
        assert desk.peak == 4
        waiting = asyncio.ensure_future(desk.receiver.take(200))
        await asyncio.sleep(60)
        before = len(desk.client.calls)
        await asyncio.sleep(120)
        assert len(desk.client.calls) - before <= 6
        assert desk.client.named("ReceiveMessage")[-1]["WaitTimeSeconds"] == LONG_POLL
        waiting.cancel()


@virtual
async def test_a_refusal_is_said_and_tried_again() -> None:
    turns = iter(range(100))

    def answer(_: dict[str, Any]) -> Any:
        return AwsError("AccessDenied", "no") if next(turns) < 3 else {"Messages": [message(1)]}

    async with Desk(0, answer=answer) as desk:
        assert [one.id for one in await desk.receiver.take(1)] == ["m1"]
        assert [condition.state for condition in desk.conditions] == ["unavailable"] * 3 + ["polling"]
        assert desk.conditions[0].reason.startswith("AccessDenied: no; allow these credentials")


@virtual
async def test_a_stop_reads_what_comes_and_drops_a_silent_call_within_a_second() -> None:
    """Catches: a stop that waits out the long poll, or that throws away an answer which is on its way."""
    async with Desk(5) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(100))
        assert len(await fetching) == 5
        desk.backlog = 0
        fetching = asyncio.ensure_future(desk.receiver.take(100))
        await asyncio.sleep(3)
        fetching.cancel()
        loop = asyncio.get_running_loop()
        start = loop.time()
        left, dropped = await desk.receiver.halt()
        assert (left, dropped) == ([], 1)
        assert loop.time() - start < 1


@virtual
async def test_a_stop_gives_what_lies_in_the_inbox_in_order() -> None:
    async with Desk(30) as desk:
        first = await desk.receiver.take(30)
        fetching = asyncio.ensure_future(desk.receiver.take(20))
        await asyncio.sleep(0.01)
        fetching.cancel()
        left, dropped = await desk.receiver.halt()
        assert dropped == 0
        assert [int(one.id[1:]) for one in [*first, *left]] == list(range(len(first) + len(left)))
        assert left
        calls = len(desk.client.calls)
        await asyncio.sleep(30)
        assert len(desk.client.calls) == calls


@virtual
async def test_after_a_stop_nothing_is_asked_again() -> None:
    """An answer breaks off while the stop waits for it. Catches: a retry whose messages nobody gives back."""

    async def breaks(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(3)
        raise AwsError("ClientPayloadError", "cut")

    async with Desk(0, answer=breaks) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(10))
        await asyncio.sleep(2)
        fetching.cancel()
        (call,) = desk.receiver._running.values()
        call.receive.arriving()
        assert await desk.receiver.halt() == ([], 1)
        await asyncio.sleep(60)
        assert len(desk.client.calls) == 1


@virtual
async def test_a_stop_in_back_off_drops_no_call() -> None:
    async with Desk(0, answer=lambda _: AwsError("AccessDenied", "no")) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(10))
        await asyncio.sleep(200)
        fetching.cancel()
        assert await desk.receiver.halt() == ([], 0)


def by_fives(*, apart: bool = False) -> GroupedInbox:
    return GroupedInbox(5, apart=apart)


@virtual
async def test_a_fifo_receive_is_handed_out_whole_and_takes_one_place() -> None:
    """Catches: a page that is filled up from another receive, a small page that takes no place."""
    async with Desk(3, inbox=by_fives()) as desk:
        assert len(await desk.receiver.take(20)) == 3
        desk.backlog = 100
        pages = [await desk.receiver.take(10) for _ in range(20)]
        assert [len(page) for page in pages] == [5] * 20
        assert all(len({record.token for record in page}) == 1 for page in pages)
        assert {params["MaxNumberOfMessages"] for params in desk.client.named("ReceiveMessage")} == {5}


@virtual
async def test_places_are_reserved_for_every_fifo_receive() -> None:
    """Two places: two receives at most, waiting pages included. Catches: reserving by message."""
    async with Desk(1000, inbox=by_fives()) as desk:
        await desk.receiver.take(10)
        for _ in range(10):
            desk.receiver._room = 10
            desk.receiver._wanted.set()
            await asyncio.sleep(0.3)
            assert desk.out + len(desk.receiver._inbox._waiting) <= 2


@virtual
async def test_with_one_group_a_batch_each_group_is_a_page_and_a_place_is_kept_for_each() -> None:
    groups = iter("abacbddddddd")

    def grouped(params: dict[str, Any]) -> dict[str, Any]:
        return {"Messages": [message(n, group=next(groups)) for n in range(params["MaxNumberOfMessages"])]}

    async with Desk(0, inbox=by_fives(apart=True), answer=grouped) as desk:
        pages = [await desk.receiver.take(limit) for limit in (25, 20, 15)]
        assert [[record.id for record in page] for page in pages] == [["m0", "m2"], ["m1", "m4"], ["m3"]]
        assert desk.client.named("ReceiveMessage")[0]["MaxNumberOfMessages"] == 5
        await desk.receiver.take(10)
        assert desk.client.named("ReceiveMessage")[1]["MaxNumberOfMessages"] == 2


@virtual
async def test_a_fifo_receive_that_failed_is_tried_again_under_its_own_id() -> None:
    """Catches: a new id for each try, which leaves what the lost answer held locked with its groups."""
    turns = iter(range(100))

    def answer(_: dict[str, Any]) -> Any:
        turn = next(turns)
        return AwsError("ClientPayloadError", "cut") if turn in {0, 1, 3} else {"Messages": [message(turn)]}

    async with Desk(0, answer=answer, inbox=by_fives()) as desk:
        await desk.receiver.take(5)
        await desk.receiver.take(5)
        used = [params["ReceiveRequestAttemptId"] for params in desk.client.named("ReceiveMessage")[:5]]
        assert used[0] == used[1] == used[2]
        assert used[3] == used[4]
        assert used[0] != used[3]


@virtual
async def test_a_stop_fetches_again_what_a_fifo_call_was_cut_off_from() -> None:
    """Catches: dropping the call, and with it the messages that SQS had picked for it."""
    cut: list[str] = []

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        if params["ReceiveRequestAttemptId"] in cut:
            assert params["WaitTimeSeconds"] == 0
            return {"Messages": [message(1), message(2)]}
        cut.append(params["ReceiveRequestAttemptId"])
        await asyncio.sleep(20)
        raise AssertionError("nobody waits for this")

    async with Desk(0, answer=answer, inbox=by_fives()) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(5))
        await asyncio.sleep(3)
        fetching.cancel()
        left, dropped = await desk.receiver.halt()
        assert [record.id for record in left] == ["m1", "m2"]
        assert all(record.raw["ReceiptHandle"] in record.token.held for record in left)
        assert dropped == 0


@virtual
async def test_a_fifo_call_that_cannot_be_fetched_again_is_counted() -> None:
    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(1)
        raise AwsError("EndpointConnectionError", "gone")

    async with Desk(0, answer=answer, inbox=by_fives()) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(5))
        await asyncio.sleep(0.2)
        fetching.cancel()
        assert await desk.receiver.halt() == ([], 1)


@virtual
async def test_a_fifo_call_whose_back_off_ends_in_the_stop_is_fetched_again_too() -> None:
    """Catches: a task that sees the stop by itself and ends, and with it what its lost answer held."""
    turns = iter(range(100))

    def answer(_: dict[str, Any]) -> Any:
        return AwsError("ClientPayloadError", "cut") if next(turns) == 0 else {"Messages": [message(1)]}

    async with Desk(0, answer=answer, inbox=by_fives()) as desk:
        fetching = asyncio.ensure_future(desk.receiver.take(5))
        await asyncio.sleep(0.001)
        fetching.cancel()
        left, dropped = await desk.receiver.halt()
        assert ([record.id for record in left], dropped) == (["m1"], 0)
        first, second = desk.client.named("ReceiveMessage")
        assert first["ReceiveRequestAttemptId"] == second["ReceiveRequestAttemptId"]
