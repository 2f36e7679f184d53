"""Keyword arguments that the pollers of streams have in common."""

from __future__ import annotations

from typing import Literal

from headrace.poller import PollerOptions


class StreamPollerOptions(PollerOptions, total=False):
    """A mapping's settings in the config file, same names, types and defaults, with those that only streams have."""

    parallelization_factor: int
    bisect_batch_on_function_error: bool
    maximum_record_age_in_seconds: int
    tumbling_window_in_seconds: int
    on_missing_positions: Literal["begin", "fail"]
