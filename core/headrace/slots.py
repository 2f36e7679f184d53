"""How many batches may be at the handler at once. Pure: no I/O, no clock."""

from __future__ import annotations


class Slots:
    """Places at the handler: halved while invocations fail, raised again step by step.

    Lambda backs off from a failing function by lowering a mapping's concurrency, so that an outage of what stands
    behind the handler does not send a whole queue to its dead letters. Invocations that began before a halving do not
    halve again; one place is won back after as many successes in a row as there are places.

    A call that timed out and still runs keeps its place (`hung`), but not one of those that the halving left: else two
    hung calls could stop a lane of ten for good. A batch that is set `aside` keeps none: its calls have ended, and what
    is left of it waits for somebody to mend a destination.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.hung = self.aside = 0
        self._begun = 0
        self._halved_at = 0
        self._good = 0

    @property
    def places(self) -> int:
        """How many batches may be out at once, those of hung calls, and those that are set aside, included."""
        return min(self.limit + self.hung, self.most) + self.aside

    def ticket(self) -> int:
        """Number an invocation that begins now; `failed` is told it."""
        self._begun += 1
        return self._begun

    def failed(self, ticket: int) -> None:
        self._good = 0
        if ticket > self._halved_at:
            self.limit = max(self.limit // 2, 1)
            self._halved_at = self._begun

    def succeeded(self) -> None:
        self._good += 1
        if self.limit < self.most and self._good >= self.limit:
            self.limit += 1
            self._good = 0
