"""What a lane over a log is made of: a reader of the log, and a cursor that keeps its position."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from headrace.ledger import Mark
from headrace.model import KEEP, Position, Record, Unchanged


class Reader(Protocol):
    """Reads one log forward from where it was opened. Each record's token is its position.

    It reads whole pages and serves slices, so that a small limit never wastes a call that the source rations.
    Records that share a position come in one slice, past the limit if need be.
    """

    async def read(self, limit: int) -> Sequence[Record]:
        """Wait for records. Cancelling it loses none. Raises LaneEnded after the last."""
        ...

    async def close(self) -> None: ...


class Cursor(Protocol):
    """Keeps a log's position somewhere safe. Every write is fenced: LaneLost when another owner has the lane."""

    @property
    def epoch(self) -> int:
        """Of the lease that it writes under; 0 where there are none."""
        ...

    @property
    def deadline(self) -> float:
        """As `Lane.deadline`; it moves on while the lease is renewed."""
        ...

    @property
    def doubt(self) -> asyncio.Event | None:
        """As `Lane.doubt`."""
        ...

    @property
    def position(self) -> Position:
        """What was committed last."""
        ...

    async def leave(self) -> float:
        """As `Lane.leave`."""
        ...

    async def commit(self, position: Position, memo: bytes | Unchanged | None = KEEP) -> None:
        """Everything at and below *position* has its verdict. Returns when it and *memo* are durable."""
        ...

    async def mark(self, mark: Mark) -> None:
        """Remember what is about to be tried alone. Returns when it is durable; a position that moves clears it."""
        ...

    async def close(self, *, finished: bool) -> None:
        """Let the lane go; *finished* says that its log has ended and all of it is settled."""
        ...

    def drop(self) -> None:
        """Nothing more is written, whether or not `close` came through: always called, and last."""
        ...
