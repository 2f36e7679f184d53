"""One partition while it is ours: what was polled and not yet read, what became of it, and how much more it wants."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from headrace.clock import Clock
from headrace.model import Condition, LaneLost, Record
from headrace_connectors.kafka.client import TopicPartition

MOST_RECORDS, MOST_BYTES = 10_000, 8 * 2**20
"""What is polled ahead of a partition's lane, at most and one poll: then it is paused."""

SATED, HUNGRY = 0.5, 0.25
"""Of that: from the one on no poll is made for its sake, until it is below the other.

So the lanes handle in one go what was polled in another, and do not wrangle with the poll thread for the interpreter;
and where all lanes are about as fast none is paused, at which librdkafka throws away what it has fetched ahead, and
fetches it again."""

LEAST = 0.001
"""Seconds behind the tip while anything that was polled waits to be read, whatever two clocks say."""


class Partition:
    """The reader of one partition's lane, and its membership: ours, to be let go, or lost.

    Everything belongs to the event loop, but for what the poll thread asks. The object stands for one assignment: given
    to us again, the partition has another, so nothing polled under the one is read under the other.
    """

    def __init__(self, part: TopicPartition, *, clock: Clock) -> None:
        self.part, self.name = part, part.name
        self.read_to: int | None = None  # everything below was delivered, holes and markers too
        self.tip: int | None = None
        self.lost_because = ""
        self._clock = clock
        self._pages: deque[Sequence[Record]] = deque()
        self._served_of_first = 0
        self._polled = self._polled_bytes = 0  # by the poll thread
        self._served = self._served_bytes = 0  # by the loop
        self._full = self._sated = False
        self.when_hungry: Callable[[], None] = _nothing
        self._came, self._change = asyncio.Event(), asyncio.Event()
        self._asked: float | None = None
        self._last_at, self._next = 0.0, 0
        self._condition = Condition("polling", since=clock.wall())
        self._gone: list[Callable[[], None]] = []
        self.closed = False

    # the poll thread's side

    def full(self) -> bool:
        """Whether nothing more may be polled; once it may not, until it is hungry."""
        self._full = self._holds(HUNGRY if self._full else 1)
        return self._full

    def hungry(self) -> bool:
        """Whether more is to be polled for its sake; if not, `when_hungry` is called when that changes."""
        self._sated = self._holds(HUNGRY if self._sated else SATED)
        return not self._sated

    def _holds(self, share: float) -> bool:
        """Whether that share of the most is polled and not read."""
        records, nbytes = self._polled - self._served, self._polled_bytes - self._served_bytes
        return records >= MOST_RECORDS * share or nbytes >= MOST_BYTES * share

    def polled(self, records: Sequence[Record]) -> None:
        """These are on their way to `deliver`."""
        self._polled += len(records)
        self._polled_bytes += sum([record.size for record in records])

    # the loop's side

    def deliver(self, records: Sequence[Record]) -> None:
        """What was polled, in order. What lies behind it is told a moment later: until then it ends here."""
        self._pages.append(records)
        self.read_to = int(records[-1].token) + 1
        self._came.set()

    def passed(self, position: int) -> None:
        """Everything below offset *position* was delivered before this."""
        self.read_to = position

    @property
    def drained(self) -> bool:
        """True when everything that was polled is read."""
        return self._polled == self._served

    @property
    def behind_all(self) -> int | None:
        """The offset below which everything was read, holes and markers too; None where that is not known now."""
        return self.read_to if self.drained and (self.read_to or 0) >= self._next else None

    def moved(self) -> None:
        """It is read from elsewhere from now on."""
        self.read_to, self._next = None, 0

    async def read(self, limit: int) -> Sequence[Record]:
        while not self._pages:
            self._came.clear()
            await self._came.wait()
        page, begin = self._pages[0], self._served_of_first
        end = begin + limit
        if end >= len(page):
            self._pages.popleft()
            self._served_of_first = 0
        else:
            self._served_of_first = end
        records = page[begin:end] if begin or end < len(page) else page
        self._served += len(records)
        self._served_bytes += sum([record.size for record in records])
        self._last_at, self._next = records[-1].at, int(records[-1].token) + 1
        if self._sated and not self._holds(HUNGRY):
            self._sated = False
            self.when_hungry()
        return records

    @property
    def behind(self) -> float | None:
        """Seconds since the oldest record arrived that is not read yet; 0 at the tip, None before it is known."""
        now = self._clock.wall()
        if self._pages:
            return max(LEAST, now - self._pages[0][self._served_of_first].at)
        if self.read_to is None or self.tip is None:
            return None
        if self.read_to >= self.tip:
            return 0.0
        return max(LEAST, now - self._last_at) if self._last_at else None

    @property
    def condition(self) -> Condition:
        return self._condition

    def set_condition(self, state: str, reason: str = "") -> None:
        if (self._condition.state, self._condition.reason) != (state, reason):
            self._condition = Condition(state, reason, self._clock.wall())

    # ours, to be let go, lost

    def ask(self, seconds: float) -> None:
        """It is to be let go within *seconds*."""
        self._asked = seconds
        self._change.set()

    def lose(self, why: str) -> None:
        """It is ours no more: nothing may be dispatched, settled or committed."""
        if not self.lost_because:
            self.lost_because = why
            self._change.set()

    def still_ours(self) -> None:
        """Raise LaneLost when it is not."""
        if self.lost_because:
            raise LaneLost(f"{self.name}: {self.lost_because}")

    async def leave(self, deadline: Callable[[], float]) -> float:
        """As `Lane.leave`; it is lost, too, when *deadline* passes."""
        while True:
            left = deadline() - self._clock.boot()
            if left <= 0:
                self.lose("its group's coordinator has not answered for as long as a session lasts")
            if self.lost_because:
                return 0.0
            if self._asked is not None:
                return self._asked
            self._change.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._change.wait()

    def when_gone(self, tell: Callable[[], None]) -> None:
        """Call *tell* once nothing of ours uses it any more: at once, or when its lane is closed."""
        if self.closed:
            tell()
        else:
            self._gone.append(tell)

    def gone(self) -> None:
        """Its lane is closed, or it never had one."""
        self.closed = True
        tellers, self._gone = self._gone, []
        for tell in tellers:
            tell()

    async def close(self) -> None:
        """What was polled and not read is read again from the committed offset."""
        self._pages.clear()


def _nothing() -> None: ...
