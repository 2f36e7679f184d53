"""SIGTERM and SIGINT, heard from the first moment of a command until the process has ended.

Imports nothing heavy: it is installed before the rest of headrace is, so that no signal meets Python's default.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Thread, local
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Listens in a thread of its own, woken by the interpreter's C code: a loop that is wedged delays nothing.

    Before `attach`, a signal interrupts what the main thread does (an import, the loading of a handler) with a
    KeyboardInterrupt. After it, a signal calls `stop`, which must bear being called again, and a second SIGINT
    calls `force`, both in the listening thread. Whoever attaches after a signal is stopped at once.
    """

    def __init__(self) -> None:
        self.requested = False
        self._stop: Callable[[], object] | None = None
        self._force: Callable[[], object] = lambda: os._exit(1)
        self._descriptor = -1
        self._interrupts = 0

    def install(self) -> None:
        """Take both signals over. Only from the main thread."""
        read, self._descriptor = os.pipe()
        os.set_blocking(self._descriptor, False)
        for number in STOPPING:
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._descriptor, warn_on_full_buffer=False)
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)
        Thread(target=self._listen, args=(read,), name="headrace-signals", daemon=True).start()

    def attach(self, stop: Callable[[], object], force: Callable[[], object]) -> None:
        """From now on there is something to drain."""
        self._stop, self._force = stop, force
        if self.requested:
            stop()

    def _on_signal(self, *_: Any) -> None:
        """Runs in the main thread, as soon as that runs Python code again. Only the listening thread counts."""
        if self._stop is None:
            raise KeyboardInterrupt

    def _listen(self, descriptor: int) -> None:
        while received := os.read(descriptor, 64):
            for number in received:
                if number in STOPPING:
                    self._hear(number)

    def _hear(self, number: int) -> None:
        self.requested = True
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:  # not a SIGINT after a SIGTERM: sent together, they may come in either order
            self._force()
        elif self._stop is not None:
            self._stop()


_held = local()
"""The signal mask of a thread that forks, from before."""


def _hold() -> None:
    """Around a fork: a signal to the child must find the child's own handlers."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _forget() -> None:
    """In a process that a handler forked: its signals are its own, and must not stop the parent."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _release()
