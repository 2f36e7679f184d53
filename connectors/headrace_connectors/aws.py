"""Talking to AWS: one client a service, whose repeated calls cost a third of botocore's.

A client's first call of an operation goes through aiobotocore in full. What that call resolved (endpoint, headers,
region, signing name) is then repeated by a lean call: the same credentials, the form of botocore's signer and
aiobotocore's own HTTP session (so proxies, CA bundles and client certificates hold), but one JSON encoder and decoder,
and none of the hooks. Anything but a well-formed 200 is tried again in full, with botocore's retries and its errors,
but for refusals that a caller has named as final.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import orjson
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.eventstream import AioEventStream
from aiobotocore.session import AioSession, get_session
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from headrace.clock import SYSTEM
from headrace.errors import SourceUnavailable
from headrace.settings import Settings
from headrace_connectors.signing import Signer

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
"""Seconds; longer than the longest poll that SQS allows (20)."""

OK = 200


class AwsSettings(Settings):
    """Where and as whom AWS is called. Credentials come from the standard chain: environment, profile, instance."""

    region: str | None = Field(None, description="AWS region; default: that of the URL or ARN, then AWS_REGION.")
    endpoint_url: str | None = Field(None, description="Another endpoint, for example an emulator's.")
    role_arn: str | None = Field(None, description="Role assumed through STS; refreshed before it expires.")

    def over(self, defaults: AwsSettings) -> AwsSettings:
        """These settings, with *defaults* where nothing was set."""
        given = {name: getattr(self, name) for name in AwsSettings.model_fields if getattr(self, name) is not None}
        return AwsSettings(**{**defaults.model_dump(), **given})


_RIGHTS = "allow these credentials to do it (README: the rights that are needed)"

MENDS = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run under a role",
    "NoRegionError": "set region under aws, or AWS_REGION",
    "EndpointConnectionError": "is the server up, and endpoint_url (or AWS_ENDPOINT_URL) right?",
    "NonExistentQueue": "create it, or correct queue_url: its region, account and name",
    "QueueDoesNotExist": "create it, or correct queue_url: its region, account and name",
    "AccessDenied": _RIGHTS,
    "AccessDeniedException": _RIGHTS,
    "AuthorizationError": _RIGHTS,
    "NotFound": "create it, or correct its ARN: its region, account and name",
    "NoSuchBucket": "create it, or correct its name",
    "ResourceNotFoundException": "create it, or correct its name, region and account",
    "KMSAccessDeniedException": "allow these credentials kms:Decrypt with the stream's key",
    "KMSDisabledException": "enable the stream's key",
}
"""What a person can do about an error, by the last part of its code."""


class AwsError(SourceUnavailable):
    """AWS refused a call, or could not be asked. `code` is AWS's, or the name of the client's error."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        mend = MENDS.get(code.rpartition(".")[2])
        super().__init__(f"{code}: {message}{f'; {mend}' if mend else ''}")


@dataclass(frozen=True, slots=True)
class _Template:
    """What botocore made of an operation: repeated by every lean call of it."""

    url: str
    signer: Signer


_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
_OWN_HEADERS = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "content-length"})
_PER_CALL = re.compile(r"(?i)^(amz-sdk-|x-amzn-trace-id)")


class Watch(Protocol):
    """Is told how a call goes: `sent` at every try, botocore's own too, and `arriving` when its answer begins."""

    def sent(self) -> None: ...

    def arriving(self) -> None: ...


_watching: ContextVar[Watch | None] = ContextVar("watching", default=None)


