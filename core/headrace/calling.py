"""What each verb of a queue of calls does to one of them: pure, for the stores that can run Python in a transaction.

`Kept.left` is relative to the moment of the decision, as `Row.left` is. None means: refused, write nothing. Redis says
the same in Lua; one contract test and one model hold both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from headrace.calls import Call, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A call as the store has it.

    Attributes:
        call: as it was put.
        due: from when on it may be taken, by the wall clock: a call that was put back is due later than it was put for.
        attempt: how often it was taken and begun.
        number: of its last taking.
        owner: who has taken it, or had it until it expired; None while it waits.
        left: seconds until its taking expires.
        was_alone: its last taking began alone in its process, and was not put back.
    """

    call: Call
    due: float
    accepted: float
    attempt: int = 0
    number: int = 0
    owner: str | None = None
    left: float = 0.0
    was_alone: bool = False

    @property
    def held(self) -> bool:
        return self.owner is not None and self.left > 0


def accept(call: Call, now: float) -> Kept:
    """One without a time of its own stands behind those that were put before it."""
    return Kept(call=call, due=call.due or now, accepted=now)


def takeable(
    waiting: Iterable[Kept], busy: Callable[[str], bool], begun: Callable[[str], bool], limit: int
) -> list[Kept]:
    """The first of *waiting* that may be taken together.

    *busy*: whether one of a group is taken already; *begun*: whether one that was begun waits to be made again.
    """
    return list(islice(_one_at_a_time(waiting, busy, begun), max(limit, 0)))


def _one_at_a_time(
    waiting: Iterable[Kept], busy: Callable[[str], bool], begun: Callable[[str], bool]
) -> Iterator[Kept]:
    known: dict[str, bool] = {}
    for kept in waiting:
        group = kept.call.group
        if kept.call.alone:
            if group not in known:
                known[group] = busy(group)
            if known[group] or (not kept.attempt and begun(group)):
                continue
        known[group] = True
        yield kept


def take(kept: Kept, owner: str, number: int, ttl: float) -> Kept:
    return replace(kept, owner=owner, number=number, attempt=kept.attempt + 1, left=ttl)


def taken(mapping: str, kept: Kept) -> Taken:
    """The right to a call that was just taken."""
    return Taken(
        mapping=mapping,
        call=kept.call,
        number=kept.number,
        attempt=kept.attempt,
        accepted=kept.accepted,
        was_alone=kept.was_alone,
    )


def ours(kept: Kept | None, taken: Taken) -> Kept | None:
    """The call, while this taking of it is good."""
    return kept if kept is not None and kept.held and kept.number == taken.number else None


def free(kept: Kept) -> Kept:
    """Of one whose taking has expired: it waits again, where it stood."""
    return replace(kept, owner=None, left=0.0)


def put_back(kept: Kept, due: float, *, begun: bool) -> Kept:
    return replace(free(kept), due=due, attempt=kept.attempt if begun else kept.attempt - 1, was_alone=False)
