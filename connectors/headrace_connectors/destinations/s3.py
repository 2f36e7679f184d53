"""An S3 bucket as a destination: one object a record, under the key that Lambda gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import Field

from headrace.claims import Claim, Claims, object_name
from headrace.destination import CONFIRMED, Message, Payload, Reply, Said
from headrace.errors import DestinationUnavailable, Fault
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.right import Need, Right
from headrace_connectors.aws import AwsError, AwsSettings, aws_client, make_ready
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.connection import settings_of
from headrace_connectors.destinations.singly import singly
from headrace_connectors.limits import S3, too_large
from headrace_connectors.needs import needed, thing
from headrace_connectors.tracing import trace_of

BUCKET: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]"
ARN = re.compile(rf"arn:[\w-]+:s3:::(?P<bucket>{BUCKET})", re.ASCII)

CLAIMS: Final = "claims"
"""The part of a bucket, below the prefix, where records are kept that are too large for others."""

FINAL = frozenset({"EntityTooLarge", "KeyTooLongError"})
"""Errors that the object itself has caused."""


class S3DestinationOptions(AwsSettings):
    """`destination: {type: s3, …}`."""

    bucket: str = Field(pattern=f"^{BUCKET}$", description="The bucket's name.")
    prefix: str = Field("", max_length=512, description="What every key begins with, before Lambda's aws/lambda/….")

    def aws(self, opening: Opening) -> AwsSettings:
        """Its own settings, then the config's: a bucket's ARN names no region."""
        return settings_of(self, opening)


def key_of(mapping: UUID, message: Message) -> str:
    """Lambda's key, in UTC: `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`.

    (lambda-semantics 6.3; 8: of an asynchronous invocation `async` and the function stand for mapping and shard.) The
    last part, random on AWS, is made of the message: sent again after a lost answer, it is the same object.
    """
    at = datetime.fromtimestamp(message.at, UTC)
    own = uuid5(mapping, f"{message.id} {message.at!r}")
    whose = f"async/{message.function}" if message.asynchronous else f"{mapping}/{message.lane}"
    return f"aws/lambda/{whose}/{at:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{own}"


class S3Destination:
    """Connects at the first message."""

    def __init__(self, opening: Opening, options: S3DestinationOptions) -> None:
        self.name = f"s3 {options.bucket}"
        self._opening, self._options = opening, options
        self._connection = Connection.of(lambda: aws_client("s3", options.aws(opening)))
        make_ready()

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        return await singly(messages, self._put)

    def key(self, message: Message) -> str:
        """Of the object that *message* becomes."""
        return self._options.prefix + key_of(self._opening.uuid, message)

    async def _put(self, message: Message) -> Reply:
        """Confirmed is what S3 has answered with 200: anything else is an error of the client's."""
        if refused := too_large(message, len(message.body), S3, "S3"):
            return refused
        try:
            client = await self._connection.get()
            await client.call(
                "PutObject",
                trace=trace_of(message),
                Bucket=self._options.bucket,
                Key=self.key(message),
                Body=message.body,
                ContentType="application/json",
            )
        except AwsError as error:
            return Reply(Said.REFUSED if error.code in FINAL else Said.FAILED, str(error))
        return CONFIRMED

    async def close(self) -> None:
        await self._connection.close()


class S3Claims(S3Destination):
    """Keeps what is too large for others under `claims/<service>/<mapping>/<uuid>.json`: a repeat overwrites itself."""

    def key(self, message: Message) -> str:
        opening, name = self._opening, object_name(self._opening.uuid, message)
        return f"{self._options.prefix}{CLAIMS}/{opening.service}/{opening.mapping}/{name}"

    def claim(self, message: Message) -> Claim:
        return {"type": "s3", "bucket": self._options.bucket, "key": self.key(message)}

    async def keep(self, message: Message) -> Reply:
        (reply,) = await self.send([message])
        return reply


async def fetch(opening: Opening, options: S3DestinationOptions, claim: Claim) -> bytes:
    """The object of *claim*."""
    key = claim.get("key", "")
    if claim.get("bucket") != options.bucket or not key.startswith(f"{options.prefix}{CLAIMS}/"):
        raise ValueError(f"the claim check is of another place than {options.bucket}/{options.prefix}{CLAIMS}/")
    try:
        async with aws_client("s3", options.aws(opening)) as client:
            answer = await client.call("GetObject", Bucket=options.bucket, Key=key)
            async with answer["Body"] as stream:
                return bytes(await stream.read())
    except (AwsError, OSError) as error:
        raise DestinationUnavailable(f"s3 {options.bucket}: {key}: {error}") from error


def _of_text(text: str) -> Mapping[str, Any] | None:
    found = ARN.fullmatch(text)
    return {"bucket": found["bucket"]} if found else None


async def _probe(opening: Opening, options: S3DestinationOptions) -> Probe:
    """Ask the bucket's server once. HeadBucket needs s3:ListBucket, which writing does not."""
    try:
        async with aws_client("s3", options.aws(opening)) as client:
            await client.call("HeadBucket", Bucket=options.bucket)
    except AwsError as error:
        if error.code == "404":
            return Probe(faults=[Fault("bucket", "there is no such bucket; create it, or correct its name")])
        if error.code == "403":
            why = "these credentials may not look at it (s3:ListBucket); whether they may write to it (s3:PutObject)"
            return Probe(warnings=[Fault("bucket", f"{why} is not known")])
        return Probe(faults=[Fault("bucket", str(error))])
    return Probe(values={"bucket": options.bucket})


def _rights(opening: Opening, options: S3DestinationOptions, keys: str = "*") -> Iterator[Right]:
    """To write *keys* below its prefix."""
    aws = options.aws(opening)
    bucket = thing(aws, "s3", "HeadBucket", Bucket=options.bucket)
    yield from needed(aws, "s3", ("PutObject",), f"{bucket}/{options.prefix}{keys}")
    yield from needed(aws, "s3", ("HeadBucket",), bucket, Need.CHECK)


def _rights_of_claims(opening: Opening, options: S3DestinationOptions) -> Iterator[Right]:
    aws, own = options.aws(opening), f"{CLAIMS}/{opening.service}/{opening.mapping}/*"
    yield from _rights(opening, options, own)
    bucket = thing(aws, "s3", "HeadBucket", Bucket=options.bucket)
    yield from needed(aws, "s3", ("GetObject",), f"{bucket}/{options.prefix}{own}", Need.REPLAY)


s3 = DestinationKind(
    type="s3",
    summary="An Amazon S3 bucket: one JSON record an object, always with its payload, under Lambda's key.",
    options=S3DestinationOptions,
    open=S3Destination,
    probe=_probe,
    text=_of_text,
    text_form="a bucket's ARN",
    payload=Payload.TEXT,
    limit=S3,
    claims=Claims(open=S3Claims, fetch=fetch, probe=_probe, rights=_rights_of_claims),
    rights=_rights,
)
