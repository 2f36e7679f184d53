"""The words of the engine: records, lanes, and what one attempt came to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable

Position: TypeAlias = str
"""A place in a log. Opaque to the engine: only the log's own reader compares or reads it."""

Event: TypeAlias = dict[str, Any]
"""What a handler is given: the JSON object of its source."""


class Record:
    """One record, with its own way home.

    A plain slotted class: the engine makes one for every record, and a frozen dataclass costs 0.7 µs more.

    Attributes:
        id: what a handler names when it reports the record as failed.
        raw: what the source's client handed over, from which the event is rendered; read by its connector alone.
        at: when the record arrived at its source, in Unix seconds.
        size: an upper bound of the bytes that it takes in the event, as JSON in UTF-8.
        key: what orders it among others, where its source orders by key.
        token: receipt or position; read by nobody but its lane.
        attempt: how often its source says that it was delivered, this time included; 0 where it does not count.
        until: nothing may be dispatched later than this, in seconds of `Clock.boot`; only a queue sets it.
        number: its place in its lane, given by the log lane; several records may share one token.
    """

    __slots__ = ("at", "attempt", "id", "key", "number", "raw", "size", "token", "until")

    def __init__(  # noqa: PLR0917 - made for every record, and positions are the cheapest way
        self,
        id: str,  # noqa: A002 - the word that Lambda, SQS and Kinesis use
        raw: Any,
        at: float,
        size: int,
        key: str | None = None,
        token: Any = None,
        attempt: int = 0,
        until: float = math.inf,
    ) -> None:
        self.id = id
        self.raw = raw
        self.at = at
        self.size = size
        self.key = key
        self.token = token
        self.attempt = attempt
        self.until = until
        self.number = 0

    def __repr__(self) -> str:
        return f"<Record {self.id}>"


class Unreadable(Record):
    """A record that no event can show, and why: it is given up when it would be tried, and those beside it go on.

    Every render fails on its `raw`, which is how it is found; `why` quotes nothing of it. `of` is what its source has
    of it: `Source.origin` makes the payload of it, as all that is left.
    """

    __slots__ = ("of", "why")

    def __init__(
        self,
        id: str,  # noqa: A002 - the record's word
        why: str,
        of: Any,
        *,
        at: float,
        size: int,
        key: str | None = None,
        token: Any = None,
    ) -> None:
        super().__init__(id, object(), at, size, key, token)
        self.why = why
        self.of = of


Keep: TypeAlias = Callable[[Record], bool]
"""Whether a record is for a handler; one that is not is settled at once."""

Render: TypeAlias = Callable[[Sequence[Record]], Event]
"""The event of some records, as their handler is given it; fresh at every call."""


class Unchanged(Enum):
    """The type of `KEEP`."""

    KEEP = "keep"


KEEP = Unchanged.KEEP
"""Leave a memo as it is; None would clear it."""


