"""Which of a schedule's occurrences fire now, and which are missed, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Final

from headrace_connectors.schedule.at import At
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.remembered import Remembered

ON_TIME: Final = timedelta(seconds=60)
"""How late an occurrence may be and still be none that was missed: AWS promises no more than a minute."""

COUNTED: Final = 10_000
"""Occurrences, beyond the window, that are counted one by one; of more, only that they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of the occurrences that are due. `remembered` holds once it is written with those that fire.

    Attributes:
        fire: those that fire, ascending.
        missed: those that do not, each with the reason.
        next: the first that is not due yet; None: there is none.
    """

    fire: Sequence[datetime]
    missed: Sequence[tuple[datetime, str]]
    remembered: Remembered
    next: datetime | None


def decide(definition: Definition, known: Remembered, now: datetime, unfinished: int) -> Decided:
    """*unfinished*: its occurrences that fired and have not ended yet."""
    missed: list[tuple[datetime, str]] = []
    due, following = _due(definition, known, now, missed)
    fire = _caught_up(definition, due, now, missed)
    fire = _beside(definition, fire, unfinished, missed)
    missed.sort()
    last = max([known.last, *due, *(at for at, _ in missed)])
    remembered = Remembered(
        digest=known.digest,
        anchor=known.anchor,
        last=last,
        missed=known.missed,
        missed_at=known.missed_at,
        missed_why=known.missed_why,
    )
    for at, why in missed:
        remembered = remembered.miss(at, why)
    return Decided(fire=fire, missed=missed, remembered=remembered, next=following)


def _due(
    definition: Definition, known: Remembered, now: datetime, missed: list[tuple[datetime, str]]
) -> tuple[list[datetime], datetime | None]:
    """Those that are due within the window, and the first that is not; older ones are missed."""
    timetable, window = definition.timetable(known.anchor), timedelta(seconds=definition.settings.catchup_window)
    if isinstance(definition.expression, At):
        at = next(timetable.occurrences(known.last), None)
        return ([], at) if at is None or at > now else ([at], None)
    oldest, since = now - window, known.last
    if since < oldest:
        old = [at for at in islice(timetable.occurrences(since), COUNTED) if at < oldest]
        missed += [(at, f"older than catchup_window ({window})") for at in old]
        if len(old) == COUNTED:
            missed.append((oldest, f"and all others before {oldest.isoformat(timespec='seconds')}"))
            since = oldest
        else:
            since = max([since, *old])
    due: list[datetime] = []
    for at in timetable.occurrences(since):
        if at > now:
            return due, at
        due.append(at)
    return due, None


def _caught_up(
    definition: Definition, due: Sequence[datetime], now: datetime, missed: list[tuple[datetime, str]]
) -> list[datetime]:
    """Those that fire by the policy for what is late."""
    settings = definition.settings
    if isinstance(definition.expression, At):
        return list(due)
    late = [at for at in due if now - at > ON_TIME]
    rest = list(due[len(late) :])
    if settings.missed == "skip":
        return rest + _miss(late, missed, "nobody was there, and missed is skip")
    if settings.missed == "latest":
        kept = late[-1:] if not rest else []
        why = "nobody was there; a later one fires, as missed is latest"
        _miss(late[: len(late) - len(kept)], missed, why)
        return kept + rest
    kept = late[-settings.max_catchup :]
    why = f"nobody was there; max_catchup ({settings.max_catchup}) later ones fire"
    _miss(late[: len(late) - len(kept)], missed, why)
    return kept + rest


def _beside(
    definition: Definition, fire: Sequence[datetime], unfinished: int, missed: list[tuple[datetime, str]]
) -> list[datetime]:
    """Those that fire though the ones before have not ended."""
    overlap = definition.settings.overlap
    if overlap == "allow":
        return list(fire)
    room = max((1 if overlap == "skip" else 2) - unfinished, 0)
    _miss(fire[room:], missed, f"the one before has not ended, and overlap is {overlap}")
    return list(fire[:room])


def _miss(some: Sequence[datetime], missed: list[tuple[datetime, str]], why: str) -> list[datetime]:
    missed += [(at, why) for at in some]
    return []


def delay(definition: Definition, at: datetime) -> float:
    """Seconds after *at* at which it fires: always the same of one occurrence, within its window and jitter."""
    most = definition.settings.flexible_time_window.seconds + definition.settings.jitter
    if not most:
        return 0.0
    part = int.from_bytes(sha256(f"{definition.name}@{at.isoformat()}".encode()).digest()[:8], "big") / 2**64
    return part * most
