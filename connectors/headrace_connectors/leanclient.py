"""One service of AWS, by a client whose repeated calls cost a third of botocore's.

A client's first call of an operation goes through aiobotocore in full. What that call resolved (endpoint, headers,
region, signing name) is then repeated by a lean call: the same credentials, the form of botocore's signer and
aiobotocore's own HTTP session (so proxies, CA bundles and client certificates hold), but one JSON encoder and decoder,
and none of the hooks. Anything but a well-formed 200 is tried again in full, with botocore's retries and its errors,
but for refusals that a caller has named as final.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher, AioDeferredRefreshableCredentials
from aiobotocore.eventstream import AioEventStream
from aiobotocore.session import AioSession
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.configprovider import ConstantProvider
from botocore.credentials import EnvProvider
from botocore.exceptions import BotoCoreError, ClientError

from headrace import own
from headrace.clock import SYSTEM
from headrace_connectors import rights
from headrace_connectors.aws import AwsError, AwsSettings, Watch, known_region
from headrace_connectors.signing import Signer

CONNECT_TIMEOUT = 5
"""Seconds."""

SESSION = 3600
"""Seconds that a role is assumed for: STS's own default, and all that a role allows unless it is told otherwise."""

OK = 200


@dataclass(frozen=True, slots=True)
class _Template:
    """What botocore made of an operation: repeated by every lean call of it."""

    url: str
    signer: Signer


_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
_OWN_HEADERS = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "content-length"})
_PER_CALL = re.compile(r"(?i)^(amz-sdk-|x-amzn-trace-id)")


_FILES = {
    "config_file": ("AWS_CONFIG_FILE", "~/.aws/config"),
    "credentials_file": ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
}
"""As botocore has them."""

_watching: ContextVar[Watch | None] = ContextVar("watching", default=None)
_tracing: ContextVar[str] = ContextVar("tracing", default="")


class LeanClient:
    """An `AwsClient`."""

    def __init__(
        self, client: Any, *, dated: Collection[str] = (), final: Collection[str] = (), role_arn: str | None = None
    ) -> None:
        self._client, self._dated, self._final, self._role_arn = client, dated, final, role_arn
        self._templates: dict[str, _Template] = {}
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-call.{service}", self._trace)
        client.meta.events.register(f"before-send.{service}", self._learn)

    def _trace(self, params: dict[str, Any], **_: Any) -> None:
        if trace := _tracing.get():
            params["headers"]["X-Amzn-Trace-Id"] = trace

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

    async def call(
        self, operation: str, watch: Watch | None = None, *, trace: str = "", **params: Any
    ) -> dict[str, Any]:
        tracing = _tracing.set(trace)
        try:
            return await self._called(operation, watch, params)
        except AwsError as error:
            raise self._with_the_right(error, operation, params) from error
        finally:
            _tracing.reset(tracing)

    def _with_the_right(self, error: AwsError, operation: str, params: dict[str, Any]) -> AwsError:
        """A denial says which right is missing: of the call, or of the role that was to be assumed for it."""
        if not error.denied:
            return error
        service = self._client.meta.service_model.service_name
        if error.operation == "AssumeRole":
            service, operation, params = "sts", "AssumeRole", {"RoleArn": self._role_arn}
        return error.mended_by(rights.lacking(service, operation, params, self._client.meta.region_name))

    async def _called(self, operation: str, watch: Watch | None, params: dict[str, Any]) -> dict[str, Any]:
        template = None if _tracing.get() else self._templates.get(operation)
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
        try:
            answer = await self._in_full(operation, params)
        except AwsError as error:
            raise self._with_the_right(error, operation, params) from error
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
        code, message = told.get("Code", "Unknown"), told.get("Message", str(error))
        raise AwsError(code, message, operation=error.operation_name) from error
    except Exception as error:
        raise AwsError(type(error).__name__, str(error)) from error


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@asynccontextmanager
async def opened(
    service: str,
    aws: AwsSettings,
    *,
    connections: int,
    read_timeout: float,
    retries: int,
    dated: Collection[str],
    final: Collection[str],
) -> AsyncIterator[LeanClient]:
    """What `aws_client` promises."""
    session = AioSession()
    session.user_agent_extra = "headrace"
    if region := known_region(aws):
        session.set_config_variable("region", region)
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        retries={"mode": "standard", "max_attempts": retries},
    )
    try:
        _identify(session, aws)
        _be_ourselves(session)
        if aws.role_arn:
            await _assume(session, aws.role_arn)
        client = session.create_client(service, endpoint_url=aws.endpoint_url, config=config)
        entered = await client.__aenter__()
    except (BotoCoreError, ValueError) as error:
        raise AwsError(type(error).__name__, str(error)) from error
    try:
        yield LeanClient(entered, dated=dated, final=final, role_arn=aws.role_arn)
    finally:
        await client.__aexit__(None, None, None)


def _identify(session: AioSession, aws: AwsSettings) -> None:
    """Credentials that the settings name; without any the standard chain finds some."""
    if aws.profile:
        session.set_config_variable("profile", aws.profile)
    if own := aws.credentials:
        token = own.session_token.get_secret_value() if own.session_token else None
        session.set_credentials(own.access_key_id.get_secret_value(), own.secret_access_key.get_secret_value(), token)


def _be_ourselves(session: AioSession) -> None:
    """Whatever the functions of this process were given to be, go by the environment that it was started with."""
    if not own.is_lent():
        return
    environ = own.environment()
    store = session.get_component("config_store")
    for name, (variable, otherwise) in _FILES.items():
        store.set_config_provider(name, ConstantProvider(environ.get(variable, otherwise)))
    if session.instance_variables().get("profile") is None:
        profile = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
        store.set_config_provider("profile", ConstantProvider(profile))
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == EnvProvider.METHOD:
            provider.environ = environ


async def _assume(session: AioSession, role_arn: str) -> None:
    """From now on *session* acts as the role; botocore refreshes it before it expires."""
    fetcher = AioAssumeRoleCredentialFetcher(
        session.create_client,
        await session.get_credentials(),
        role_arn,
        extra_args={"RoleSessionName": "headrace", "DurationSeconds": SESSION},
    )
    session._credentials = AioDeferredRefreshableCredentials(  # noqa: SLF001 - botocore offers no other way in
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
