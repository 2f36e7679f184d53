# ruff: noqa: S101, PLR2004 - this is a suite: it asserts, and the expected number is the point of a test
"""What every lane must do: a suite for the authors of connectors.

```python
class TestMyLane(LaneConformance, Redelivers):
    @pytest.fixture
    async def harness(self, server) -> AsyncIterator[Harness]:
        yield MyHarness(server)
```

Time is the loop's own: real against a real server, virtual under `on_virtual_time`. Needs pytest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress

import pytest

from headrace.model import Held, Lane, LaneEnded, LaneLost, Order, Record
from headrace.testing.harness import Harness


async def gather(lane: Lane, count: int, within: float, limit: int = 10) -> list[Record]:
    """Fetch until *count* records have come, or *within* seconds have gone by."""
    records: list[Record] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while len(records) < count:
                records.extend(await lane.fetch(limit))
    return records


def named(names: str | Collection[str]) -> list[str]:
    """Single letters as names that any source takes."""
    return [f"record-{name}" for name in names]


class LaneConformance:
    """Subclass it, beside those of `Redelivers`, `Ends` and `Fences` that hold, and give a fixture `harness`."""

    async def test_opens_empty_and_closes_twice(self, harness: Harness) -> None:
        async with harness.open() as lane:
            assert lane.name
            assert lane.held == Held()
            assert await gather(lane, 1, 0.5) == []
            await lane.close()
            await lane.close()

    async def test_delivers_all_and_counts_what_it_holds(self, harness: Harness) -> None:
        """Catches: a page that is served once, `held` that forgets, a limit that is ignored."""
        names = named([f"{number:02}" for number in range(25)])
        await harness.put(names)
        async with harness.open() as lane:
            records: list[Record] = []
            while len(records) < len(names):
                some = await gather(lane, 1, harness.patience, limit=7)
                assert 0 < len(some) <= 7
                records.extend(some)
            assert sorted(map(harness.name, records)) == names
            assert lane.held.records == len(names)
            assert lane.held.nbytes == sum(record.size for record in records) > 0
            await lane.ack(records)
            assert lane.held == Held()

    async def test_keeps_its_order(self, harness: Harness) -> None:
        names, keys = named("ABCDEFGH"), list("xyxyxyxy")
        await harness.put(names, keys)
        async with harness.open() as lane:
            order = lane.traits.order
            records: list[Record] = []
            while len(records) < len(names):
                some = await gather(lane, 1, harness.patience, limit=3)
                assert some, "not everything was delivered"
                records.extend(some)
                if order is Order.KEY:
                    await lane.ack(some)  # a group's next may wait for it
        came = list(map(harness.name, records))
        if order is Order.SEQUENCE:
            assert came == names
        if order is Order.KEY:
            assert [name for name in came if name in names[::2]] == names[::2]
            assert [name for name in came if name in names[1::2]] == names[1::2]

    async def test_what_was_acked_does_not_come_again_and_the_rest_does(self, harness: Harness) -> None:
        """Catches: an ack that `close` forgets, a close that settles what was not acked."""
        names = named("ABCDEF")
        _, again = await self._again(harness, names, acked=names[:3])
        assert set(again) == set(names[3:])

    async def test_a_gap_is_not_passed_over(self, harness: Harness) -> None:
        """Ack A, B, D of A to E: a log begins at C. Catches: committing the highest acked position."""
        names = named("ABCDE")
        order, again = await self._again(harness, names, acked=[names[0], names[1], names[3]])
        if order is Order.SEQUENCE:
            assert again == names[2:]
        else:
            assert set(again) == {names[2], names[4]}

    async def test_what_was_given_back_comes_at_once(self, harness: Harness) -> None:
        """Catches: a nack that is forgotten; in a log, one that is taken for a verdict."""
        await harness.put(named("A"))
        async with harness.open() as lane:
            records = await gather(lane, 1, harness.patience)
            await lane.nack(records, 0.0)
            again = await gather(lane, 1, harness.promptly)
            assert len(again) == lane.traits.redelivers
        if not again:
            async with harness.open() as lane:
                assert len(await gather(lane, 1, harness.patience)) == 1

    async def test_what_is_held_does_not_come_again(self, harness: Harness) -> None:
        """A slow handler is no second delivery. Catches: a renewal that is late or left out."""
        await harness.put(named("A"))
        async with harness.open() as lane:
            (record,) = await gather(lane, 1, harness.patience)
            within = harness.patience if lane.traits.redelivers else harness.promptly
            assert await gather(lane, 1, within) == []
            assert record.until > 0
            await lane.ack([record])

    async def test_a_cancelled_fetch_loses_nothing(self, harness: Harness) -> None:
        """Catches: an await between taking records and returning them."""
        names = named([f"{number:02}" for number in range(12)])
        records: list[Record] = []
        async with harness.open() as lane:
            for turn, name in enumerate(names):
                fetching = asyncio.ensure_future(lane.fetch(1))
                await asyncio.sleep(0.01 * (turn % 3))
                await harness.put([name])
                for _ in range(turn):
                    await asyncio.sleep(0)
                fetching.cancel()
                with suppress(asyncio.CancelledError):
                    records.extend(await fetching)
            records.extend(await gather(lane, len(names) - len(records), harness.patience))
            assert set(map(harness.name, records)) == set(names)
            await lane.ack(records)
            assert lane.held == Held()

    async def test_halt_gives_back_what_was_read_ahead(self, harness: Harness) -> None:
        """Catches: an inbox that is left to its visibility when the lane stops."""
        names = named("ABCDEFGH")
        await harness.put(names)
        async with harness.open() as lane:
            records = await gather(lane, 1, harness.patience, limit=1)
            assert await lane.halt() < len(names)
            await lane.ack(records)
        async with harness.open() as lane:
            rest = await gather(lane, len(names) - len(records), harness.promptly)
            assert set(map(harness.name, rest)) == set(names) - set(map(harness.name, records))

    async def test_nobody_is_asked_to_leave(self, harness: Harness) -> None:
        async with harness.open() as lane:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await lane.leave()

    async def _again(
        self, harness: Harness, names: Sequence[str], *, acked: Collection[str]
    ) -> tuple[Order, list[str]]:
        """Read *names*, ack some of them, close, open again: the lane's order, and the names that come then."""
        await harness.put(names)
        async with harness.open() as lane:
            records = await gather(lane, len(names), harness.patience)
            await lane.ack([record for record in records if harness.name(record) in acked])
        async with harness.open() as lane:
            again = await gather(lane, len(names) - len(acked), harness.patience)
            again += await gather(lane, 1, harness.promptly)  # what must not come would come with the rest
            return lane.traits.order, list(map(harness.name, again))