class AwsClient:
    """One service. Its calls take and return what boto3's do, but for binary values, which may stay base64 text."""

    def __init__(self, client: Any, *, dated: Collection[str] = (), final: Collection[str] = ()) -> None:
        self._client, self._dated, self._final = client, dated, final
        self._templates: dict[str, _Template] = {}
        client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", self._learn)

    def _learn(self, request: Any, event_name: str, **_: Any) -> None:
        """Before every try in full: remember how it is called, where it is signed in the way that we can repeat."""
        if (watch := _watching.get()) is not None:
            watch.sent()
        operation = event_name.rpartition(".")[2]
        headers = {name: _text(value) for name, value in request.headers.items()}
        scope = _SCOPE.match(headers.get("Authorization", ""))
        if (
            scope
            and operation not in self._templates
            and operation not in self._dated
            and headers.get("Content-Type", "").startswith("application/x-amz-json")
        ):
            own = {n: v for n, v in headers.items() if n.lower() not in _OWN_HEADERS and not _PER_CALL.match(n)}
            self._templates[operation] = _Template(request.url, Signer(request.url, own, *scope.groups()))

    async def call(self, operation: str, watch: Watch | None = None, **params: Any) -> dict[str, Any]:
        """One call.

        Raises:
            AwsError: AWS refused, or could not be asked after botocore's own retries.
        """
        template = self._templates.get(operation)
        if template is not None:
            try:
                answer = await self._lean(template, params, watch)
            except AwsError:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the call in full meets it again, and names it
                answer = None
            if answer is not None:
                return answer
        token = _watching.set(watch)
        try:
            return await self._in_full(operation, params)
        finally:
            _watching.reset(token)

    async def _lean(self, template: _Template, params: dict[str, Any], watch: Watch | None) -> dict[str, Any] | None:
        credentials = await self._client._request_signer._credentials.get_frozen_credentials()  # noqa: SLF001
        sent = orjson.dumps(params)
        headers = template.signer.sign(sent, credentials, SYSTEM.wall())
        request = AWSPreparedRequest("POST", template.url, headers, sent, stream_output=True)
        if watch is not None:
            watch.sent()
        response = await self._client._endpoint.http_session.send(request)  # noqa: SLF001
        if watch is not None:
            watch.arriving()
        body = await response.content
        if response.status_code != OK:
            self._refuse(body)
            return None
        answer = orjson.loads(body) if body else {}
        return answer if isinstance(answer, dict) else None

    def _refuse(self, body: bytes) -> None:
        """Raise a refusal that is final, as botocore would."""
        told = orjson.loads(body)
        code = str(told["__type"]).rpartition("#")[2]
        if code in self._final:
            raise AwsError(code, str(told.get("message") or told.get("Message") or ""))

    async def _in_full(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        method: Callable[..., Awaitable[dict[str, Any]]] = getattr(self._client, xform_name(operation))
        with _told():
            return await method(**params)

    @asynccontextmanager
    async def stream(self, operation: str, **params: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """A call whose answer goes on: its events as they come, to its end; hung up at the end of the block.

        Raises:
            AwsError: AWS refused; from the events too, for an exception that comes as one, and for a cut connection.
        """
        answer = await self._in_full(operation, params)
        (events,) = [value for value in answer.values() if isinstance(value, AioEventStream)]
        try:
            async with aclosing(_events(events)) as told:
                yield told
        finally:
            events.close()


async def _events(events: AioEventStream) -> AsyncGenerator[dict[str, Any], None]:
    with _told():
        async for event in events:
            yield event


@contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong within, as an AwsError."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        raise AwsError(told.get("Code", "Unknown"), told.get("Message", str(error))) from error
    except Exception as error:
        raise AwsError(type(error).__name__, str(error)) from error


def date_of(answer: Mapping[str, Any]) -> float | None:
    """The server's own time, in Unix seconds, where *answer* is a full one and its header Date can be read."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@asynccontextmanager
async def aws_client(
    service: str,
    aws: AwsSettings,
    *,
    connections: int = 20,
    read_timeout: float = READ_TIMEOUT,
    retries: int = 3,
    dated: Collection[str] = (),
    final: Collection[str] = (),
) -> AsyncIterator[AwsClient]:
    """A client of *service*, for as long as the block lasts.

    A call that fails is tried again *retries* times at most, and has failed when nothing comes for *read_timeout*
    seconds. *dated* are operations that are always called in full, so
    that their answer has its headers (`date_of`); *final* are codes of refusals that a lean call takes as they are.

    Raises:
        AwsError: it cannot be made from these settings (no region, a profile that does not exist, …).
    """
    session = get_session()
    session.user_agent_extra = "headrace"
    if region := aws.region or os.environ.get("AWS_REGION"):  # botocore itself reads AWS_DEFAULT_REGION alone
        session.set_config_variable("region", region)
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        retries={"mode": "standard", "max_attempts": retries},
    )
    try:
        if aws.role_arn:
            await _assume(session, aws.role_arn)
        client = session.create_client(service, endpoint_url=aws.endpoint_url, config=config)
        entered = await client.__aenter__()
    except (BotoCoreError, ValueError) as error:
        raise AwsError(type(error).__name__, str(error)) from error
    try:
        yield AwsClient(entered, dated=dated, final=final)
    finally:
        await client.__aexit__(None, None, None)


async def _assume(session: AioSession, role_arn: str) -> None:
    """From now on *session* acts as the role; botocore refreshes it before it expires."""
    fetcher = AioAssumeRoleCredentialFetcher(
        session.create_client,
        await session.get_credentials(),
        role_arn,
        extra_args={"RoleSessionName": "headrace"},
    )
    session._credentials = AioDeferredRefreshableCredentials(  # noqa: SLF001 - botocore offers no other way in
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
