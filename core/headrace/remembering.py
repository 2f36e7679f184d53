"""What each verb of the verdicts does to one of them: pure, for the stores that can run Python in a transaction.

`Entry.left` is relative to the moment of the decision, as `Row.left` is. Redis says the same in Lua; one contract test
and one model hold both.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.verdicts import Standing, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key as the store has it: held by *holder*, or *done* by it, for *left* seconds more."""

    holder: str
    done: bool
    left: float


def standing(entry: Entry | None, holder: str, seconds: float) -> Standing:
    """How it stands with a key that *holder* is to have for *seconds*: BEGUN means that it may have it."""
    if entry is None or entry.left <= 0 or (entry.holder == holder and not entry.done):
        return Standing(State.BEGUN, seconds)
    return Standing(State.DONE if entry.done else State.HELD, entry.left)


def may_finish(entry: Entry | None, holder: str) -> bool:
    """Whether *holder* may write that it is done; a repeat may."""
    return entry is None or entry.left <= 0 or entry.holder == holder


def may_let_go(entry: Entry | None, holder: str) -> bool:
    """Whether there is something of *holder*'s to let go of."""
    return entry is not None and entry.holder == holder and not entry.done
