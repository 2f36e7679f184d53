"""Virtual time: an asyncio loop on which hours pass in milliseconds, and a clock that reads it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_000.0
"""Where virtual time begins: not at 0, which would hide a missing reading."""

EPOCH = 1_750_000_000.0
"""Unix time at virtual second 0."""

TURNS = 10_000
"""Turns of the loop at one moment after which time passes all the same, by `HAIR`: as it does on a real machine."""

HAIR = 1e-6
"""Seconds. What waits for a moment that a rounded float misses by less would otherwise wait for ever."""

PATIENCE = 10.0
"""Real seconds that the loop waits for a thread when no timer is set, before it calls that a deadlock."""


class DeadlockError(RuntimeError):
    """Nothing is ready, no timer is set and no thread reports: what is awaited can never come."""


class _Jumping(selectors.DefaultSelector):
    """Looks for events without waiting; where the loop would have waited, time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self._turns = 0
        self.every_turn: Callable[[], object] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.every_turn()
        events = super().select(PATIENCE if timeout is None else 0)
        if not events:
            if timeout is None:
                raise DeadlockError("every task waits, no timer is set and no thread reports")
            self._pass(timeout)
        return events

    def _pass(self, seconds: float) -> None:
        before = self.now
        self.now += max(seconds, 0.0)
        self._turns = self._turns + 1 if self.now == before else 0
        if self._turns > TURNS:
            self.now += HAIR


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs as asyncio does, except that its time jumps to the next timer when nothing is ready.

    Threads run in real time: while one works, virtual time passes over it. Sockets must not be waited for with timers.
    """

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def every_turn(self, check: Callable[[], object]) -> None:
        """Call *check* at every turn of the loop, so whenever anything waits; what it raises ends the loop."""
        self._jumping.every_turn = check


class FakeClock:
    """A `Clock` that reads the running virtual loop. `step` sets the wall clock, as an operator or NTP would."""

    def __init__(self) -> None:
        self._stepped = 0.0

    def wall(self) -> float:
        return EPOCH + self._stepped + self.boot()

    def boot(self) -> float:
        return asyncio.get_running_loop().time()

    def step(self, seconds: float) -> None:
        """Move the wall clock, forward or back; deadlines must not notice."""
        self._stepped += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* on virtual time to its end.

    Raises:
        DeadlockError: it waits for what can never come.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual(test: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Make a plain function of an async test, which runs it on virtual time.

    ```python
    @virtual
    async def test_a_year_passes() -> None:
        await asyncio.sleep(365 * 86_400)
    ```
    """

    @functools.wraps(test)
    def plain(*args: Any, **kwargs: Any) -> T:
        return run(test(*args, **kwargs))

    return plain


C = TypeVar("C", bound=type)


def on_virtual_time(suite: C) -> C:
    """Make every async test of a class, inherited ones too, run on virtual time."""
    tests: Mapping[str, Any] = dict(inspect.getmembers(suite, inspect.iscoroutinefunction))
    for name, test in tests.items():
        if name.startswith("test_"):
            setattr(suite, name, virtual(test))
    return suite
