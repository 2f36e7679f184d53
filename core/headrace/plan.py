"""What a lane is run by: the numbers and policies of its mapping."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from headrace.batcher import BatchPolicy
from headrace.policy import FailurePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a mapping's records are gathered, tried and given up.

    Attributes:
        strands: in a sequence, how many keys' batches may be at the handler at once, one batch each.
        concurrency: elsewhere, how many batches may be at the handler at once.
        capacity: records that a lane may hold; `capacity_bytes` the same in bytes.
    """

    batch: BatchPolicy = field(default_factory=BatchPolicy)
    failure: FailurePolicy = field(default_factory=FailurePolicy)
    strands: int = 1
    concurrency: int = 10
    capacity: int = 1000
    capacity_bytes: int = 64 * 2**20

    def careful(self) -> Plan:
        """The same, one record at a time."""
        return replace(self, batch=replace(self.batch, size=1, window=0.0), strands=1)
