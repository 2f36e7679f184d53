"""What a lane is run by: the numbers and policies of its mapping."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from headrace.batcher import ENVELOPE_BYTES, EVENT_BYTES, BatchPolicy
from headrace.model import Traits
from headrace.policy import FailurePolicy
from headrace.settings import LEAST_CAPACITY, MappingSettings
from headrace.windows import LIMIT as STATE_BYTES


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


def plan_of(settings: MappingSettings, traits: Traits) -> Plan:
    """The engine's plan for effective *settings*."""
    batch_size = settings.batch_size or 10
    strands = settings.parallelization_factor or 1
    backoff = settings.retry_backoff
    return Plan(
        batch=BatchPolicy(
            size=batch_size,
            window=float(settings.maximum_batching_window_in_seconds or 0),
            nbytes=EVENT_BYTES - ENVELOPE_BYTES - (STATE_BYTES if settings.tumbling_window_in_seconds else 0),
        ),
        failure=FailurePolicy(
            retries=_limit(settings.maximum_retry_attempts),
            bisect=bool(settings.bisect_batch_on_function_error),
            backoff=backoff.initial if backoff else (None if traits.redelivers else 1.0),
            ceiling=backoff.maximum if backoff else 60.0,
            max_age=_limit(settings.maximum_record_age_in_seconds),
            strict=settings.response_mode == "strict",
        ),
        strands=strands,
        concurrency=settings.maximum_concurrency,
        capacity=settings.capacity or LEAST_CAPACITY,
        capacity_bytes=settings.capacity_bytes,
    )


def _limit(value: int | None) -> int | None:
    """Lambda writes "no limit" as -1."""
    return None if value is None or value < 0 else value
