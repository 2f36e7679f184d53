"""The rates that the fakes hold callers to: so many calls, and so many bytes, a second."""

from __future__ import annotations

from collections import deque

SLACK = 1e-6
"""Seconds by which a call may come too early: a caller that adds up fifths of a second is off by less."""


class Calls:
    """At most *count* calls in any *span* seconds: a sliding window, stricter than a bucket that is refilled.

    Calls that are refused do not count: AWS does not say that they do.
    """

    def __init__(self, count: int, span: float = 1.0) -> None:
        self._count, self._span = count, span
        self._at: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Count a call at *now*; False when it is one too many."""
        while self._at and now >= self._at[0] + self._span - SLACK:
            self._at.popleft()
        if len(self._at) >= self._count:
            return False
        self._at.append(now)
        return True


class Volume:
    """At most *rate* bytes a second: an answer of more stops the next calls for as long as it takes to make up for it.

    So 10 MiB at 2 MiB a second stop them for 5 seconds, as Kinesis says; smaller answers add up over one second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._answers: deque[tuple[float, int]] = deque()

    def spent(self, now: float) -> bool:
        """Whether the last answers leave no room for another at *now*."""
        self._answers = deque(
            (at, nbytes) for at, nbytes in self._answers if now < at + max(nbytes / self._rate, 1.0) - SLACK
        )
        return sum(nbytes for _, nbytes in self._answers) >= self._rate

    def add(self, now: float, nbytes: int) -> None:
        if nbytes:
            self._answers.append((now, nbytes))
