"""Tumbling windows: which window a record belongs to, when one closes, and the state that it carries. Pure.

Windows are half-open and aligned by the time at which records arrived, as Lambda aligns them, so they are the same
however late a shard is read. A record that comes late joins the window that is open: windows only go forward.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.model import Event, Record

LIMIT = 2**20
"""Bytes of state, as JSON; Lambda ends a window early above it."""

QUIET = 120.0
"""Seconds without new records after which the window of an idle shard closes; Lambda waits up to two minutes."""

FORMAT = 1
"""Of the memo."""

NOTHING = b"{}"


@dataclass(frozen=True, slots=True)
class Window:
    """From *start* up to, and without, *end*, in Unix seconds."""

    start: int
    end: int

    def takes(self, at: float) -> bool:
        """Whether a record that arrived then may still join: late ones may."""
        return at < self.end

    @property
    def block(self) -> dict[str, str]:
        """As an event has it."""
        return {"start": _iso(self.start), "end": _iso(self.end)}


def window_of(at: float, seconds: int) -> Window:
    """The window in which a record belongs that arrived at Unix time *at*."""
    start = int(at // seconds) * seconds
    return Window(start, start + seconds)


def share(records: Sequence[Record], current: Window | None, seconds: int) -> list[tuple[Window, list[Record]]]:
    """*records* by their windows, in order; *current* is that of the record before them, if it is still open."""
    shares: list[tuple[Window, list[Record]]] = []
    for record in records:
        if current is None or not current.takes(record.at):
            current = window_of(record.at, seconds)
        if not shares or shares[-1][0] != current:
            shares.append((current, []))
        shares[-1][1].append(record)
    return shares


def is_over(window: Window, *, now: float, quiet: float, at_tip: bool) -> bool:
    """Whether a window closes although no later record has come.

    At Unix time *now* it has ended, for *quiet* seconds nothing came, and the shard is read to its tip: one that is
    behind, or whose server is away, may still have records of it.
    """
    return at_tip and now >= window.end and quiet >= QUIET


def state_in(value: object) -> dict[str, Any] | None:
    """The state that a handler's answer carries; None when it carries none."""
    state = value.get("state") if isinstance(value, dict) else None
    return state if isinstance(state, dict) else None


@dataclass(frozen=True, slots=True)
class Progress:
    """An open window, and the JSON of its state."""

    window: Window
    state: bytes

    @property
    def memo(self) -> bytes:
        """What is written beside the position."""
        return b'{"format":%d,"start":%d,"end":%d,"state":%b}' % (
            FORMAT,
            self.window.start,
            self.window.end,
            self.state,
        )


def recall(memo: bytes | None) -> Progress | None:
    """The window that *memo* tells of.

    Raises:
        ValueError: it is of a format that this version does not know.
    """
    if memo is None:
        return None
    try:
        said = json.loads(memo)
        known = said["format"] == FORMAT
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise ValueError("the state of a tumbling window was written by another version of headrace: use that one")
    return Progress(Window(said["start"], said["end"]), _json(said["state"]))


class Tumbling:
    """Where one shard stands in its windows: the one whose records are handled now, and the state so far.

    *place* tells what an event says of where it comes from, once something was read. `open` is the window that
    something was settled in: its end is owed an invocation.
    """

    def __init__(self, seconds: int, place: Callable[[], Event], memo: bytes | None) -> None:
        self.seconds, self._place = seconds, place
        self.open = recall(memo)
        self._window = self.open.window if self.open else None

    @property
    def overflows(self) -> bool:
        """The state is larger than Lambda allows: the window ends early, and goes on with a fresh one."""
        return self.open is not None and len(self.open.state) > LIMIT

    def enter(self, window: Window) -> None:
        """The next records are of *window*; the one before it has been closed."""
        self._window = window

    def event(self, *, final: bool = False, early: bool = False) -> Event:
        """What stands in an event beside its records; fresh at every call."""
        assert self._window is not None, "no window was entered"  # noqa: S101 - a caller's mistake
        return {
            "window": self._window.block,
            "state": json.loads(self.open.state if self.open else NOTHING),
            **self._place(),
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }

    def advance(self, value: object) -> bytes:
        """Records were settled with the answer *value*; the memo of what it returned."""
        assert self._window is not None, "no window was entered"  # noqa: S101 - a caller's mistake
        self.open = Progress(self._window, _json(state_in(value) or {}))
        return self.open.memo

    def restart(self) -> bytes:
        """The same window goes on with a fresh state."""
        return self.advance(None)

    def close(self) -> None:
        """The window is over: nothing is left of it. The memo of that is None."""
        self.open = self._window = None


def _json(state: object) -> bytes:
    """Without loss: orjson refuses whole numbers above 64 bits."""
    try:
        return orjson.dumps(state)
    except TypeError:
        return json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
