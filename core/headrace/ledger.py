"""Leases and checkpoints of a mapping's shards, one row a shard: the protocol that every store keeps.

A store (memory, SQLite, Redis) judges expiry by its own clock and compares owner and epoch inside each write, so that
a worker that was overtaken writes nothing, however late its write arrives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from headrace.calls import Call, Calls
from headrace.clock import SYSTEM, Clock
from headrace.model import KEEP, Position, Unchanged
from headrace.observe import Log, log
from headrace.outcomes import Outcomes
from headrace.verdicts import Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A row as it is first written: where the shard is to be read from, and after which others.

    `ended` is for one that needs no reading (closed before a start at LATEST).
    """

    name: str
    position: Position
    parents: tuple[str, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The record that is being tried alone, and how often it was tried: written before the attempt.

    `position` is its own, and where several records share one also says which of them it is; for its lane to read.
    """

    position: Position
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A shard as the store has it.

    Attributes:
        position: everything at and below it has its verdict.
        ended: read to its end, and all of it settled.
        owner: who holds it, or held it until it expired; None when it was never held, or let go.
        epoch: raised with every change of owner and every seek; begins at the graph's.
        left: seconds until the lease expires, by the store's clock when it was read; 0 or less: expired.
        memo: what the lane keeps beside its position (tumbling windows).
        crashes: how many owners in a row were lost at this position.
        asked: who asked the owner to let go.
        state: the owner's own words for people, as of its last renewal.
        idle: seconds since nobody was last given it: put there, let go of, ended, moved; None where nobody knows.
    """

    shard: str
    position: Position
    parents: tuple[str, ...] = ()
    ended: bool = False
    owner: str | None = None
    epoch: int = 0
    left: float = 0.0
    memo: bytes | None = None
    crashes: int = 0
    mark: Mark | None = None
    asked: str | None = None
    state: str = ""
    idle: float | None = field(default=None, compare=False)

    @property
    def held(self) -> bool:
        """True while somebody may read it."""
        return self.owner is not None and self.left > 0 and not self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to read a shard and to write its row; equal by mapping, shard, owner and epoch.

    The rest is the row as it was when the lease was given.
    """

    mapping: str
    shard: str
    owner: str
    epoch: int
    position: Position = field(compare=False)
    memo: bytes | None = field(default=None, compare=False)
    crashes: int = field(default=0, compare=False)
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All rows of a mapping, read at one moment.

    Attributes:
        identity: which stream this was written for (an ARN with its creation time, say); None: no graph was written
            yet. Another identity than the stream's own means that it was deleted and made again.
        generation: a random text of the write that made the graph: another one means that the store was emptied, or the
            stream made again.
        paused: an operator has paused the mapping; there may be no graph yet.
        epoch: at which rows of new names begin; 0 until a row is removed, and then above those of all that are gone.
    """

    identity: str | None = None
    generation: str | None = None
    paused: bool = False
    epoch: int = 0
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What a renewal came to.

    Attributes:
        lost: expired, taken, sought or gone: stop at once and settle nothing. All others run *ttl* longer.
        asked: who asks for a lease that is still held.
        paused: mappings that are paused.
        generations: of each mapping of the leases; None: the store has no graph of it any more.
    """

    lost: frozenset[Lease] = frozenset()
    asked: Mapping[Lease, str] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    generations: Mapping[str, str | None] = field(default_factory=dict)


class Ledger(Calls, Verdicts, Outcomes, Protocol):
    """The rows of one service's mappings, in one store, beside them their calls, their verdicts and what is kept.

    The contract, which `headrace.testing.ledger` checks:

    * Every verb is one atomic step of the store: all of it happens or none.
    * **Fenced**: `commit`, `mark` and `release` compare owner and epoch in the write itself and raise LaneLost when
      another has the row; `commit` and `mark` also when the lease has expired, whoever took it or not.
    * **The store's clock** alone says what has expired. A worker reckons its own `deadline` from it, and is sooner.
    * **Repeats are safe**: a verb that failed with `LedgerUnavailable` may be called again with the same arguments,
      also when its first call was carried out. Writes of one lease never overtake each other.
    * An owner is a text unique to one start of one process, and uses one ledger object. One task at a time commits for
      a lease.

    Every verb raises LedgerUnavailable while the store cannot be reached, and LedgerError when it cannot be used.
    A cancelled call may have been carried out. `ttl` is in seconds, above 0.
    """

    async def plan(self, mapping: str, identity: str, shards: Sequence[Shard]) -> bool:
        """Write the whole graph, unless there is one already; True when this call wrote it."""
        ...

    async def add(self, mapping: str, identity: str, shards: Sequence[Shard]) -> frozenset[str]:
        """Write rows for those shards that have none; the names of those that were written.

        Raises:
            GraphChanged: the ledger has no graph of this identity.
        """
        ...

    async def forget(self, mapping: str, shards: Sequence[str]) -> frozenset[str]:
        """Remove those of these rows that have ended, and leave the others; the names that went with this call.

        For shards that a complete listing shows no more and whose children have begun: a shard that is listed would be
        added, and read, again.
        """
        ...

    async def replan(self, mapping: str, generation: str, identity: str, shards: Sequence[Shard]) -> bool:
        """The stream was made again: write its graph over that of *generation*, under a generation of its own.

        False, and nothing written, when the graph is another by now, or gone: read it again; so ends a repeat, too.
        *shards* are from a listing made after that reading. Nobody holds a row then; whoever did may read until its
        deadline, and never writes again: a name that was there counts on from its epoch + 1, all others, and those that
        are added later, from above every epoch that the graph had. A pause is kept.
        """
        ...

    async def restore(self, mapping: str, identity: str, generation: str, rows: Sequence[Row]) -> frozenset[str]:
        """The store was emptied, or is an older copy: write rows as a worker last knew them; the names that were.

        A row is written where there is none, or one of a lower epoch: position, parents, end, memo and epoch, with no
        owner, crashes or mark. So give what was one's own under its epoch + 1, and the rest under the last known. Where
        there is no graph, one of *identity* and *generation* is made. A pause is kept.

        Raises:
            GraphChanged: there is a graph of another generation; nothing was written.
        """
        ...

    async def rows(self, mapping: str) -> Graph:
        """Everything about a mapping, as of one moment."""
        ...

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Lease | None:
        """Take a row that nobody holds, under a higher epoch; None when it is held, ended or unknown.

        One that expired in another's hands counts a crash at its position, in the same write. An owner that holds the
        row already is given its lease again, for another *ttl*; of its own expired one it is given a new epoch and no
        crash, since it is alive. Parents are the caller's business.
        """
        ...

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        """Hold all these *ttl* longer; each comes with the state that people are shown. One call for all of them."""
        ...

    async def commit(
        self,
        lease: Lease,
        position: Position,
        *,
        memo: bytes | Unchanged | None = KEEP,
        end: bool = False,
        calls: Sequence[Call] = (),
        after: Position | None = None,
    ) -> None:
        """Everything at and below *position* has its verdict; durable when it returns.

        A position that moves clears crashes and mark, and puts *calls* in the mapping's queue: a repeat moves nothing,
        and puts none. *end* says that nothing follows: the row is nobody's then. *after* is the position that the row
        must have until then: it has another where the store was put back to an older copy, and its queue with it.

        Raises:
            LaneLost: nothing was written.
        """
        ...

    async def mark(self, lease: Lease, mark: Mark) -> None:
        """Remember what is about to be tried alone, for whoever takes the row after a crash. Durable as a commit.

        Raises:
            LaneLost: nothing was written.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Let the row go: whoever takes it next counts no crash. One that expired, and that nobody took, counts too.

        Raises:
            LaneLost: nothing was written.
        """
        ...

    async def ask(self, mapping: str, shard: str, by: str) -> bool:
        """Ask the owner to let a row go; it is told when it renews. True when *by* is now the one who asks.

        The first who asks is kept, until the row changes hands. Nobody can be asked for a row that is not held.
        """
        ...

    async def seek(self, mapping: str, positions: Mapping[str, Position]) -> None:
        """Set these rows, ended ones too, to new positions, all at once, and fence whoever reads them.

        Memo, crashes and mark are cleared, what is kept of records too, and epochs raised. An owner keeps the row until
        it expires, so that no two read it: `renew` tells it that its lease is lost, and `acquire` gives it the next.

        Raises:
            UnknownShards: there is no row for one of them; nothing was written.
        """
        ...

    async def pause(self, mapping: str, *, paused: bool) -> None:
        """Pause or resume a mapping; kept also before there is a graph. Workers are told when they renew."""
        ...

    async def close(self) -> None:
        """Let go of files and connections, not of leases. May be called twice."""
        ...


@runtime_checkable
class Watched(Protocol):
    """What a ledger is besides whose store may become another while it is used: a copy of it, after a failover."""

    async def watch(self, changed: Callable[[], object]) -> None:
        """Until cancelled, call *changed* whenever what answers may be another store than before.

        That is before the first verb is sent to it; and as soon as may be, also while no verb is called.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOpening:
    """What a store is told when it is opened: its URL, and the service whose rows it is to keep apart from others'."""

    url: str
    service: str
    clock: Clock = SYSTEM
    log: Log = field(default_factory=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerKind:
    """How one kind of store is opened.

    Attributes:
        open: raises ConfigError for a URL that means nothing, LedgerError or LedgerUnavailable for a store that cannot
            be used.
        check: raises the same ConfigError, without asking anybody.
    """

    open: Callable[[LedgerOpening], Awaitable[Ledger]]
    check: Callable[[str], object] = str
