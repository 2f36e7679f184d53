"""A queue that answers at once: SQS's JSON protocol, answers that lie ready, so that the client is what is measured.

Nothing is stored. ReceiveMessage hands out messages with fresh ids until *total* were handed out, then waits as a long
poll does and answers empty; every delete succeeds. Bodies have 200 bytes; names, attributes, digests and the length of
receipts are AWS's. `GET /counts` tells what was asked.

With GROUPS it is a FIFO queue of so many message groups, in turns: each gives out its messages in order, and no more of
them while one that it gave out is not deleted; a receive gets as many of one group as there are, then of the next.

Run alone: `python benchmarks/canned.py TOTAL [GROUPS]`; prints its port.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

QUEUE = "orders"
BODY = "x" * 200
_GROUPED = {
    "SequenceNumber": "%020d",
    "MessageDeduplicationId": "%064d",
    "MessageGroupId": "%08d",
}


def _message(more: dict[str, str]) -> str:
    return json.dumps(
        {
            "Attributes": {
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1700000000005",
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1700000000000",
                **more,
            },
            "Body": BODY,
            "MD5OfBody": hashlib.md5(BODY.encode()).hexdigest(),
            "MessageId": "7f6c0000-5d3e-4f6b-8a52-%012d",
            "ReceiptHandle": "AQEB%012d" + "wJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 13,
        },
        separators=(",", ":"),
    )


_HEAD = (
    "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 3d5d6b52-6a0a-5a4b-9c2f-0f1f4e5d6c7b\r\n"
    "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "connection: keep-alive\r\nContent-Length: {}\r\n\r\n"
)
_TARGET = re.compile(rb"(?i)x-amz-target:\s*\w+\.(\w+)")
_LENGTH = re.compile(rb"(?i)content-length:\s*(\d+)")
_MOST = re.compile(rb'"MaxNumberOfMessages":\s*(\d+)')
_WAIT = re.compile(rb'"WaitTimeSeconds":\s*(\d+)')
_ID = re.compile(rb'"Id":\s*"([^"]+)"')
_RECEIPT = re.compile(rb"AQEB(\d{12})")


def _answer(body: str) -> bytes:
    return (_HEAD.format(len(body)) + body).encode()


def _messages(count: int, more: dict[str, str]) -> bytes:
    """A template of %d numbers; its length does not depend on them."""
    body = '{"Messages":[' + ",".join([_message(more)] * count) + "]}"
    numbers = (0,) * ((2 + len(more)) * count)
    return (_HEAD.format(len(body % numbers)) + body).encode()


MESSAGES = {count: _messages(count, {}) for count in range(1, 11)}
GROUPED = {count: _messages(count, _GROUPED) for count in range(1, 11)}
EMPTY = _answer("{}")


class Queue:
    """What is left to hand out, and what was asked."""

    def __init__(self, total: int, port: int) -> None:
        self.total = total
        self.counts = {"received": 0, "receives": 0, "empty": 0, "deleted": 0, "deletes": 0, "renewals": 0}
        self._deletes: dict[tuple[bytes, ...], bytes] = {}
        self._attributes = _answer(
            json.dumps(
                {
                    "Attributes": {
                        "QueueArn": f"arn:aws:sqs:eu-central-1:123456789012:{QUEUE}",
                        "VisibilityTimeout": "30",
                        "MessageRetentionPeriod": "345600",
                        "ApproximateNumberOfMessages": "0",
                        "ApproximateNumberOfMessagesNotVisible": "0",
                        "ApproximateNumberOfMessagesDelayed": "0",
                    }
                }
            )
        )
        self._url = _answer(json.dumps({"QueueUrl": f"http://127.0.0.1:{port}/123456789012/{QUEUE}"}))

    def serve(self, transport: asyncio.Transport, operation: bytes, _head: bytes, body: bytes) -> None:
        answer = self.answer(operation, body)
        if answer is EMPTY and (wait := _WAIT.search(body)):
            self.park(transport, body, int(wait[1]))
        else:
            transport.write(answer)

    def park(self, transport: asyncio.Transport, _body: bytes, seconds: int) -> None:
        """Answer empty after *seconds*: nothing more will come."""
        asyncio.get_running_loop().call_later(seconds, transport.write, EMPTY)

    def answer(self, operation: bytes, body: bytes) -> bytes:
        if operation == b"ReceiveMessage":
            return self._receive(body)
        if operation == b"DeleteMessageBatch":
            return self._batch(body, "deleted", "deletes")
        if operation == b"ChangeMessageVisibilityBatch":
            return self._batch(body, "renewals", "renewals")
        if operation == b"GetQueueAttributes":
            return self._attributes
        if operation == b"GetQueueUrl":
            return self._url
        self.counts["cpu"] = time.process_time()
        return _answer(json.dumps(self.counts))

    def _receive(self, body: bytes) -> bytes:
        counts, asked = self.counts, _MOST.search(body)
        first = counts["received"]
        count = min(int(asked[1]) if asked else 1, self.total - first)
        counts["receives"] += 1
        if count <= 0:
            counts["empty"] += 1
            return EMPTY
        counts["received"] = first + count
        return MESSAGES[count] % tuple([number for n in range(first, first + count) for number in (n, n)])

    def _batch(self, body: bytes, entries: str, calls: str) -> bytes:
        ids = tuple(_ID.findall(body))
        self.counts[entries] += len(ids)
        self.counts[calls] += 1
        answer = self._deletes.get(ids)
        if answer is None:
            answer = _answer(json.dumps({"Successful": [{"Id": name.decode()} for name in ids]}))
            if len(self._deletes) < 1000:
                self._deletes[ids] = answer
        return answer


class FifoQueue(Queue):
    """The same in message groups. A receive that finds all of them locked waits for a delete, no longer than it asked.

    Message n is of group n % groups.
    """

    def __init__(self, total: int, port: int, groups: int) -> None:
        super().__init__(total, port)
        self._groups = groups
        self._next = list(range(groups))
        self._out = [0] * groups
        self._free = deque(range(groups))
        self._parked: deque[tuple[asyncio.Transport, bytes, asyncio.TimerHandle]] = deque()

    def park(self, transport: asyncio.Transport, body: bytes, seconds: int) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, transport.write, EMPTY)
        self._parked.append((transport, body, timer))

    def _receive(self, body: bytes) -> bytes:
        asked = _MOST.search(body)
        most = int(asked[1]) if asked else 1
        numbers: list[int] = []
        while self._free and len(numbers) < most:
            group = self._free[0]
            first, last = self._next[group], self.total
            taken = range(first, last, self._groups)[: most - len(numbers)]
            numbers += taken
            self._next[group] = first + len(taken) * self._groups
            self._out[group] += len(taken)
            self._free.popleft()
        self.counts["receives"] += 1
        if not numbers:
            self.counts["empty"] += 1
            return EMPTY
        self.counts["received"] += len(numbers)
        return GROUPED[len(numbers)] % tuple([v for n in numbers for v in (n, n, n % self._groups, n, n)])

    def _batch(self, body: bytes, entries: str, calls: str) -> bytes:
        if entries == "deleted":
            for receipt in _RECEIPT.findall(body):
                group = int(receipt) % self._groups
                self._out[group] -= 1
                if not self._out[group] and self._next[group] < self.total:
                    self._free.append(group)
            asyncio.get_running_loop().call_soon(self._unpark)  # first the answer to the delete
        return super()._batch(body, entries, calls)

    def _unpark(self) -> None:
        while self._parked and self._free:
            transport, body, timer = self._parked.popleft()
            if not transport.is_closing() and timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                transport.write(self._receive(body))


class Served(Protocol):
    """What stands behind a connection."""

    def serve(self, transport: asyncio.Transport, operation: bytes, head: bytes, body: bytes) -> None:
        """Answer a request, now or later; *operation* is empty of a plain GET."""
        ...


class Connection(asyncio.Protocol):
    """Requests one after another, each with a Content-Length, as every client here sends them."""

    def __init__(self, served: Callable[[], Served]) -> None:
        self._served = served()
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n") + 4) > 3:
            head = buffer[:end]
            length = _LENGTH.search(head)
            stop = end + (int(length[1]) if length else 0)
            if len(buffer) < stop:
                break
            target = _TARGET.search(head)
            self._served.serve(self._transport, target[1] if target else b"", head, buffer[end:stop])
            buffer = buffer[stop:]
        self._buffer = buffer


async def main() -> None:
    queues: list[Queue] = []
    server = await asyncio.get_running_loop().create_server(lambda: Connection(lambda: queues[0]), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    total, groups = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    queues.append(FifoQueue(total, port, groups) if groups else Queue(total, port))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
