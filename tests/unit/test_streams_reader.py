"""The reader that Kinesis and DynamoDB Streams share: slices, iterators, refusals, pace, the end. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from headrace.model import LaneEnded, Record
from headrace.observe import log
from headrace.shards import Listed
from headrace.testing.clock import FakeClock, virtual
from headrace_connectors.aws import AwsError
from headrace_connectors.streams.pages import Pages
from headrace_connectors.streams.reader import Page, PagedReader
from headrace_connectors.streams.refusals import Refusal, Refused, refusal


def record(number: int, token: str | None = None, at: float = 0.0) -> Record:
    return Record(f"r{number}", {}, at, 10, None, token or str(number))


def page(*numbers: int, then: str | None = "more", **more: Any) -> Page:
    return Page(
        records=[record(number) for number in numbers],
        next=then,
        reached=str(numbers[-1]) if numbers else None,
        **more,
    )


class Calls:
    """Answers from a script: pages, or errors that are raised. `log` is what was asked."""

    def __init__(self, *script: Page | Exception, children: Sequence[Listed] | Exception = ()) -> None:
        self.script, self.born = list(script), children
        self.log: list[tuple[str, str, float]] = []

    async def iterator(self, after: str) -> str:
        self._note("iterator", after)
        return f"after-{after}"

    async def page(self, iterator: str) -> Page:
        self._note("page", iterator)
        await asyncio.sleep(0.01)
        answer = self.script.pop(0) if self.script else page(caught_up=True, behind=0.0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def children(self) -> Sequence[Listed]:
        if isinstance(self.born, Exception):
            raise self.born
        return self.born

    def _note(self, what: str, value: str) -> None:
        self.log.append((what, value, asyncio.get_running_loop().time()))

    def asked(self, what: str) -> list[str]:
        return [value for name, value, _ in self.log if name == what]


class Watched:
    """A reader, and what it told others."""

    def __init__(self, calls: Calls, on_trimmed: Any = "fail") -> None:
        self.found: list[Listed] = []
        self.lost = 0
        self.reader = PagedReader(
            "shard-1",
            "START",
            calls,
            beginning="TRIM_HORIZON",
            found=self.found.extend,
            on_trimmed=on_trimmed,
            pause=0.25,
            lost=self._count,
            clock=FakeClock(),
            log=log(),
        )

    def _count(self) -> None:
        self.lost += 1

    async def ids(self, limit: int = 100) -> list[str]:
        return [one.id for one in await self.reader.read(limit)]

    async def waits(self, seconds: float = 600) -> bool:
        """Whether a read brings nothing for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(10)
        except TimeoutError:
            return True
        return False


def test_slices_never_tear_a_position() -> None:
    """Catches: a cut inside the parts of one aggregated record, a limit that is taken for a page, an endless slice."""
    pages = Pages()
    pages.put([record(1), record(2, "x"), record(3, "x"), record(4, "x"), record(5)])
    slices = []
    while pages:
        assert pages.first is not None
        slices.append([one.id for one in pages.take(2)])
    assert slices == [["r1", "r2", "r3", "r4"], ["r5"]]
    assert pages.first is None


@virtual
async def test_a_page_is_asked_once_and_served_in_slices() -> None:
    calls = Calls(page(1, 2, 3), page(4))
    reading = Watched(calls)
    assert [await reading.ids(2), await reading.ids(2), await reading.ids(2)] == [["r1", "r2"], ["r3"], ["r4"]]
    assert calls.asked("page") == ["after-START", "more"]


@virtual
async def test_it_pauses_at_the_tip_and_not_while_behind() -> None:
    """Catches: a pause after every page, none at the tip."""
    calls = Calls(page(1), page(), page(), page(caught_up=True), page(2))
    reading = Watched(calls)
    await reading.ids()
    await reading.ids()
    times = [at for what, _, at in calls.log if what == "page"]
    gaps = [round(later - earlier, 2) for earlier, later in pairwise(times)]
    assert gaps == [0.01, 0.01, 0.01, 0.25]


@virtual
async def test_an_expired_iterator_is_asked_for_anew_from_the_last_page() -> None:
    """Catches: an iterator that is kept, a position of the start, one of what was served only."""
    calls = Calls(page(1, 2, 3), AwsError("ExpiredIteratorException", "old"), page(4))
    reading = Watched(calls)
    with capture_logs() as logs:
        assert [await reading.ids(), await reading.ids()] == [["r1", "r2", "r3"], ["r4"]]
    assert calls.asked("iterator") == ["START", "3"]
    assert [line["event"] for line in logs] == ["iterator.expired"]
    assert reading.reader.condition.ready


