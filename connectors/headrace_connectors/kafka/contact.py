"""How long a group counts us in: until a session after its coordinator was last heard from."""

from __future__ import annotations

from headrace.clock import Clock

MARGIN = 0.1
"""Of the session: dispatch ends that much before the group lets others in."""

LOOKS = 10
"""Within a session; a process that misses as many stood still."""


class Contact:
    """Counts in `Clock.boot`, which runs on while a machine sleeps; the clients' own clocks do not."""

    def __init__(self, session: float, clock: Clock) -> None:
        self._clock = clock
        self._heard = self._looked = clock.boot()
        self.lasts(session)

    def lasts(self, session: float) -> None:
        """A session of the group is so long."""
        self.session, self.every, self._length = session, session / LOOKS, session * (1 - MARGIN)

    @property
    def deadline(self) -> float:
        """Nothing may be dispatched after it, in seconds of `Clock.boot`."""
        return self._heard + self._length

    def heard(self, sent: float) -> None:
        """The coordinator took what was sent at *sent*."""
        self._heard = max(self._heard, sent)

    def look(self, silence: float) -> None:
        """The client says that it heard from it *silence* seconds ago.

        Who stood still for a session believes nothing that was said before: the group has gone on meanwhile.
        """
        now = self._clock.boot()
        stood, self._looked = now - self._looked, now
        if stood < self._length:
            self.heard(now - silence)
