"""Records that count as one are run once: which of a batch may be run now, which were, and which wait for another."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from headrace.clock import SYSTEM, Clock
from headrace.errors import LedgerError
from headrace.holds import Holds, Opened
from headrace.keying import KeyOf
from headrace.model import Condition, Order, Record, Render, Unreadable
from headrace.observe import Log, log
from headrace.parting import Parted, candidates, part
from headrace.retry import again, capped
from headrace.verdicts import Standing, State, Verdicts

T = TypeVar("T")

BEGIN_WITHIN = 5.0
"""Seconds between the asking for a key and the beginning of its call."""

MARGIN = 1.0
"""Seconds beyond a call's hard stop: for clocks of different rates, and for saying that a call still runs."""

PATIENCE = 5.0
"""Seconds between two askings of a store that is away, at most."""

HASTE = 0.5
"""The same with a verdict in hand: it is to be there before another asks."""


class Begun(NamedTuple):
    """A record's key, under which holder it is ours, and until when its call may begin (`Clock.boot`)."""

    key: str
    holder: str
    until: float


@dataclass(kw_only=True)
class Idempotency:
    """What all lanes of a mapping share.

    Attributes:
        keyer: how records get their keys, given the source's render.
        lasts: seconds from a call's beginning to its hard stop.
        expires_after: seconds that a verdict is kept.
        owner: unique to this start of this process.
    """

    mapping: str
    keyer: Callable[[Render], KeyOf]
    verdicts: Opened
    owner: str
    lasts: float
    expires_after: float
    clock: Clock = SYSTEM
    log: Log = field(default_factory=log)

    def __post_init__(self) -> None:
        self.hold = BEGIN_WITHIN + self.lasts + MARGIN
        self.holds = Holds(self.mapping, self.verdicts, self.hold, self.clock, self.log)
        self._numbers = itertools.count(1)
        self._missed = False

    def new_holder(self) -> str:
        return f"{self.owner} {next(self._numbers)}"

    def say_missing(self, record: Record, why: str) -> None:
        """Once: it will be the same of others."""
        if not self._missed:
            self._missed = True
            self.log.warning(
                "idempotency.no_key",
                ids=[record.id],
                why=why,
                what="a record without a key is run as often as it comes",
            )


