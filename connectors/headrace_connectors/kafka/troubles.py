"""What keeps a source from being served, by who has noticed: polls, questions, the coordinator's silence."""

from __future__ import annotations

from collections.abc import Callable


class Troubles:
    """*tell* is told the trouble that is there longest, and "" once none is left; each time that this changes."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._said: dict[str, str] = {}

    def says(self, who: str, trouble: str) -> None:
        """*who* notices *trouble*; "" that all is well again."""
        before = next(iter(self._said.values()), "")
        if trouble:
            self._said[who] = trouble
        else:
            self._said.pop(who, None)
        now = next(iter(self._said.values()), "")
        if now != before:
            self._tell(now)
