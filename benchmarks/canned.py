"""A queue that answers at once: SQS's JSON protocol, answers that lie ready, so that the client is what is measured.

Nothing is stored. ReceiveMessage hands out messages with fresh ids until *total* were handed out, then waits as a long
poll does and answers empty; every delete succeeds. Bodies have 200 bytes; names, attributes, digests and the length of
receipts are AWS's. `GET /counts` tells what was asked.

Run alone: `python benchmarks/canned.py TOTAL`; prints its port.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable

QUEUE = "orders"
BODY = "x" * 200
_MESSAGE = json.dumps(
    {
        "Attributes": {
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1700000000005",
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1700000000000",
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
_TARGET = re.compile(rb"(?i)x-amz-target:\s*AmazonSQS\.(\w+)")
_LENGTH = re.compile(rb"(?i)content-length:\s*(\d+)")
_MOST = re.compile(rb'"MaxNumberOfMessages":\s*(\d+)')
_WAIT = re.compile(rb'"WaitTimeSeconds":\s*(\d+)')
_ID = re.compile(rb'"Id":\s*"([^"]+)"')


def _answer(body: str) -> bytes:
    return (_HEAD.format(len(body)) + body).encode()


def _messages(count: int) -> bytes:
    """A template of %d pairs; its length does not depend on the numbers."""
    body = '{"Messages":[' + ",".join([_MESSAGE] * count) + "]}"
    return (_HEAD.format(len(body % ((0,) * (2 * count)))) + body).encode()


MESSAGES = {count: _messages(count) for count in range(1, 11)}
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


class Connection(asyncio.Protocol):
    """Requests one after another, each with a Content-Length, as every client here sends them."""

    def __init__(self, queue: Callable[[], Queue]) -> None:
        self._queue = queue()
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
            self._serve(head, buffer[end:stop])
            buffer = buffer[stop:]
        self._buffer = buffer

    def _serve(self, head: bytes, body: bytes) -> None:
        target = _TARGET.search(head)
        answer = self._queue.answer(target[1] if target else b"", body)
        if answer is EMPTY and (wait := _WAIT.search(body)):
            asyncio.get_running_loop().call_later(int(wait[1]), self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main() -> None:
    queues: list[Queue] = []
    server = await asyncio.get_running_loop().create_server(lambda: Connection(lambda: queues[0]), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    queues.append(Queue(int(sys.argv[1]), port))
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
