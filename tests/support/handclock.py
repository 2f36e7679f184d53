"""A clock for ledgers that are tested in real time: it stands still but when it is told to go on."""

from __future__ import annotations


class HandClock:
    """A `Clock`; may be read from any thread. `stepped`: how far the wall clock was set, forward or back."""

    def __init__(self) -> None:
        self.now = 50.0
        self.stepped = 0.0

    def boot(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.stepped
