"""What to do with records that failed. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from headrace.model import Order, Record, Traits


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The source brings it again: after *delay* seconds, or in its own time when None."""

    delay: float | None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the same records in place after *delay* seconds, as attempt number *attempt* (counted from 1)."""

    delay: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Bisect:
    """Try each half by itself, the earlier first.

    A split costs no attempt (Lambda's guide), and each half has a budget of its own: a record that is alone in the end
    has all of it.
    """


@dataclass(frozen=True, slots=True)
class Discard:
    """Give the records up, to the failure destination where there is one."""

    reason: str


Decision: TypeAlias = GiveBack | Retry | Bisect | Discard

EXHAUSTED = "RetryAttemptsExhausted"
EXPIRED = "RecordAgeExceeded"
UNREADABLE = "DESERIALIZATION_ERROR"
"""Lambda's reason for a Kafka record that cannot be decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """How often, how long and how finely to try again.

    Attributes:
        retries: attempts after the first; None: until success, or as long as the source itself redelivers.
        bisect: split a failed batch rather than try it whole.
        backoff: seconds after the first failure, doubling; None (queues): the source's own time.
        ceiling: seconds that the doubling does not go past.
        max_age: seconds after its arrival at which a record is given up; None: never.
        strict: in key order, what follows a failure in its group fails with it.
    """

    retries: int | None = None
    bisect: bool = False
    backoff: float | None = None
    ceiling: float = 60.0
    max_age: float | None = None
    strict: bool = False

    def delay(self, attempt: int) -> float | None:
        """Seconds to wait after the *attempt*-th failure in a row."""
        if self.backoff is None:
            return None
        return min(self.backoff * 2.0 ** min(max(attempt - 1, 0), 32), self.ceiling)

    def decide(self, traits: Traits, *, failed: int, attempt: int, progress: bool) -> Decision:
        """What becomes of *failed* records after the *attempt*-th attempt.

        *progress* says that a valid partial answer settled what comes before them: the remainder is then a new batch
        with its own count (recorded on AWS: lambda-semantics 4.2). Without progress it counts as an exception.
        """
        if traits.redelivers:
            return GiveBack(self.delay(attempt))
        if progress:
            return Retry(self.delay(1) or 0.0, 1)
        if self.bisect and failed > 1:
            return Bisect()
        if self.exhausted(attempt):
            return Discard(EXHAUSTED)
        return Retry(self.delay(attempt) or 0.0, attempt + 1)

    def exhausted(self, attempts: int) -> bool:
        """Whether no attempt is left after so many."""
        return self.retries is not None and attempts > self.retries

    def spent(
        self, records: Sequence[Record], named: AbstractSet[str] | None
    ) -> tuple[Sequence[Record], Sequence[Record]]:
        """Part what is given up of *records* that failed at a source which redelivers from what comes again.

        Each pays for itself, by its own count of deliveries (SQS counts receives). *named* are the ids that the answer
        named, None when the whole batch failed: what failed only for what comes before it in its group is innocent.
        """
        limit = self.retries
        if limit is None:
            return [], records
        gone = [one for one in records if one.attempt > limit and (named is None or one.id in named)]
        if not gone:
            return [], records
        spent = set(map(id, gone))
        return gone, [one for one in records if id(one) not in spent]

    def too_late(self, records: Sequence[Record], now: float) -> tuple[Sequence[Record], Sequence[Record]]:
        """Part what would be older than allowed when it came again from what comes again; *now* in Unix seconds."""
        limit = self.max_age
        if limit is None:
            return [], records
        late = [one for one in records if one.at + limit < now + (self.delay(one.attempt) or 0.0)]
        gone = set(map(id, late))
        return late, [one for one in records if id(one) not in gone]

    def expired(self, records: Sequence[Record], now: float) -> int:
        """How many records at the front are older than allowed at Unix time *now*: only the prefix goes."""
        if self.max_age is None:
            return 0
        oldest_allowed = now - self.max_age
        for count, record in enumerate(records):
            if record.at >= oldest_allowed:
                return count
        return len(records)


def part(
    records: Sequence[Record], failed: AbstractSet[str], order: Order, *, strict: bool = False
) -> tuple[Sequence[Record], Sequence[Record]]:
    """Part what succeeded from what did not.

    In a sequence everything from the lowest failed record on is delivered again. In key order Lambda deletes what is
    not listed, whatever comes before it in its group; *strict* fails what follows in the group too.
    """
    if order is Order.SEQUENCE:
        cut = next(index for index, record in enumerate(records) if record.id in failed)
        return records[:cut], records[cut:]
    good: list[Record] = []
    bad: list[Record] = []
    spoiled: set[str | None] = set()
    for record in records:
        if record.id in failed or (strict and order is Order.KEY and record.key in spoiled):
            spoiled.add(record.key)
            bad.append(record)
        else:
            good.append(record)
    return good, bad


def halves(records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """The earlier and the later half; the earlier is the smaller where they differ."""
    middle = len(records) // 2
    return records[:middle], records[middle:]