class Redelivers:
    """Beside `LaneConformance`: the source brings again what was not settled."""

    async def test_what_was_given_back_with_a_delay_does_not_come_before_it(self, harness: Harness) -> None:
        await harness.put(named("A"))
        async with harness.open() as lane:
            records = await gather(lane, 1, harness.patience)
            clock = asyncio.get_running_loop().time
            start = clock()
            await lane.nack(records, 2.0)
            assert await gather(lane, 1, harness.patience)
            assert clock() - start >= 2.0 - harness.slack

    async def test_what_is_left_to_its_source_comes_in_its_time(self, harness: Harness) -> None:
        await harness.put(named("A"))
        async with harness.open() as lane:
            await lane.nack(await gather(lane, 1, harness.patience), None)
            assert lane.held == Held()
            assert await gather(lane, 1, harness.promptly) == []
            assert len(await gather(lane, 1, harness.patience)) == 1


class Ends:
    """Beside `LaneConformance`: the source can be finished."""

    async def test_the_end_comes_after_the_last(self, harness: Harness) -> None:
        await harness.put(named("ABC"))
        await harness.finish()
        async with harness.open() as lane:
            assert len(await gather(lane, 3, harness.patience)) == 3
            for _ in range(2):
                with pytest.raises(LaneEnded):
                    await lane.fetch(1)


class Fences:
    """Beside `LaneConformance`: the lane can be lost to another owner."""

    async def test_a_lost_lane_says_so_and_writes_nothing(self, harness: Harness) -> None:
        """Catches: a check of the owner before or after the write instead of inside it; a close that commits."""
        names = named("ABC")
        await harness.put(names)
        async with harness.open() as lane:
            records = await gather(lane, 3, harness.patience)
            await harness.seize()
            with suppress(LaneLost):
                await lane.ack(records[:2])
            async with asyncio.timeout(harness.patience):
                assert await lane.leave() == 0
            with pytest.raises(LaneLost):
                await lane.ack(records[2:])
            with pytest.raises(LaneLost):
                await lane.fetch(1)
            with suppress(LaneLost):
                await lane.close()
        async with harness.open() as lane:
            assert set(map(harness.name, await gather(lane, 3, harness.patience))) == set(names)
