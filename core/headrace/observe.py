"""Seeing inside: structured logs, and the counts that must balance."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Literal, TextIO, TypeAlias, cast

import structlog

Log: TypeAlias = Any
"""A structlog logger: `log.info("batch.failed", mapping=…)`. Event names are stable; payloads are never logged."""


def log(**bound: object) -> Log:
    """A logger with *bound* in every line."""
    return structlog.get_logger("headrace").bind(**bound)


def configure_logging(form: Literal["console", "json"] = "console", level: str = "info") -> None:
    """For a service only: a library's user configures structlog as they like. Lines go to standard error."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _CurrentStderr())),
        cache_logger_on_first_use=False,
    )


class _CurrentStderr(io.TextIOBase):
    """Whatever standard error is at each write: loggers are made before a live table takes it over."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Discreet:
    """A logger that says of an exception what it is and where, not its text: that may quote a record."""

    def __init__(self, told: Log) -> None:
        self._told = told

    def bind(self, **bound: object) -> Discreet:
        return Discreet(self._told.bind(**bound))

    def debug(self, event: str, **context: Any) -> None:
        self._told.debug(event, **_wordless(context))

    def info(self, event: str, **context: Any) -> None:
        self._told.info(event, **_wordless(context))

    def warning(self, event: str, **context: Any) -> None:
        self._told.warning(event, **_wordless(context))

    def error(self, event: str, **context: Any) -> None:
        self._told.error(event, **_wordless(context))

    def exception(self, event: str, **context: Any) -> None:
        self.error(event, **{"exc_info": sys.exception(), **context})


def _wordless(context: dict[str, Any]) -> dict[str, Any]:
    error = context.pop("exc_info", None)
    if not isinstance(error, BaseException):
        return context
    return {"error": type(error).__name__, "stack": traceback.format_tb(error.__traceback__), **context}


class Histogram:
    """Counts of values at or below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def spread(self, low: float, high: float, values: Sequence[float]) -> None:
        """Add *values*, which all lie from *low* to *high*: at once where one bucket takes them all."""
        first = bisect_left(self.bounds, low)
        if first == bisect_left(self.bounds, high):
            self.counts[first] += len(values)
        else:
            for value in values:
                self.counts[bisect_left(self.bounds, value)] += 1
        self.total += sum(values)

    def quantile(self, q: float) -> float:
        """The value below which *q* of all lie, straight between the bounds of its bucket; 0 when empty."""
        wanted = q * sum(self.counts)
        seen = 0.0
        for index, count in enumerate(self.counts):
            if count and seen + count >= wanted:
                low = self.bounds[index - 1] if index else 0.0
                high = self.bounds[index] if index < len(self.bounds) else low
                return low + (high - low) * (wanted - seen) / count
            seen += count
        return 0.0


SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
AGES = (*SECONDS, 3600, 21600, 86400, 604800)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


class Tally:
    """One lane's counts of records.

    At any moment: polled = filtered_out + succeeded + dropped + delivered + returned + abandoned + deduplicated
    + in_flight. The others are counts of work, not of verdicts: an invoked record is counted at every attempt, a failed
    and a retried one (handed over again) at each; `failed_invoke` counts whole batches, as AWS does;
    `delivery_errors` counts a record at every try of the failure destination that failed, `refused` one that it can
    never take and that was returned; `announced` are those of the succeeded that a destination was told of, and
    `announce_errors` its tries that failed; `lost_to_retention` counts gaps that retention tore into a log before it
    was read, not records, since nobody knows how many; `dropped_receives` are calls that a stop cut short, whose
    messages, if any, return with their visibility.
    """

    def __init__(self) -> None:
        self.polled = 0
        self.filtered_out = 0
        self.succeeded = 0
        self.dropped = 0
        self.delivered = 0
        self.announced = 0
        self.returned = 0
        self.abandoned = 0
        self.deduplicated = 0
        self.in_flight = 0
        self.invoked = 0
        self.failed_invoke = 0
        self.failed = 0
        self.deleted = 0
        self.failed_deletes = 0
        self.lapsed = 0
        self.dropped_receives = 0
        self.delivery_errors = 0
        self.announce_errors = 0
        self.refused = 0
        self.retried = 0
        self.lost_to_retention = 0
        self.duration = Histogram(SECONDS)
        self.batch_size = Histogram(SIZES)
        self.age = Histogram(AGES)

    @property
    def balance(self) -> int:
        """0, or the accounts are wrong."""
        verdicts = self.filtered_out + self.succeeded + self.dropped + self.delivered + self.deduplicated
        return self.polled - verdicts - self.returned - self.abandoned - self.in_flight
