"""Destinations in AWS for the table of faults: which of their entries a server takes, a proxy on the way decides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlencode

import pytest

from headrace_connectors.destinations import s3, singly, tens
from headrace_connectors.limits import KIB, MIB, S3
from support import guarded as iam
from support.between import Spoiler
from support.places import FIFO, KINDS, Place
from support.servers import Ministack
from support.sites import Find, Served, stopped

S3_LOWERED = 10_000
"""Bytes."""

QUOTES = '"' * 600_000
"""A message that SQS takes, and that JSON makes twice as large."""

WRITES = {
    "sqs": "sqs:SendMessage",
    FIFO: "sqs:SendMessage",
    "sns": "sns:Publish",
    "eventbridge": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
    "s3": "s3:PutObject",
}
ROTO = "123456789012"
"""The one account that roto knows."""
READS = ("sqs:GetQueueUrl", "events:DescribeEventBus")
"""What is asked before something is written."""

LOOSE = {"eventbridge", "sns"}
"""They take what nobody gets: for a bus that is gone since it was seen, for a topic without a subscription."""

_MARK = b"spoilt"


def _entries(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """Changes the entries of a JSON call that hold the mark."""

    def changed(body: bytes) -> bytes:
        if _MARK not in body:
            return body
        call = json.loads(body)
        for entry in call["Entries"]:
            if _MARK.decode() in json.dumps(entry):
                change(entry)
        return json.dumps(call).encode()

    return changed


def _too_long(body: bytes) -> bytes:
    """Of a call of SNS, which is a form: a message beyond what SNS takes."""
    if _MARK not in body:
        return body
    form = [(name, "x" * 262_145 if _MARK.decode() in value else value) for name, value in parse_qsl(body.decode())]
    return urlencode(form).encode()


def _cut(body: bytes) -> bytes | None:
    return None if _MARK in body else body


SPOILERS: dict[str, Callable[[bytes], bytes | None]] = {
    "sqs": _entries(lambda entry: entry.update(MessageBody="\x01")),
    FIFO: _entries(lambda entry: entry.pop("MessageGroupId")),
    "sns": _too_long,
    "eventbridge": _entries(lambda entry: entry.pop("DetailType")),
    "lambda": _cut,
    "s3": _cut,
}
"""Makes of a call one of which a real server takes all entries but one; a call that has one record alone is cut."""

PARTLY = {
    "sqs": "InvalidMessageContents: ",
    FIFO: "MissingParameter: .*MessageGroupId",
    "sns": "InvalidParameter: .*too long",
    "eventbridge": "ValidationException: DetailType is required",
}


class AwsSite(Served):
    """`word` is a key of `places.KINDS`."""

    bounds: ClassVar = {singly: "PATIENCE", tens: "PATIENCE"}

    def __init__(self, find: Find, folder: Path, word: str, account: str) -> None:
        super().__init__(find, folder)
        self.word, self._account = word, account
        self.server: Ministack = find("kept_ministack" if word in LOOSE else "own_ministack")
        self.port = self.server.port
        self.where = {"s3": f"s3 failed-{account}", FIFO: "sqs failed.fifo"}.get(word, f"{word} failed")
        self.once = word in {FIFO, "s3"}
        self.large = {"sns": "x" * 300_000, "s3": "x" * 20_000}.get(word, QUOTES)
        self.limit = {"sns": 256 * KIB, "s3": S3_LOWERED}.get(word, MIB)
        self.partly_is = "refused" if word in {"sqs", FIFO, "sns"} else "holding"
        self._more: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._at(self.server.url)
        return self

    async def _at(self, url: str, account: str = "") -> None:
        self.place = await self.stack.enter_async_context(Place(self.word, url, account or self._account, self.folder))
        await self.place.make()
        self.port = int(url.rpartition(":")[2])

    @property
    def frame(self) -> int:  # type: ignore[override]
        """What EventBridge counts beside a message's body."""
        return len(f"lambdaLambda Function Invocation Result - Failure{self.place.arn}") * (self.word == "eventbridge")

    @property
    def why(self) -> dict[str, str]:  # type: ignore[override]
        where = f"{self.place.arn}/*" if self.word == "s3" else self.place.arn
        return {
            "down": "is the server up",
            "silent": "no answer within 0.5 s",
            "partly": PARTLY.get(self.word, "is the server up|closed|disconnect"),
            "denied": f"; allow {WRITES[self.word]} on {where.replace('*', '[*]')}$",
            "large": {"sns": "SNS takes 262144", "s3": f"S3 takes {S3_LOWERED}"}.get(self.word, "takes 1048576"),
        }

    def lower(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody sends S3 the 5 GiB that it takes."""
        monkeypatch.setattr(s3, "S3", replace(S3, message=S3_LOWERED))

    @property
    def block(self) -> dict[str, Any]:
        kind = KINDS[self.word]
        return {
            "type": kind.type,
            **(kind.text(self.place.arn) or {}),
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            **self._more,
        }

    async def found(self) -> list[Any]:
        return await self.place.arrived()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Its memory goes with it, but for what would take records before anybody gets them."""
        async with stopped(self.server):
            yield
        if self.word not in LOOSE:
            await self.place.make()

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        """ministack takes any event: EventBridge's entries are read by roto."""
        if self.word == "eventbridge":
            await self._at(self.find("roto").url, ROTO)
            self._more = {"credentials": {"access_key_id": ROTO, "secret_access_key": "secret"}}
        spoiler = await self.stack.enter_async_context(Spoiler(self.place.url, SPOILERS[self.word]))
        self.port = int(spoiler.url.rpartition(":")[2])
        yield
        spoiler.on = False

    @asynccontextmanager
    async def denied(self) -> AsyncIterator[None]:
        """On a server that asks IAM about every call."""
        url = self.find("guarded").url
        await self._at(url)
        key, secret = await iam.user(url, self._account)
        self._more = {"credentials": {"access_key_id": key, "secret_access_key": secret}}
        await self._allow(*READS)
        yield
        await self._allow(*READS, WRITES[self.word])

    async def _allow(self, *actions: str) -> None:
        statement = {"Effect": "Allow", "Action": [*actions], "Resource": "*"}
        policy = iam.as_ministack_reads({"Version": "2012-10-17", "Statement": [statement]})
        await iam.allow_user(self.place.url, self._account, policy)
