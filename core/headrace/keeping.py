"""One lane's records whose destination is away: what became of them is kept, and found by whoever has them next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from headrace.clock import Clock
from headrace.invocations import InvocationLane
from headrace.keeper import Keeper
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.observe import Log
from headrace.outcomes import KeptOutcome
from headrace.outcometext import UNDECIDED, Clean, Remembered, read, write
from headrace.outgoing import Outcome, Outgoing, ids_of
from headrace.policy import EXPIRED, FailurePolicy
from headrace.resuming import parted

AGAIN: Final = 86400.0
"""Seconds after which what is kept is kept anew, so that it does not end while it is held."""


class _Found(NamedTuple):
    """What was kept of a record: the outcome's name in the store, what it says, and what it calls the record."""

    stored: str
    said: Remembered
    name: str


@dataclass(slots=True)
class _Untold:
    """Records that are here and are to be told of together, by their identity, with what the store calls them.

    `written` is how many confirmations the store knows of, and when it was told, in seconds of `Clock.boot`.
    """

    records: dict[int, tuple[Record, str]]
    written: tuple[int, float] | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Keeping:
    """`keep` is called when a sending has failed: a mapping whose destinations are well asks no store for it.

    A queue's record is asked for when it is delivered again; of a log everything is asked for once, with the first
    batch of its lane.

    Attributes:
        version: of the handler.
        clean: an answer as it may be kept.
    """

    keeper: Keeper
    lane: Lane
    version: str
    clean: Clean
    clock: Clock
    log: Log
    _waiting: dict[str, _Found] | None = field(default=None, init=False)  # of a log, by what the store calls records
    _untold: dict[str, _Untold] = field(default_factory=dict, init=False)
    _names: dict[int, str] = field(default_factory=dict, init=False)  # of records that the store may know
    _over: list[tuple[str, int]] = field(default_factory=list, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """What the store calls the lane. Queues have one a mapping.

        A log that keeps its positions itself has another after each seek; a ledger forgets in the seek's own write.
        """
        return f"{self.lane.name} {self.lane.sought}".rstrip() if isinstance(self.lane, LogLane) else ""

    async def keep_last(self, records: Sequence[Record], attempts: int, outcome: Outcome) -> None:
        """These are to be tried again; of a call it is told how it ended last where its age is over before that."""
        if records and isinstance(self.lane, InvocationLane):
            await self.keep(
                Outgoing(
                    lane=self.lane.name,
                    records=records,
                    reason=UNDECIDED,
                    attempts=attempts,
                    outcome=outcome,
                    request_id=outcome.answer.request_id,
                    at=self.clock.wall(),
                )
            )

    async def keep(self, gone: Outgoing) -> None:
        """Keep *gone*; again when another of several destinations has confirmed, and every day."""
        untold, now, confirmed = self._hold(gone), self.clock.boot(), len(gone.taken)
        if untold.written and untold.written[0] == confirmed and now < untold.written[1] + AGAIN:
            return
        records, names = zip(*untold.records.values(), strict=True)
        text = write(replace(gone, records=records), names, version=self.version, clean=self.clean)
        kept = KeptOutcome(name=gone.name, records=names, text=text)
        if await self.keeper.keep(self.name, kept, epoch=self.lane.epoch):
            if untold.written is None and gone.reason != UNDECIDED:
                self.log.info("outcome.kept", lane=self.lane.name, reason=gone.reason, ids=ids_of(records))
            untold.written = confirmed, now

    def _hold(self, gone: Outgoing) -> _Untold:
        if gone.name not in self._untold:
            named = {id(one): (one, self._name(one)) for one in gone.records}
            self._untold[gone.name] = _Untold(named)
            self._names |= {one: name for one, (_, name) in named.items()}
        return self._untold[gone.name]

    def over(self, records: Sequence[Record]) -> None:
        """These are settled: nothing need be kept of them."""
        if self._names:
            over = [(name, one.number) for one in records if (name := self._names.get(id(one))) is not None]
            if over:
                self._over += over
                self.keeper.tidy(self)

    async def forget(self, records: Sequence[Record]) -> None:
        """These are to run again."""
        names = [name for one in records if (name := self._names.get(id(one))) is not None]
        if names:
            await self.keeper.drop(self.name, names)

    def let_go(self, records: Sequence[Record]) -> None:
        """The engine holds these no more."""
        if self._names:
            gone = {id(one) for one in records if self._names.pop(id(one), None) is not None}
            for untold in self._untold.values() if gone else ():
                untold.records = {one: named for one, named in untold.records.items() if one not in gone}
            self._untold = {name: untold for name, untold in self._untold.items() if untold.records}

    def tidy(self) -> Sequence[str]:
        """As `Tidied.tidy`. Of a log nothing is over before its position has passed: it would come again, and run."""
        passed = self.lane.passed if isinstance(self.lane, LogLane) else math.inf
        names = [name for name, number in self._over if number < passed]
        self._over = [] if self._closed else [(name, number) for name, number in self._over if number >= passed]
        if self._over:
            self.keeper.tidy(self)
        return names

    def close(self) -> None:
        """The lane was let go."""
        self._closed = True

    async def part(self, records: Sequence[Record], policy: FailurePolicy) -> Sequence[Sequence[Record] | Outgoing]:
        """*records* as what is to be tried, and what is only to be told of, one after another."""
        kept = await self._find(records)
        self._names |= {id(one): found.name for one, found in kept}
        decided = {id(one): found for one, found in kept if self._is_decided(one, found, policy)}
        if not decided:
            return [records]
        groups = {id(one): (found.stored, self._shift(one, found)) for one, found in kept if id(one) in decided}
        runs = parted(records, groups, self.lane.traits.order)
        return [run.records if run.group is None else self._resumed(run.records, decided) for run in runs]

    def _is_decided(self, record: Record, found: _Found, policy: FailurePolicy) -> bool:
        """Whether nothing but to be told of is left for *record*."""
        return found.said.reason != UNDECIDED or bool(policy.expired([record], self.clock.wall()))

    async def _find(self, records: Sequence[Record]) -> Sequence[tuple[Record, _Found]]:
        """Those of *records* of which something was kept."""
        if isinstance(self.lane, LogLane):
            if self._waiting is None:
                self._waiting = await self._ask(None)
            asked, known = records, self._waiting
        else:
            asked = [one for one in records if one.attempt > 1]
            known = await self._ask([self._name(one) for one in asked]) if asked else None
        if not known:  # as nearly always
            return []
        return [(one, found) for one in asked if (found := known.pop(self._name(one), None)) is not None]

    async def _ask(self, names: Sequence[str] | None) -> dict[str, _Found] | None:
        """What the store knows, by what it calls records; None where nobody can say now."""
        kept = await self.keeper.kept(self.name, names)
        if kept is None:
            return None
        said = {one.name: read(one.text) for one in kept}
        return {
            name: _Found(one.name, words, name)
            for one in kept
            if (words := said[one.name]) is not None
            for name in one.records
        }

    def _resumed(self, records: Sequence[Record], known: Mapping[int, _Found]) -> Outgoing:
        """What is to be told of *records*, as it was to be told then: by their counts of deliveries of then, too."""
        first = known[id(records[0])]
        said = first.said
        gone = Outgoing(
            lane=self.lane.name,
            records=records,
            reason=said.reason or EXPIRED,
            attempts=said.attempts,
            outcome=said.outcome,
            request_id=said.request_id,
            at=said.at if said.reason else self.clock.wall(),
            version=said.version,
            shift=self._shift(records[0], first),
        )
        self._hold(gone)
        for record in records:
            note = said.notes[known[id(record)].name]
            record.attempt = note.attempt
            gone.taken.update((label, id(record)) for label in note.taken)
        self.log.info("outcome.found", lane=self.lane.name, reason=gone.reason, ids=ids_of(records))
        return gone

    @staticmethod
    def _shift(record: Record, found: _Found) -> int:
        return found.said.notes[found.name].number - record.number

    def _name(self, record: Record) -> str:
        """What the store calls *record*: not its id alone, as a stream or topic that is made again counts anew."""
        if isinstance(self.lane, InvocationLane):
            return f"{record.id} {record.token.accepted}"
        place = self.lane.place(record) if isinstance(self.lane, LogLane) else 0
        return f"{record.id} {round(record.at * 1000)}{f' {place}' if place else ''}"
