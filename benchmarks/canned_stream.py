"""A stream that answers at once: Kinesis's JSON protocol, pages that lie ready, so that the client is what is measured.

Every shard has the same PAGES pages of RECORDS records of 200 bytes: names, sequence numbers and times are as AWS's.
It never throttles. MillisBehindLatest is above zero until the last page, behind which pages are empty. The first page
of a shard is for getting warm: what is behind it is handed out after `GET /go`, and asked for earlier it is held back.
`GET /counts` tells what was asked.

Run alone: `python benchmarks/canned_stream.py SHARDS PAGES RECORDS`; prints its port.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time

from canned import Connection

STREAM = "clicks"
DATA = base64.b64encode(b"x" * 200).decode()
FIRST = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
"""A sequence number, of 56 digits as AWS's are."""
BORN = 1_700_000_000.0
STEP = 0.001
HASH_KEYS = 2**128

_HEAD = (
    "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 3d5d6b52-6a0a-5a4b-9c2f-0f1f4e5d6c7b\r\n"
    "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/x-amz-json-1.1\r\n"
    "connection: keep-alive\r\nContent-Length: {}\r\n\r\n"
)
_ITERATOR = "AAAAAAAAAA" + "F" * 180 + "-{}"
_PAGE = re.compile(rb'"ShardIterator":\s*"[^"]*-(\d+)"')


def _answer(told: object) -> bytes:
    body = json.dumps(told, separators=(",", ":"))
    return (_HEAD.format(len(body)) + body).encode()


def _page(number: int, count: int, left: int) -> bytes:
    """Page *number*, with so many records, and as many pages behind it as are *left*."""
    return _answer(
        {
            "Records": [
                {
                    "SequenceNumber": str(FIRST + n),
                    "ApproximateArrivalTimestamp": round(BORN + n * STEP, 3),
                    "Data": DATA,
                    "PartitionKey": f"user-{n % 5000:06d}",
                }
                for n in range(number * count, number * count + count)
            ],
            "NextShardIterator": _ITERATOR.format(number + 1),
            "MillisBehindLatest": left * 1000,
        }
    )


class Stream:
    """What is asked of it by any number of clients, and what waits for `/go`."""

    def __init__(self, shards: int, pages: int, records: int) -> None:
        self._pages = [_page(n, records, pages - 1 - n) for n in range(pages)]
        self._end = _page(pages, 0, 0)
        self._records = records
        self._held: list[tuple[asyncio.Transport, int]] = []
        self._open = False
        self.counts = {"served": 0, "pages": 0, "empty": 0}
        arn = f"arn:aws:kinesis:eu-central-1:123456789012:stream/{STREAM}"
        width = HASH_KEYS // shards
        self._answers = {
            b"DescribeStreamSummary": _answer(
                {
                    "StreamDescriptionSummary": {
                        "StreamName": STREAM,
                        "StreamARN": arn,
                        "StreamStatus": "ACTIVE",
                        "RetentionPeriodHours": 24,
                        "StreamCreationTimestamp": BORN,
                        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
                        "OpenShardCount": shards,
                    }
                }
            ),
            b"ListShards": _answer(
                {
                    "Shards": [
                        {
                            "ShardId": f"shardId-{n:012d}",
                            "HashKeyRange": {
                                "StartingHashKey": str(n * width),
                                "EndingHashKey": str((n + 1) * width - 1),
                            },
                            "SequenceNumberRange": {"StartingSequenceNumber": str(FIRST)},
                        }
                        for n in range(shards)
                    ]
                }
            ),
            b"GetShardIterator": _answer({"ShardIterator": _ITERATOR.format(0)}),
        }

    def serve(self, transport: asyncio.Transport, operation: bytes, head: bytes, body: bytes) -> None:
        if operation == b"GetRecords":
            asked = _PAGE.search(body)
            assert asked
            self._serve_page(transport, int(asked[1]))
        elif operation:
            transport.write(self._answers[operation])
        else:
            if head.startswith(b"GET /go "):
                self._go()
            transport.write(_answer({**self.counts, "cpu": time.process_time()}))

    def _serve_page(self, transport: asyncio.Transport, number: int) -> None:
        if number and not self._open:
            self._held.append((transport, number))
        elif number < len(self._pages):
            self.counts["pages"] += 1
            self.counts["served"] += self._records
            transport.write(self._pages[number])
        else:
            self.counts["empty"] += 1
            asyncio.get_running_loop().call_later(0.2, transport.write, self._end)  # a loop that asks on costs nothing

    def _go(self) -> None:
        self._open = True
        for transport, number in self._held:
            self._serve_page(transport, number)
        self._held.clear()


async def main() -> None:
    stream = Stream(*map(int, sys.argv[1:]))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(lambda: stream), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
