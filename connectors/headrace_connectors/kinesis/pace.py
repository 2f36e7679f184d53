"""When the next GetRecords of a shard may go. Pure: the caller brings the time.

A shard gives 5 calls and 2 MiB a second to everything that polls it together (the Kinesis service quotas). One `Pace` a
shard is shared by all that reads it in this process; of other processes it knows nothing, and Kinesis throttles then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CALLS_PER_SECOND = 5
BYTES_PER_SECOND = 2 * 2**20
AT_THE_TIP = 1.0
"""Seconds from one call to the next of one reader that has caught up, as Lambda polls and AWS advises."""


class Pace:
    """The calls of one shard, in any one clock's seconds.

    Calls stand a fifth of a second apart rather than five in a burst: how the burst would be spread over seconds by the
    network nobody knows.
    """

    def __init__(self) -> None:
        self._spaced = 0.0
        self._paid = 0.0

    @property
    def due(self) -> float:
        """The next call may go at this time, and not before."""
        return max(self._spaced, self._paid)

    def sent(self, now: float) -> None:
        self._spaced = max(self._spaced, now + 1 / CALLS_PER_SECOND)

    def served(self, now: float, nbytes: int) -> None:
        """An answer of so many bytes has come: they are paid for in time, one answer's after the other's."""
        self._paid = max(self._paid, now) + nbytes / BYTES_PER_SECOND


class Unpaced(Pace):
    """What is pushed is not asked for: nothing to wait for."""

    @property
    def due(self) -> float:
        return 0.0


def nbytes(page: Sequence[dict[str, Any]]) -> int:
    """What an answer counts for: its data, which is a third longer where it is base64 text (a lean answer), and keys.

    Kinesis counts keys of what is written, and does not say whether it does of what is read.
    """
    data = sum([len(one["Data"]) for one in page])
    keys = sum([len(one["PartitionKey"]) for one in page])
    return keys + (data * 3 // 4 if page and isinstance(page[0]["Data"], str) else data)
