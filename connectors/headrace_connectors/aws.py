"""AWS: as whom and where it is called, what its refusals say, and the door to a client of one of its services.

What makes the calls is `leanclient`: botocore and aiohttp, which it is made of, are imported when a client is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from headrace.credentials import Credentials, RoleArn, one_identity
from headrace.errors import SourceUnavailable
from headrace.late import Late
from headrace.model import Condition
from headrace.settings import Settings

READ_TIMEOUT = 30
"""Seconds; longer than the longest poll that SQS allows (20)."""


def _endpoint(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/\S*)?", url):
        raise ValueError("must be a URL: http://HOST:PORT, or https://HOST")
    return url


class AwsSettings(Settings):
    """Where and as whom AWS is called.

    Without credentials of its own they come from the standard chain: environment, profile, instance.
    """

    region: str | None = Field(None, description="AWS region; default: that of the URL or ARN, then AWS_REGION.")
    endpoint_url: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Another endpoint, for example an emulator's: http://HOST:PORT."
    )
    role_arn: RoleArn | None = Field(None, description="Role assumed through STS; refreshed before it expires.")
    profile: str | None = Field(
        None, min_length=1, description="Profile of AWS's config files whose credentials are used."
    )
    credentials: Credentials | None = Field(None, description="Credentials that are written here instead.")

    @model_validator(mode="after")
    def _is_one_identity(self) -> Self:
        one_identity(self.profile, self.credentials)
        return self

    def over(self, defaults: AwsSettings) -> AwsSettings:
        """These settings, with *defaults* where nothing was set.

        Who names credentials is somebody else: of a role or of other credentials in *defaults* he takes nothing. Who
        names a role alone assumes it with theirs.
        """
        given, others = _given(self), _given(defaults)
        if given.keys() & {"profile", "credentials"}:
            others = {name: value for name, value in others.items() if name in {"region", "endpoint_url"}}
        return AwsSettings(**{**others, **given})


def _given(settings: AwsSettings) -> dict[str, Any]:
    """What is set; as it is, for to dump a secret is to show it."""
    return {name: value for name in AwsSettings.model_fields if (value := getattr(settings, name)) is not None}


def known_region(aws: AwsSettings) -> str | None:
    """The region that is called, unless a profile alone says it. botocore itself reads AWS_DEFAULT_REGION only."""
    return aws.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
)
"""Codes that say: these credentials have not the right to it."""

UNKNOWN: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that say: whose credentials are these? Or: they were good once."""

_RIGHTS = "allow these credentials to do it (`headrace iam` prints what is needed)"

MENDS = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run under a role",
    "NoRegionError": "set region under aws, or AWS_REGION",
    "EndpointConnectionError": "is the server up, and endpoint_url (or AWS_ENDPOINT_URL) right?",
    "NonExistentQueue": "create it, or correct queue_url: its region, account and name",
    "QueueDoesNotExist": "create it, or correct queue_url: its region, account and name",
    **dict.fromkeys(DENIED, _RIGHTS),
    **dict.fromkeys(UNKNOWN, "correct the credentials, or renew them"),
    "ProfileNotFound": "correct profile, or write it into AWS's config files",
    "NotFound": "create it, or correct its ARN: its region, account and name",
    "NoSuchBucket": "create it, or correct its name",
    "ResourceNotFoundException": "create it, or correct its name, region and account",
    "KMSAccessDeniedException": "allow these credentials kms:Decrypt with the stream's key",
    "KMSDisabledException": "enable the stream's key",
}
"""What a person can do about an error, by the last part of its code."""


class AwsError(SourceUnavailable):
    """AWS refused a call, or could not be asked. `code` is AWS's, or the name of the client's error.

    `operation` is the one that was refused, where it is another than the one that was called: AssumeRole, before it.
    """

    def __init__(self, code: str, message: str, *, operation: str = "", mend: str = "") -> None:
        self.code, self.message, self.operation = code, message, operation
        mend = mend or MENDS.get(code.rpartition(".")[2], "")
        super().__init__(f"{code}: {message}{f'; {mend}' if mend else ''}")

    @property
    def denied(self) -> bool:
        return self.code.rpartition(".")[2] in DENIED

    def denial(self, now: float) -> Condition | None:
        """What is the matter at Unix time *now*, where that is a right that is missing."""
        return Condition("denied", str(self), now) if self.denied else None

    def mended_by(self, mend: str) -> AwsError:
        """The same, with another mend."""
        return AwsError(self.code, self.message, operation=self.operation, mend=mend)


class Watch(Protocol):
    """Is told how a call goes: `sent` at every try, botocore's own too, and `arriving` when its answer begins."""

    def sent(self) -> None: ...

    def arriving(self) -> None: ...


class AwsClient(Protocol):
    """One service. Its calls take and return what boto3's do, but for binary values, which may stay base64 text."""

    async def call(
        self, operation: str, watch: Watch | None = None, *, trace: str = "", **params: Any
    ) -> dict[str, Any]:
        """One call, as a part of *trace*, which is a tracing header of X-Ray's, where it is of any.

        Raises:
            AwsError: AWS refused, or could not be asked after botocore's own retries.
        """

    def stream(self, operation: str, **params: Any) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """A call whose answer goes on: its events as they come, to its end; hung up at the end of the block.

        Raises:
            AwsError: AWS refused; from the events too, for an exception that comes as one, and for a cut connection.
        """


def date_of(answer: Mapping[str, Any]) -> float | None:
    """The server's own time, in Unix seconds, where *answer* is a full one and its header Date can be read."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


_opened = Late("headrace_connectors.leanclient:opened")


def make_ready() -> None:
    """Import what a client is made of now: for who opens it later, when the loop has no half second to spare."""
    _opened.load()


def aws_client(
    service: str,
    aws: AwsSettings,
    *,
    connections: int = 20,
    read_timeout: float = READ_TIMEOUT,
    retries: int = 3,
    dated: Collection[str] = (),
    final: Collection[str] = (),
) -> AbstractAsyncContextManager[AwsClient]:
    """A client of *service*, for as long as the block lasts.

    A call that fails is tried again *retries* times at most, and has failed when nothing comes for *read_timeout*
    seconds. *dated* are operations that are always called in full, so that their answer has its headers (`date_of`);
    *final* are codes of refusals that a lean call takes as they are.

    Raises:
        AwsError: it cannot be made from these settings (no region, a profile that does not exist, …).
    """
    timing = {"connections": connections, "read_timeout": read_timeout, "retries": retries}
    client: AbstractAsyncContextManager[AwsClient] = _opened(service, aws, **timing, dated=dated, final=final)
    return client