class Once:
    """Of one lane. A key is ours from `part` to `finish`, `release` or `linger`."""

    def __init__(self, shared: Idempotency, key_of: KeyOf, lane: str, order: Order, stopping: asyncio.Event) -> None:
        self._shared, self._key_of, self._order, self._stopping = shared, key_of, order, stopping
        self._lane, self._clock, self._log = lane, shared.clock, shared.log
        self._keys: dict[int, str | None] = {}  # both by id(record), while the engine holds it
        self._begun: dict[int, Begun] = {}
        self._held: set[str] = set()  # elsewhere, when we looked last
        self._troubles: dict[object, Condition] = {}

    @property
    def condition(self) -> Condition | None:
        """What is the matter with the store; None when nothing is."""
        return next(iter(self._troubles.values()), None)

    async def part(self, records: Sequence[Record]) -> Parted:
        """Begin what may be begun. While the store is away it waits; when the lane is to stop then, all is `later`."""
        await self.release(records)  # of an attempt that was none
        keys = [self._key(record) for record in records]
        wanted = list(candidates(records, keys, self._order, self._held))
        if not wanted:
            return Parted(records)
        holder = self._shared.new_holder()
        asked = await self._begin(wanted, holder)
        if asked is None:
            return Parted((), later=records)
        found, until = asked
        self._held |= {name for name, one in found.items() if one.state is State.HELD}
        self._held -= {name for name, one in found.items() if one.state is not State.HELD}
        parted = part(records, keys, self._order, found)
        begun = {id(record): Begun(key, holder, until) for record in parted.ready if (key := self._key(record))}
        self._begun |= begun
        taken = {one.key for one in begun.values()}
        unneeded = [key for key, one in found.items() if one.state is State.BEGUN and key not in taken]
        if unneeded:
            self._shared.holds.leave(unneeded, holder)
        return parted

    def until(self, records: Sequence[Record]) -> float:
        """No call with *records* may begin after it, in seconds of `Clock.boot`."""
        return min([one.until for record in records if (one := self._begun.get(id(record)))], default=math.inf)

    async def finish(self, records: Sequence[Record]) -> None:
        """These were run: remember it. Waits for a store that is away."""
        for holder, some in self._taken_back(records).items():
            lost = await self._told(partial(self._finish, some, holder), most=HASTE)
            if lost:
                self._log.error(
                    "idempotency.overtaken", lane=self._lane, records=len(lost), why="another ran them meanwhile"
                )

    async def release(self, records: Sequence[Record]) -> None:
        """These were not run to their end: others may, at once, and so may we."""
        for holder, keys in self._taken_back(records).items():
            try:
                store = await self._shared.verdicts()
                await store.let_go(self._shared.mapping, keys, holder)
            except LedgerError:  # it is away: that need not hold up what comes next
                self._shared.holds.leave(keys, holder)

    def linger(self, records: Sequence[Record], lingering: Awaitable[None]) -> None:
        """A call with *records* timed out and still runs: they are held until it has ended."""
        ended = asyncio.ensure_future(lingering)
        ended.add_done_callback(lambda _: self._shared.holds.wake())
        self._leave(records, lambda: not ended.done())

    @contextmanager
    def kept(self, records: Sequence[Record]) -> Iterator[None]:
        """They were run, and are to be finished behind the block, however long that takes: they are held until then."""
        begun = self._by_holder(one for record in records if (one := self._begun.get(id(record))))
        kept = [self._shared.holds.leave(keys, holder, lambda: True) for holder, keys in begun.items()]
        try:
            yield
        finally:
            for left in kept:
                self._shared.holds.take_back(left)

    def forget(self, records: Sequence[Record]) -> None:
        """The engine holds these no more."""
        self._leave(records)
        for record in records:
            self._keys.pop(id(record), None)

    def close(self, runs: Callable[[], bool]) -> None:
        """The lane is let go: what is still begun is held while *runs* says that a call of the lane's is under way."""
        for holder, keys in self._by_holder(self._begun.values()).items():
            self._shared.holds.leave(keys, holder, runs)
        self._begun.clear()
        self._held.clear()
        self._keys.clear()

    def _key(self, record: Record) -> str | None:
        if id(record) not in self._keys:
            self._keys[id(record)] = self._found(record)
        return self._keys[id(record)]

    def _found(self, record: Record) -> str | None:
        why = "the expression gives null, nothing, or a list or object with a null in it"
        try:
            key = self._key_of(record)
        except Exception as error:  # noqa: BLE001 - a user's expression on a user's record; it is run, not lost
            key, why = None, type(error).__name__  # its words have what the record says
        if key is None and not isinstance(record, Unreadable):
            self._shared.say_missing(record, why)
        return key

    async def _begin(self, keys: Sequence[str], holder: str) -> tuple[Mapping[str, Standing], float] | None:
        """How it stands with *keys*, and until when a call may begin; None when the lane is to stop first."""

        async def ask(store: Verdicts) -> tuple[Mapping[str, Standing], float]:
            sent = self._clock.boot()
            return await store.begin(self._shared.mapping, keys, holder, self._shared.hold), sent + BEGIN_WITHIN

        return await self._told(ask, waking=self._stopping)

    async def _finish(self, keys: Sequence[str], holder: str, store: Verdicts) -> frozenset[str]:
        return await store.finish(self._shared.mapping, keys, holder, self._shared.expires_after)

    async def _told(
        self,
        ask: Callable[[Verdicts], Awaitable[T]],
        *,
        most: float = PATIENCE,
        waking: asyncio.Event | None = None,
    ) -> T | None:
        """What the store answers, however long it is away; None once it is away and *waking* is set."""
        with self._in_trouble() as say:
            async for attempt in again(
                self._log, "idempotency.store_away", wait=capped(most), waking=waking, lane=self._lane
            ):
                with attempt:
                    try:
                        return await ask(await self._shared.verdicts())
                    except Exception as error:
                        if waking is not None and waking.is_set():
                            return None
                        say(error)
                        raise
        return None

    @contextmanager
    def _in_trouble(self) -> Iterator[Callable[[Exception], None]]:
        mark, since = object(), self._clock.wall()

        def say(error: Exception) -> None:
            why = f"nothing is run without the state store, which remembers what was: {error}"
            self._troubles[mark] = Condition("waiting", why, since)

        try:
            yield say
        finally:
            self._troubles.pop(mark, None)

    def _leave(self, records: Sequence[Record], runs: Callable[[], bool] = lambda: False) -> None:
        for holder, keys in self._taken_back(records).items():
            self._shared.holds.leave(keys, holder, runs)

    def _taken_back(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """The keys of *records* that were ours, by holder: they are ours no more."""
        return self._by_holder(one for record in records if (one := self._begun.pop(id(record), None)))

    @staticmethod
    def _by_holder(begun: Iterable[Begun]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in begun:
            found.setdefault(one.holder, []).append(one.key)
        return found
