"""Failure records in an S3 bucket: an object a letter, below a prefix, in the order of their keys."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from headrace.errors import SourceUnavailable
from headrace.letters import Posted
from headrace.mailbox import MailboxKind
from headrace.plugins import Opening
from headrace.right import Need, Right
from headrace_connectors.aws import AwsClient, AwsError, aws_client
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.s3 import BUCKET, S3DestinationOptions
from headrace_connectors.destinations.s3 import s3 as destination
from headrace_connectors.needs import needed, thing

URL: Final = re.compile(rf"s3://(?P<bucket>{BUCKET})(?:/(?P<prefix>.*))?", re.ASCII | re.DOTALL)
GONE: Final = {"NoSuchKey", "404"}


class S3Mailbox:
    """What is done stays, unless it is to be removed. A letter's name is its key."""

    def __init__(self, opening: Opening, options: S3DestinationOptions, delete: bool) -> None:  # noqa: FBT001
        self.name = f"s3 {options.bucket}/{options.prefix}"
        self._bucket, self._prefix, self._delete = options.bucket, options.prefix, delete
        self._connection = Connection.of(lambda: aws_client("s3", options.aws(opening)))
        self.keeps = not delete

    async def letters(self) -> AsyncIterator[Posted]:
        client = await self._connection.get()
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix}
        while True:
            answer = await client.call("ListObjectsV2", **asked)
            for one in answer.get("Contents") or ():
                if (body := await self._body(client, one["Key"])) is not None:
                    yield Posted(id=one["Key"], body=body, at=_seconds(one.get("LastModified")))
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    async def _body(self, client: AwsClient, key: str) -> bytes | None:
        """None: it was removed meanwhile."""
        try:
            answer = await client.call("GetObject", Bucket=self._bucket, Key=key)
            async with answer["Body"] as stream:
                return bytes(await stream.read())
        except AwsError as error:
            if error.code in GONE:
                return None
            raise
        except OSError as error:
            raise SourceUnavailable(f"{self.name}: {key} could not be read to its end: {error}") from error

    async def done(self, posted: Posted) -> None:
        if self._delete:
            client = await self._connection.get()
            await client.call("DeleteObject", Bucket=self._bucket, Key=posted.id)

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def close(self) -> None:
        await self._connection.close()


def _seconds(time: Any) -> float:
    return time.timestamp() if isinstance(time, datetime) else 0.0


def _identity(opening: Opening, options: S3DestinationOptions) -> str:
    return f"{options.aws(opening).endpoint_url} {options.bucket}/{options.prefix}"


def _text(text: str) -> Mapping[str, Any] | None:
    if found := URL.fullmatch(text):
        return {"bucket": found["bucket"], "prefix": found["prefix"] or ""}
    return destination.text(text)


def _rights(opening: Opening, options: S3DestinationOptions) -> Iterator[Right]:
    aws = options.aws(opening)
    bucket = thing(aws, "s3", "ListObjectsV2", Bucket=options.bucket)
    yield from needed(aws, "s3", ("ListObjectsV2",), bucket, Need.REPLAY)
    yield from needed(aws, "s3", ("GetObject",), f"{bucket}/{options.prefix}*", Need.REPLAY)
    yield from needed(aws, "s3", ("DeleteObject",), f"{bucket}/{options.prefix}*", Need.DELETE)


s3 = MailboxKind(
    type="s3",
    form="s3://BUCKET/PREFIX",
    options=S3DestinationOptions,
    text=_text,
    identity=_identity,
    shown=lambda options: f"{options.bucket}/{options.prefix}",
    open=S3Mailbox,
    rights=_rights,
)