@virtual
async def test_iterators_that_expire_at_once_are_not_asked_for_in_a_rush() -> None:
    """And it is said meanwhile. Mutation: a state that stays `polling`, or that is `unavailable`."""
    expired = AwsError("ExpiredIteratorException", "old")
    calls = Calls(*[expired] * 20, page(1))
    reading = Watched(calls)
    asked = asyncio.ensure_future(reading.ids())
    await asyncio.sleep(3)
    assert reading.reader.condition.state == "iterator expired"
    assert await asked == ["r1"]
    assert reading.reader.condition.ready
    assert calls.log[-1][2] - calls.log[0][2] > 5


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("ProvisionedThroughputExceededException", "throttled"),
        ("LimitExceededException", "throttled"),
        ("KMSThrottlingException", "throttled"),
        ("AccessDeniedException", "denied"),
        ("ResourceNotFoundException", "missing"),
        ("KMSDisabledException", "key unavailable"),
        ("InternalServerError", "unavailable"),
        ("JSONDecodeError", "unavailable"),
        ("ValidationException", "unavailable"),
    ],
)
@virtual
async def test_a_refusal_is_a_condition_and_is_tried_again(code: str, state: str) -> None:
    """Catches: a refusal that ends the reader, one that loses its place, a condition that stays."""
    calls = Calls(page(1), AwsError(code, "no"), page(2))
    reading = Watched(calls)
    await reading.ids()
    task = asyncio.ensure_future(reading.ids())
    await asyncio.sleep(0.05)
    assert (reading.reader.condition.state, reading.reader.condition.ready) == (state, False)
    assert "no" in reading.reader.condition.reason
    assert await task == ["r2"]
    assert reading.reader.condition.ready
    assert calls.asked("iterator") == (["START", "1"] if code == "ValidationException" else ["START"])


@virtual
async def test_a_trimmed_position_fails_by_waiting() -> None:
    """Catches: a reader that raises, one that asks again and again, one that goes on behind the gap unasked."""
    calls = Calls(AwsError("TrimmedDataAccessException", "gone"))
    reading = Watched(calls)
    assert await reading.waits()
    assert await reading.waits()
    assert len(calls.log) == 2
    assert reading.reader.condition.state == "trimmed"
    assert "after START" in reading.reader.condition.reason
    assert "on_trimmed: skip" in reading.reader.condition.reason
    assert reading.lost == 0


@virtual
async def test_a_trimmed_position_is_skipped_when_that_was_chosen() -> None:
    """Catches: a gap that is not counted, not logged, or counted twice."""
    calls = Calls(AwsError("TrimmedDataAccessException", "gone"), page(7))
    reading = Watched(calls, "skip")
    with capture_logs() as logs:
        assert await reading.ids() == ["r7"]
    assert calls.asked("iterator") == ["START", "TRIM_HORIZON"]
    (line,) = [one for one in logs if one["event"] == "records.lost_to_retention"]
    assert (line["shard"], line["after"]) == ("shard-1", "START")
    assert reading.lost == 1


@virtual
async def test_a_shard_that_is_gone_ends_when_that_was_chosen_and_waits_otherwise() -> None:
    gone = Refused(Refusal.GONE, "no such shard")
    skipping = Watched(Calls(gone, children=[Listed(name="child")]), "skip")
    with pytest.raises(LaneEnded):
        await skipping.ids()
    assert (skipping.lost, skipping.reader.behind, len(skipping.found)) == (1, 0.0, 1)
    failing = Watched(Calls(gone))
    assert await failing.waits()
    assert failing.reader.condition.state == "trimmed"


@virtual
async def test_the_end_comes_after_the_last_record_and_its_children_once() -> None:
    """Catches: an end before the last page is served, children told twice or after the end."""
    calls = Calls(page(1, 2, then=None), children=[Listed(name="child", parents=("shard-1",))])
    reading = Watched(calls)
    assert await reading.ids(1) == ["r1"]
    assert await reading.ids(1) == ["r2"]
    assert reading.found == []
    for _ in range(2):
        with pytest.raises(LaneEnded):
            await reading.ids()
        assert [child.name for child in reading.found] == ["child"]


@virtual
async def test_children_that_cannot_be_asked_for_are_left_to_the_audit() -> None:
    reading = Watched(Calls(page(then=None), children=AwsError("ValidationException", "unknown")))
    with pytest.raises(LaneEnded):
        await reading.ids()
    assert reading.found == []


@virtual
async def test_a_cancelled_read_loses_nothing() -> None:
    """Catches: a page that is taken from the server and not kept, an iterator that moves before its page is here."""
    calls = Calls(*[page(number) for number in range(10)])
    reading = Watched(calls)
    got: list[str] = []
    while len(got) < 10:
        task = asyncio.ensure_future(reading.ids(1))
        await asyncio.sleep(0.005 if len(calls.log) % 3 else 0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            got += await task
    assert got == [f"r{number}" for number in range(10)]


@virtual
async def test_behind_is_never_0_while_records_wait() -> None:
    """Idle is behind 0: not while a part of a page waits. Catches: the page's own word taken as it is."""
    clock = FakeClock()
    old = Page(records=[record(1, at=clock.wall() - 60), record(2, at=clock.wall() + 60)], next="n", behind=0.0)
    reading = Watched(Calls(old))
    assert reading.reader.behind is None
    await reading.ids(1)
    assert reading.reader.behind == 0.001
    await reading.ids(1)
    assert reading.reader.behind == 0.0


def test_what_nobody_knows_is_unavailable() -> None:
    assert refusal(ValueError()) is Refusal.UNAVAILABLE
    assert refusal(AwsError("com.amazonaws.dynamodb#TrimmedDataAccessException", "")) is Refusal.TRIMMED