class Order(StrEnum):
    """How far a failure reaches."""

    NONE = "none"
    KEY = "key"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a lane promises: the order of its records, and whether an unsettled one comes back by itself."""

    order: Order
    redelivers: bool


class LaneEnded(Exception):  # noqa: N818 - a signal, not an error
    """From `fetch`: nothing more will come; everything that was read is carried to a verdict."""


class LaneLost(Exception):  # noqa: N818 - a signal, not an error
    """From any call: another owner has the lane; stop at once and settle nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a lane counts against its capacity.

    A queue counts what was handed out and is not settled; a log counts everything above its watermark,
    settled or not, because all of it is read again after a crash.
    """

    records: int = 0
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """How a lane or source is doing, for people: its state, the reason, and since when (Unix seconds)."""

    state: str
    reason: str = ""
    since: float = 0.0

    @property
    def ready(self) -> bool:
        """True while it polls."""
        return self.state == "polling"


class Care(Protocol):
    """What a lane knows of records whose process was lost: one that kills it must be found, and only it pays."""

    @property
    def one_by_one(self) -> bool:
        """The lane has one record at the handler, and each attempt is marked; else only one that is made alone is."""
        ...

    def tried(self, record: Record) -> int:
        """Attempts at *record* that were lost with their process, and are held against it: it was alone there."""
        ...

    def at_stake(self, record: Record, attempt: int) -> int:
        """What `tried` will say if the process is lost with the *attempt*-th attempt at it here, which is marked."""
        ...

    async def mark(self, record: Record, attempt: int) -> None:
        """*record* is about to be tried alone, for the *attempt*-th time. Durable when it returns.

        Raises:
            LaneLost: another owner has the lane.
        """
        ...

    async def unmark(self) -> None:
        """What comes now is no record's doing: those that were tried have their verdict. Durable when it returns.

        Raises:
            LaneLost: another owner has the lane.
        """
        ...


class Lane(Protocol):
    """One stream of records that is read, and settled, on its own.

    A connector's duties, which `headrace.testing` checks:

    * what was acked is not delivered again after a reopening (short of a crash or a refused delete, which is counted);
    * what was not acked is delivered again: by the source where it redelivers, after a reopening where it does not;
    * cancelling a `fetch` loses nothing;
    * `ack` and `nack` remember and return: `tend` carries them out, and `close` what is left of them.
    """

    @property
    def name(self) -> str:
        """Unique within the mapping: a queue's name, a shard's id, a topic and partition."""
        ...

    @property
    def traits(self) -> Traits: ...

    @property
    def held(self) -> Held: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def epoch(self) -> int:
        """Of the lease under which it is read; 0 where there are none."""
        ...

    @property
    def behind(self) -> float | None:
        """Seconds between what was read last and the source's newest; None where it cannot say."""
        ...

    @property
    def deadline(self) -> float:
        """Nothing may be dispatched after it, in seconds of `Clock.boot`; checked before every attempt."""
        ...

    @property
    def doubt(self) -> asyncio.Event | None:
        """There while nobody knows whether the lane is ours, as its store may be another; set once it is known.

        Nothing may be dispatched meanwhile.
        """
        ...

    @property
    def care(self) -> Care | None:
        """Set where it is known of its records, or is to be found out, whether they end their process."""
        ...

    async def tend(self) -> None:
        """Do the lane's own work (receive, renew, delete, commit) until cancelled; run beside every other call."""
        ...

    async def fetch(self, limit: int) -> Sequence[Record]:
        """Wait for at least one record, and return at most *limit*, in the source's order.

        Raises:
            LaneEnded: nothing more will come.
            LaneLost: another owner has the lane.
        """
        ...

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:
        """These have their verdict and need not come again. Remembers; never waits for a store.

        A log keeps *memo* beside its position, and writes both at once: it stands for all that was acked so far, of
        which it says what came of it. A queue has no place for one.
        """
        ...

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        """These have none: they come again after *delay* seconds; None leaves it to the source's own time."""
        ...

    async def leave(self) -> float:
        """Resolves when the lane must be given up, with the seconds allowed to finish; 0 means that it is lost."""
        ...

    async def halt(self) -> int:
        """No `fetch` will come again: read no more, and give back what was read and never handed out.

        Called while handlers still run. Returns how many records were given back.
        """
        ...

    async def close(self) -> None:
        """Carry out what `ack` and `nack` still remember, and let the lane go. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a failure record says of where its records came from.

    Attributes:
        block: the key of the record under which `info` stands, as AWS names it: `KinesisBatchInfo`.
        info: lane or queue, ids or positions, times.
        payload: the records whole, where that is another event than `Source.render` makes of them (a queue's, before
            anything was unwrapped); None: it is that one.
        key: of a single record, its key in bytes, where its source has keys of bytes.
    """

    block: str
    info: dict[str, Any]
    payload: Event | None = None
    key: bytes | None = None


class Source(Protocol):
    """Where a mapping's lanes come from, and how their records look from outside."""

    @property
    def condition(self) -> Condition:
        """How it is doing while it has no lane: connecting, or why it cannot."""
        ...

    def lanes(self) -> AsyncIterator[Lane]:
        """Yield each lane that this process is to run, as it becomes ours."""
        ...

    def render(self, records: Sequence[Record]) -> Event:
        """The event of these records, exactly as Lambda shapes it; fresh dicts at every call."""
        ...

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        """What the failure record of *records*, given up in *lane*, says of them; pure. A queue is asked one by one."""
        ...

    def identify(self, identifier: object) -> str | None:
        """The `Record.id` that an `itemIdentifier` of a handler's answer means; None when it can mean none."""
        ...

    async def idle(self) -> bool:
        """True when nothing is left to do: nothing waits at the source, none is delayed, none is held."""
        ...

    async def lag(self) -> int | None:
        """How many records wait: at a queue all of them, of a log in the lanes of this process. None: it cannot say."""
        ...

    async def dead_lettered(self) -> int | None:
        """How many records the source itself has put aside as dead letters; None where it does not, or cannot say."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class KnowsOldest(Protocol):
    """A lane that knows since when what it read waits for its verdict."""

    @property
    def oldest(self) -> float | None:
        """When the first record that is not settled arrived at its source, in Unix seconds; None: there is none."""
        ...


@runtime_checkable
class LooksAhead(Protocol):
    """A source that knows of lanes that nobody runs, as while its mapping is paused, how far they are behind."""

    def behind(self) -> Mapping[str, float | None]:
        """Seconds since the oldest record arrived that is not read yet, by lane; None where it cannot say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed, in the shape of Lambda's error payload."""

    type: str
    message: str
    stack: tuple[str, ...] = ()
    payload: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one call of a function came to: its value, or its failure.

    `lingering` is set when a call that timed out still runs in its thread: it resolves when the thread has ended.
    `lapsed` says that the handler was not begun, because it was too late for that.
    """

    request_id: str
    duration: float
    value: object = None
    failure: Failure | None = None
    lingering: Awaitable[None] | None = None
    lapsed: bool = False
