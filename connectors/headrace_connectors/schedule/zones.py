"""From local time to the instant it names: time zones, and what a change of the clocks does to a local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from headrace.errors import ConfigError, Fault

NOT_IANA: Final = frozenset({"localtime", "Factory"})
"""Files beside the zones: whatever the machine is set to, and a placeholder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A local time, and the instant it names.

    `kind` is `skipped` where the local time does not exist that day, since clocks went forward over it: `at` is then
    by the offset before the change. It is `twice` where clocks went back over it: `at` is the first of the two.
    """

    wall: datetime
    at: datetime
    kind: Literal["once", "skipped", "twice"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the clocks: the local time at which it comes, and the one that they show then."""

    before: datetime
    behind: datetime


def zone(name: str, path: str) -> ZoneInfo:
    """The zone of an IANA name, which stands at *path*.

    Raises:
        ConfigError: there is none of that name.
    """
    known = _names()
    if name in known:
        return ZoneInfo(name)
    plain = {one.casefold(): one for one in known}
    cities = {one.rpartition("/")[2].casefold(): one for one in sorted(known)}
    meant = name.strip().replace(" ", "_").casefold()
    close = next((table[one] for table in (plain, cities) for one in get_close_matches(meant, table, 1, 0.8)), None)
    mend = f"did you mean {close}?" if close else "write an IANA name, as Europe/Berlin or UTC"
    raise ConfigError([Fault(path, f"there is no time zone {name!r}; {mend}")])


@lru_cache(1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - NOT_IANA


def moment(wall: datetime, where: tzinfo) -> Moment:
    """What the local time *wall* names in *where*."""
    first = wall.replace(tzinfo=where)
    at = first.astimezone(UTC)
    if at.astimezone(where).replace(tzinfo=None) != wall:
        return Moment(wall=wall, at=at, kind="skipped")
    again = first.replace(fold=1)
    return Moment(wall=wall, at=at, kind="once" if again.utcoffset() == first.utcoffset() else "twice")


def change(one: Moment, where: tzinfo) -> Change:
    """The change of the clocks that *one*, skipped or twice, lies in."""
    early, late = sorted(int(one.wall.replace(tzinfo=where, fold=fold).timestamp()) for fold in (0, 1))
    before = _shown(early, where) - _shown(early, UTC)
    while late - early > 1:  # the change comes behind the one, and not behind the other
        middle = (early + late) // 2
        if _shown(middle, where) - _shown(middle, UTC) == before:
            early = middle
        else:
            late = middle
    return Change(before=_shown(late, UTC) + before, behind=_shown(late, where))


def _shown(seconds: int, where: tzinfo) -> datetime:
    """The local time at that Unix time."""
    return datetime.fromtimestamp(seconds, where).replace(tzinfo=None)
