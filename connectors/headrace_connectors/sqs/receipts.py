"""What was received and not settled: how long it stays invisible to others, and its renewal.

Time is counted from when a call was *sent*, so that our clock runs out before SQS's. A long poll is sent long before a
message comes, so its base moves on with a heartbeat, some beats behind: an answer that lay in the socket while the
process slept (SIGSTOP, a suspended machine) is read before the base passes the sleep. It stops where the poll must have
been answered: an answer that the network held back counts from there.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Iterable

from headrace.clock import Clock
from headrace.model import Condition, Record
from headrace.observe import Log
from headrace_connectors.aws import AwsClient, AwsError

HEARTBEAT = 0.5
"""Seconds between two beats; less where the visibility is short."""

BEHIND = 3
"""Beats that a base stays behind: the time in which an answer that has come is surely read."""

SPENT = 1000
"""Receives of which nothing is held that may wait for their renewal before they are swept out."""

LEAST_PATIENCE = 1.0
"""Seconds that a renewal may take at least; a call on a dead connection must not outlast the visibility it renews."""


class Receive:
    """One ReceiveMessage: when its visibility began, and what of it is still held.

    It watches its own call: every try of it counts anew, and `begun` says that an answer is arriving.
    """

    __slots__ = ("_clock", "_wait", "base", "begun", "first", "held", "latest", "under_way", "until")

    def __init__(self, clock: Clock, wait: float) -> None:
        self._clock, self._wait = clock, wait
        self.held: dict[str, Record] = {}
        self.first = self.until = 0.0
        self.sent()
        self.under_way = False

    def sent(self) -> None:
        self.base = self._clock.boot()
        self.latest = self.base + self._wait
        self.begun, self.under_way = False, True

    def arriving(self) -> None:
        self.begun = True

    def over(self) -> None:
        """The call has failed; another may follow."""
        self.begun = self.under_way = False

    def __lt__(self, other: Receive) -> bool:
        return self.until < other.until


class Receipts:
    """Every receipt that we hold, renewed from receive through inbox, window and handler to delete.

    One call renews all that is left of one receive, when half of its time is over and not before; renewal ends at
    *ceiling* seconds after the receive (SQS allows 12 hours). `denied` is the last renewal's, if it was.
    """

    def __init__(self, client: AwsClient, url: str, *, visibility: int, ceiling: int, clock: Clock, log: Log) -> None:
        self.visibility = visibility
        self._client, self._url, self._ceiling, self._clock, self._log = client, url, ceiling, clock, log
        self._asked: set[Receive] = set()
        self._due: list[tuple[float, Receive]] = []
        self._live = 0
        self.denied: Condition | None = None
        self._beat = min(HEARTBEAT, visibility / 40)
        self._beats = deque([clock.boot()], BEHIND + 1)

    def ask(self, wait: float) -> Receive:
        """A receive that is sent now, and answered within *wait* seconds."""
        receive = Receive(self._clock, wait)
        self._asked.add(receive)
        return receive

    def forget(self, receive: Receive) -> None:
        """It brought nothing."""
        self._asked.discard(receive)

    def arrived(self, receive: Receive) -> None:
        """Its answer is here: the visibility of its messages runs from its base."""
        self._asked.discard(receive)
        receive.first = receive.base
        self._extend(receive, receive.base, self.visibility)

    def hold(self, receive: Receive, records: Iterable[Record]) -> None:
        """These came with it, and are renewed until `release`."""
        receive.held = {record.raw["ReceiptHandle"]: record for record in records}
        self._live += 1
        heapq.heappush(self._due, (self._renewal(receive.base), receive))

    def release(self, records: Iterable[Record]) -> None:
        """These need not be renewed: deleted, given back, or left to their time-out."""
        for record in records:
            held = record.token.held
            if held.pop(record.raw["ReceiptHandle"], None) is not None and not held:
                self._live -= 1
        if len(self._due) > 2 * self._live + SPENT:
            self._due = [(when, receive) for when, receive in self._due if receive.held]
            heapq.heapify(self._due)

    async def tend(self) -> None:
        """Move the bases of what was asked, and renew what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = self._clock.boot()
                self._beats.append(now)
                for receive in self._asked:
                    receive.base = max(receive.base, min(self._beats[0], receive.latest))
                while self._due and self._due[0][0] <= now:
                    _, receive = heapq.heappop(self._due)
                    if receive.held:
                        group.create_task(self._renew(receive))
                await asyncio.sleep(self._beat)

    async def _renew(self, receive: Receive) -> None:
        now = self._clock.boot()
        seconds = min(self.visibility, int(receive.first + self._ceiling - now))
        if seconds < 1:
            self._log.warning("message.renewal_ended", ids=_ids(receive), ceiling=self._ceiling)
            return
        handles = [handle for handle, record in receive.held.items() if record.until > now]
        if not handles:
            return  # too late: somebody else may have them
        entries = [
            {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": seconds} for n, handle in enumerate(handles)
        ]
        try:
            async with asyncio.timeout(max(LEAST_PATIENCE, self.visibility / 5)):
                answer = await self._client.call("ChangeMessageVisibilityBatch", QueueUrl=self._url, Entries=entries)
        except (AwsError, TimeoutError) as error:
            self._log.warning("message.renewal_failed", ids=_ids(receive), error=str(error) or "no answer in time")
            if isinstance(error, AwsError):
                self.denied = error.denial(self._clock.wall()) or self.denied
            heapq.heappush(self._due, (now + self.visibility / 10, receive))
            return
        self.denied = None
        by_id = dict(zip(map(str, range(len(handles))), handles, strict=True))
        for entry in answer.get("Failed") or ():
            if entry.get("Id") in by_id:
                self._refused(receive, by_id[entry["Id"]], entry)
        kept = {by_id[entry["Id"]] for entry in answer.get("Successful") or () if entry.get("Id") in by_id}
        receive.base = now
        self._extend(receive, now, seconds, kept)
        all_kept = receive.held.keys() <= kept  # else some have no verdict, or a fault of the server's: soon again
        heapq.heappush(self._due, (self._renewal(now) if all_kept else now + self.visibility / 10, receive))

    def _refused(self, receive: Receive, handle: str, entry: dict[str, object]) -> None:
        """A refused renewal: the message is not ours any more, and is not dispatched."""
        record = receive.held.get(handle)
        if record is None:
            return
        self._log.warning(
            "message.renewal_failed", ids=[record.id], error=f"{entry.get('Code')}: {entry.get('Message')}"
        )
        if entry.get("SenderFault", True):
            record.until = 0.0
            self.release([record])

    def _extend(self, receive: Receive, base: float, seconds: float, kept: set[str] | None = None) -> None:
        """Our clock says "over" a little before SQS's does."""
        receive.until = base + seconds - min(1.0, seconds / 10)
        for handle, record in receive.held.items():
            if kept is None or handle in kept:
                record.until = receive.until

    def _renewal(self, base: float) -> float:
        return base + self.visibility * random.uniform(0.5, 0.6)


def _ids(receive: Receive) -> list[str]:
    return [record.id for record in receive.held.values()]
