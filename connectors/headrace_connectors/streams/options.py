"""What may be written about a mapping of a stream, and what is wrong or dangerous in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.errors import Fault
from headrace.plugins import Opening

DEFAULTS: Mapping[str, object] = {
    "batch_size": 100,
    "maximum_batching_window_in_seconds": 0,
    "bisect_batch_on_function_error": False,
    "maximum_record_age_in_seconds": -1,
    "maximum_retry_attempts": -1,
    "parallelization_factor": 1,
    "tumbling_window_in_seconds": 0,
}
"""As recorded of a fresh mapping on AWS (lambda-semantics 1.2)."""

REFUSES: Mapping[str, str] = {
    "scaling_config": "a shard's batches go in order: set parallelization_factor for several at once",
}

NO_POSITION = (
    "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
    "Member must not be null."
)
"""AWS's text (lambda-semantics 1.4)."""


def check(opening: Opening, positions: str) -> Iterator[Fault]:
    """What AWS refuses of a mapping of any stream; *positions* are those that this one knows, for the mend."""
    settings = opening.settings
    if settings.starting_position is None:
        yield Fault("starting_position", f"{NO_POSITION} Write {positions}")
    if settings.tumbling_window_in_seconds and (settings.parallelization_factor or 1) > 1:
        yield Fault(
            "tumbling_window_in_seconds",
            "needs parallelization_factor 1: a window's state goes from batch to batch of its shard, one at a time",
        )


def warn(opening: Opening, retention: str) -> Iterator[Fault]:
    """Dangerous, but legal; *retention* is how long the stream keeps a record: `a day`."""
    settings = opening.settings
    limits = (settings.maximum_retry_attempts, settings.maximum_record_age_in_seconds)
    if opening.on_failure is None and all(limit is None or limit < 0 for limit in limits):
        yield Fault(
            "maximum_retry_attempts",
            f"there is no limit and no failure destination: a batch that always fails holds its shard until the stream "
            f"drops its records, {retention} by default; set maximum_retry_attempts and destination_config.on_failure",
        )
