"""A queue in memory that behaves as SQS's queues, standard and FIFO, are documented to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.testing.clock import FakeClock

MOST = 10
"""Messages that one receive may return."""


@dataclass(slots=True, eq=False)
class Message:
    """One message: `id` and `body` are its sender's; `receipt` is new at every receive, and only the last is good."""

    id: str
    body: str
    key: str | None
    sent: float
    visible_at: float
    received: int = 0
    receipt: int = 0


class MemoryQueue:
    """Messages with visibility, counts of deliveries, and dead letters after `max_receive_count` of them.

    With *fifo* a key's messages come in the order of their sending, and none of them while one is in flight.

    Faults for tests: `refuse_deletes` is how many of the next deletes fail; `away` makes every call raise OSError.
    `deliveries` and `deleted` are the history: what was received as (id, count), and what is gone for good.
    """

    def __init__(
        self,
        *,
        visibility: float = 30.0,
        max_receive_count: float = math.inf,
        clock: Clock | None = None,
        fifo: bool = False,
    ) -> None:
        self.visibility, self.max_receive_count = visibility, max_receive_count
        self.clock = clock or FakeClock()
        self.fifo = fifo
        self.refuse_deletes = 0
        self.away = False
        self.deliveries: list[tuple[str, int]] = []
        self.deleted: list[str] = []
        self.dead: list[Message] = []
        self.receives = 0
        self._messages: list[Message] = []
        self._receipts = 0
        self._changed = asyncio.Event()

    @property
    def visible(self) -> int:
        """Messages that a receive would find."""
        now = self.clock.boot()
        return sum(message.visible_at <= now for message in self._messages)

    @property
    def in_flight(self) -> int:
        """Messages that were received, and are neither deleted nor visible again."""
        return len(self._messages) - self.visible

    def __len__(self) -> int:
        return len(self._messages)

    def send(self, names: Iterable[str], keys: Sequence[str | None] | None = None) -> None:
        now = self.clock.boot()
        for index, name in enumerate(names):
            key = keys[index] if keys else None
            self._messages.append(Message(name, name, key, self.clock.wall(), now))
        self._changed.set()

    def receive(self, most: int) -> list[Message]:
        """Up to *most* visible messages, those first that have been visible longest; never waits."""
        self._reachable()
        if not 1 <= most <= MOST:
            raise ValueError(f"a receive asks for 1 to {MOST} messages, not {most}")
        self.receives += 1
        now = self.clock.boot()
        received: list[Message] = []
        for message in self._receivable(now):
            if message.received >= self.max_receive_count:
                self._messages.remove(message)
                self.dead.append(message)
            elif len(received) < most:
                self._hand_out(message, now)
                received.append(message)
        return received

    def _receivable(self, now: float) -> list[Message]:
        visible = [message for message in self._messages if message.visible_at <= now]
        if not self.fifo:
            return sorted(visible, key=lambda message: message.visible_at)
        locked = {message.key for message in self._messages if message.visible_at > now}
        return [message for message in visible if message.key not in locked]

    def _hand_out(self, message: Message, now: float) -> None:
        self._receipts += 1
        message.received += 1
        message.receipt = self._receipts
        message.visible_at = now + self.visibility
        self.deliveries.append((message.id, message.received))

    async def arrival(self) -> None:
        """Wait until a receive would find a message."""
        while not self._receivable(now := self.clock.boot()):
            self._changed.clear()
            soonest = min((m.visible_at for m in self._messages if m.visible_at > now), default=math.inf)
            wait = None if soonest == math.inf else soonest - now
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def delete(self, message: Message, receipt: int) -> bool:
        """True when it is gone; a receipt that was overtaken deletes nothing, and is no error (as SQS)."""
        self._reachable()
        if self.refuse_deletes > 0:
            self.refuse_deletes -= 1
            return False
        if message.receipt == receipt and message in self._messages:
            self._messages.remove(message)
            self.deleted.append(message.id)
            self._changed.set()
        return True

    def hide(self, message: Message, receipt: int, seconds: float) -> bool:
        """Visible again in *seconds*; false when the message is not in flight under this receipt."""
        self._reachable()
        now = self.clock.boot()
        if message not in self._messages or message.receipt != receipt or message.visible_at <= now:
            return False
        message.visible_at = now + seconds
        self._changed.set()
        return True

    def _reachable(self) -> None:
        if self.away:
            raise OSError("the queue cannot be reached")
