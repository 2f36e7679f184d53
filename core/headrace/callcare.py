"""A call that ends its process at every attempt is found and given up, and only it.

Every taking that was lost counts as an attempt, whoever ended the process. So where one more was lost than the policy
allows, the call is begun once more, alone in its process, and the store knows that: if that is lost too, it is taken
for its own doing. A store that was away for longer than a ttl just then looks the same.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from headrace.calls import Calls, Taken
from headrace.errors import LedgerError
from headrace.model import Record


class CallCare:
    """`Care` over the *queue* of a lane of calls."""

    one_by_one = False

    def __init__(self, queue: Callable[[], Awaitable[Calls]]) -> None:
        self._queue = queue

    def tried(self, record: Record) -> int:
        """As `Care.tried`: nothing, unless it was alone the last time."""
        taken: Taken = record.token
        return taken.attempt - 1 if taken.was_alone else 0

    def at_stake(self, record: Record, attempt: int) -> int:  # noqa: ARG002 - the store counts
        """As `Care.at_stake`: the last attempt that a policy allows is made beside others, the one behind it is not."""
        return record.attempt - 1

    async def mark(self, record: Record, attempt: int) -> None:  # noqa: ARG002 - the store counts
        """As `Care.mark`; what cannot be marked is not begun, and comes again."""
        try:
            ours = await (await self._queue()).begin_alone(record.token)
        except LedgerError:
            ours = False
        if not ours:
            record.until = -math.inf

    async def unmark(self) -> None:
        """As `Care.unmark`: there are no calls without records."""
