"""Everything that headrace raises for a user to catch.

HeadraceError
├── ConfigError          what was written cannot be run: every fault, each with its place and mend
├── PatternError         an event pattern is none: the reason in AWS's words, the place in it, the mend
├── FunctionUnavailable  a handler cannot be loaded: Lambda's error type, and why
├── SourceUnavailable    a source cannot be reached, or refuses us; the service goes on trying
├── DestinationUnavailable   the same of a destination; what it is to take is held meanwhile
├── ServerUnavailable    a server that we were to start cannot be had, or does not start: why, and the mend
└── LedgerError          a ledger cannot be used as it is: what is wrong with it, and the mend
    ├── LedgerUnavailable  its store cannot be reached now; says whether the write may have happened
    ├── PositionsLost      its store was emptied, and nobody knows the positions any more
    ├── PositionsMissing   it has none, and a mapping may begin only where it is told
    ├── GraphChanged       it has another graph than was meant, or none
    └── UnknownShards      it has no rows for shards that were named

`LaneEnded` and `LaneLost` (model.py) are signals between a lane and the engine, not errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass


class HeadraceError(Exception):
    """The root of the tree."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what a user wrote: where, and what with its mend.

    `place` is `FILE:LINE` or empty (library); `path` is dotted, as `mappings.orders.batch_size`.
    """

    path: str
    message: str
    place: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class ConfigError(HeadraceError):
    """What was written cannot be run. Its text is one line a fault; `warnings`: legal, but dangerous."""

    def __init__(self, faults: Sequence[Fault], warnings: Sequence[Fault] = ()) -> None:
        self.faults, self.warnings = tuple(faults), tuple(warnings)
        super().__init__("\n".join(map(str, self.faults)))


class PatternError(HeadraceError):
    """An event pattern cannot be used.

    `reason` is AWS's text where AWS has one; `steps` is the way to what is wrong, by keys and indices; `mend` may be
    empty.
    """

    def __init__(self, reason: str, steps: Sequence[str | int] = (), mend: str = "") -> None:
        self.reason, self.steps, self.mend = reason, tuple(steps), mend
        end = f"; {mend}" if mend else ""
        super().__init__(f"Event pattern is not valid. Reason: {reason}{end}")

    @property
    def place(self) -> str:
        """`$.body.total[0].numeric`; a key that would be misread stands as `["a.b"]`."""
        return "$" + "".join(map(_step, self.steps))


class FunctionUnavailable(HeadraceError):  # noqa: N818 - it says what is the matter, without the word
    """A handler cannot be loaded. `type` is Lambda's, as Runtime.ImportModuleError."""

    def __init__(self, type: str, message: str, stack: Sequence[str] = ()) -> None:  # noqa: A002 - Lambda's word
        self.type, self.message, self.stack = type, message, tuple(stack)
        super().__init__(f"{type}: {message}")


class SourceUnavailable(HeadraceError):  # noqa: N818 - as above
    """A source cannot be reached, or refuses us."""


class DestinationUnavailable(HeadraceError):  # noqa: N818 - as above
    """A destination cannot be reached, or did not take what it was sent."""


class ServerUnavailable(HeadraceError):  # noqa: N818 - as above
    """A server that we were to start cannot be had, or does not start."""


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"[\w$-]+", step, re.ASCII) else f"[{json.dumps(step)}]"


class LedgerError(HeadraceError):
    """A ledger cannot be used as it is; trying again does not help."""


class LedgerUnavailable(LedgerError):  # noqa: N818 - as above
    """A ledger's store does not answer now.

    `written` is False when nothing was written for sure, and True when it may have been: the answer was lost. None:
    nothing was to be.
    """

    def __init__(self, message: str, *, written: bool | None) -> None:
        self.written = written
        ends = {True: "; the write may have happened", False: "; nothing was written", None: ""}
        super().__init__(f"{message}{ends[written]}")


class PositionsLost(LedgerError):  # noqa: N818 - as above
    """A mapping was begun in this store, *since* when, and the store knows nothing of it any more."""

    def __init__(self, mapping: str, store: str, since: str) -> None:
        super().__init__(
            f"{store} has no positions of {mapping} any more, which was begun there ({since}): it was emptied, and no "
            f"copy runs that knows them. Say where to go on: headrace seek CONFIG {mapping} --to TRIM_HORIZON, or a "
            "time before the loss"
        )


class PositionsMissing(LedgerError):  # noqa: N818 - as above
    """A store has no positions of a mapping that may begin only where it is told: `on_missing_positions: fail`."""

    def __init__(self, mapping: str) -> None:
        super().__init__(
            f"the state store has no positions of {mapping}: it was never begun there, or the store was emptied. With "
            f"on_missing_positions: fail it begins where it is told: headrace seek CONFIG {mapping} --to TRIM_HORIZON, "
            "LATEST, or a time"
        )


class GraphChanged(LedgerError):  # noqa: N818 - as above
    """A ledger's graph is not the one that was meant: it is of another stream, or written anew, or not there."""


class UnknownShards(LedgerError):  # noqa: N818 - as above
    """A ledger has no rows for `shards`."""

    def __init__(self, mapping: str, shards: Sequence[str]) -> None:
        self.shards = tuple(shards)
        super().__init__(f"{mapping} has no shard {', '.join(map(repr, shards))} in the ledger")
