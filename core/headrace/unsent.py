"""What a destination has not taken: held until it does, or refused and given back; for people to see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.model import Condition, Record

COMING_BACK = 60.0
"""Seconds after its visibility in which a refused record is expected again; then it has gone another way."""

REMEMBERED = 1000
"""Refused records that are kept in mind at most."""


@dataclass(slots=True)
class Holding:
    """One batch that waits for the destination."""

    records: int
    reason: str
    since: float
    refused: bool = False


@dataclass(slots=True)
class Refusal:
    """A record that the destination can never take; `until` in seconds of `Clock.boot`."""

    reason: str
    since: float
    until: float


class Unsent:
    """Of one lane. Times that people see are Unix seconds."""

    def __init__(self) -> None:
        self._held: dict[object, Holding] = {}
        self._refused: dict[str, Refusal] = {}

    def hold(self, batch: object, records: int, reason: str, now: float, *, refused: bool = False) -> None:
        """*records* of *batch* wait at Unix time *now* because of *reason*; *refused*: until somebody mends it."""
        holding = self._held.setdefault(batch, Holding(records, reason, now))
        holding.records, holding.reason, holding.refused = records, reason, refused

    def release(self, batch: object) -> None:
        """Nothing of it waits any more."""
        self._held.pop(batch, None)

    def refuse(self, record: Record, reason: str, *, until: float, now: float) -> None:
        """*record* is given back and comes again, at *until* or soon after it."""
        before = self._refused.pop(record.id, None)
        if len(self._refused) >= REMEMBERED:
            self._refused.pop(next(iter(self._refused)))
        self._refused[record.id] = Refusal(reason, before.since if before else now, until + COMING_BACK)

    def settled(self, records: Iterable[Record]) -> None:
        """These have a verdict after all."""
        if self._refused:
            for record in records:
                self._refused.pop(record.id, None)

    def condition(self, boot: float) -> Condition | None:
        """What is the matter at *boot*, in seconds of `Clock.boot`; None when nothing is."""
        if held := list(self._held.values()):
            count, since = sum(one.records for one in held), min(one.since for one in held)
            if all(one.refused for one in held):
                said = f"refused by the destination, and held until that is mended: {held[0].reason}"
                return Condition("refused", f"{_counted(count)} {said}", since)
            said = f"held until the destination takes them: {held[0].reason}"
            return Condition("holding", f"{_counted(count)} {said}", since)
        if refused := [(name, one) for name, one in list(self._refused.items()) if one.until > boot]:
            name, refusal = refused[0]
            said = f"refused by the destination, and left at the source: {name}: {refusal.reason}"
            return Condition("refused", f"{_counted(len(refused))} {said}", refusal.since)
        return None


def _counted(count: int) -> str:
    return "1 record is" if count == 1 else f"{count} records are"
