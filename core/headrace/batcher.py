"""When waiting records make a batch. Pure: the caller brings the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from headrace.model import Record

EVENT_BYTES = 6 * 2**20
"""Lambda's limit of a synchronous invocation's payload: the whole event as JSON, metadata included."""

ENVELOPE_BYTES = 1024
"""Kept free for what stands in an event beside its records."""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """A batch goes out at *size* records, at *nbytes* of event, or *window* seconds after its first record.

    With *whole* records that share a position stay together, where a batch can hold them all.
    """

    size: int = 10
    window: float = 0.0
    nbytes: int = EVENT_BYTES - ENVELOPE_BYTES
    whole: bool = False


class Batcher:
    """Records that wait for their batch, oldest first."""

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: deque[Record] = deque()
        self._pages: deque[tuple[float, int]] = deque()  # when each page came, and how many came up to its end
        self._came = 0
        self._went = 0
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """A batch can go without waiting for its window."""
        return len(self._waiting) >= self._policy.size or self._nbytes >= self._policy.nbytes

    @property
    def due(self) -> float | None:
        """When the oldest will have waited for the window."""
        return self._pages[0][0] + self._policy.window if self._pages else None

    def room(self, places: int, size: int) -> int:
        """Records that may still come for *places* batches of *size*."""
        return max(places * size - len(self._waiting), 0)

    def add(self, records: Sequence[Record], now: float) -> None:
        if not records:
            return
        self._waiting.extend(records)
        self._came += len(records)
        self._pages.append((now, self._came))
        self._nbytes += sum([record.size for record in records])

    def take(self) -> list[Record]:
        """The next batch: never more than the policy allows, but a record that is too large for it goes alone."""
        waiting, policy = self._waiting, self._policy
        if self._nbytes <= policy.nbytes and len(waiting) <= policy.size:
            batch, taken = list(waiting), self._nbytes
            waiting.clear()
        elif self._nbytes <= policy.nbytes:
            batch = [waiting.popleft() for _ in range(min(policy.size, len(waiting)))]
            taken = sum([record.size for record in batch])
        else:
            batch, taken = self._fit()
        if policy.whole:
            taken -= self._give_back_a_part(batch)
        self._nbytes -= taken
        self._went += len(batch)
        while self._pages and self._pages[0][1] <= self._went:
            self._pages.popleft()
        return batch

    def _give_back_a_part(self, batch: list[Record]) -> int:
        """Let what shares its position with records that are left wait with them; its bytes."""
        waiting, keep = self._waiting, len(batch)
        while waiting and keep and batch[keep - 1].token == waiting[0].token:
            keep -= 1
        if keep == len(batch) or not keep:
            return 0
        part = batch[keep:]
        del batch[keep:]
        waiting.extendleft(reversed(part))
        return sum([record.size for record in part])

    def _fit(self) -> tuple[list[Record], int]:
        batch: list[Record] = []
        taken = 0
        while self._waiting and len(batch) < self._policy.size:
            size = self._waiting[0].size
            if batch and taken + size > self._policy.nbytes:
                break
            batch.append(self._waiting.popleft())
            taken += size
        return batch, taken

    def clear(self) -> list[Record]:
        """Everything that waits, in order; nothing waits afterwards."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._pages.clear()
        self._went, self._nbytes = self._came, 0
        return waiting
