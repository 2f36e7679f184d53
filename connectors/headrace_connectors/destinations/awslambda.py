"""A real Lambda function as a destination: invoked asynchronously, with the record as its event."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import Field, field_validator

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.right import Need, Right
from headrace_connectors.aws import AwsError, AwsSettings, aws_client, make_ready
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.connection import not_said, settings_of
from headrace_connectors.destinations.singly import singly
from headrace_connectors.limits import LAMBDA, too_large
from headrace_connectors.needs import needed

ARN: Final = re.compile(
    r"arn:[\w-]+:lambda:(?P<region>[\w-]+):\d{12}:function:(?P<name>[\w-]{1,64})(?::(?P<version>\$LATEST|[\w-]{1,128}))?",
    re.ASCII,
)

TAKEN: Final = 202
FINAL: Final = frozenset(
    {"InvalidRequestContentException", "RequestTooLargeException", "UnsupportedMediaTypeException"}
)
"""Errors that the event itself has caused."""


class LambdaDestinationOptions(AwsSettings):
    """`destination: {type: lambda, …}`."""

    function_arn: str = Field(description="The function's ARN, with or without a version or an alias.")

    @field_validator("function_arn")
    @classmethod
    def _is_arn(cls, value: str) -> str:
        if not ARN.fullmatch(value):
            raise ValueError("must be a function's ARN: arn:aws:lambda:REGION:ACCOUNT:function:NAME")
        return value

    def aws(self, opening: Opening) -> AwsSettings:
        """Its own settings, then the ARN's region, then the config's."""
        return settings_of(self, opening, region=self.function_arn.split(":")[3])


class LambdaDestination:
    """Connects at the first message. Confirmed is what Lambda has put on the function's queue; it tells no repeats."""

    def __init__(self, opening: Opening, options: LambdaDestinationOptions) -> None:
        self.name = f"lambda {options.function_arn.partition(':function:')[2]}"
        self._options = options
        self._connection = Connection.of(lambda: aws_client("lambda", options.aws(opening)))
        make_ready()

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        return await singly(messages, self._invoke)

    async def _invoke(self, message: Message) -> Reply:
        if refused := too_large(message, len(message.body), LAMBDA, "Lambda"):
            return refused
        try:
            client = await self._connection.get()
            function = self._options.function_arn
            answer = await client.call("Invoke", FunctionName=function, InvocationType="Event", Payload=message.body)
            await _read(answer.get("Payload"))
        except AwsError as error:
            return Reply(Said.REFUSED if error.code in FINAL else Said.FAILED, str(error))
        status = answer.get("StatusCode")
        return CONFIRMED if status == TAKEN else Reply(Said.FAILED, f"the answer's status is {status}, and not {TAKEN}")

    async def close(self) -> None:
        await self._connection.close()


async def _read(payload: Any) -> None:
    """To its end, empty as it is: the connection is then free for the next call."""
    if payload is not None:
        async with payload as stream:
            await stream.read()


def _of_text(text: str) -> Mapping[str, Any] | None:
    return {"function_arn": text} if ARN.fullmatch(text) else None


async def _probe(opening: Opening, options: LambdaDestinationOptions) -> Probe:
    """Ask for the function once. Invoking needs less rights than that."""
    try:
        async with aws_client("lambda", options.aws(opening)) as client:
            await client.call("GetFunctionConfiguration", FunctionName=options.function_arn)
    except AwsError as error:
        return not_said("function_arn", error)
    return Probe(values={"function_arn": options.function_arn})


def _rights(opening: Opening, options: LambdaDestinationOptions) -> Iterator[Right]:
    aws = options.aws(opening)
    yield from needed(aws, "lambda", ("Invoke",), options.function_arn)
    yield from needed(aws, "lambda", ("GetFunctionConfiguration",), options.function_arn, Need.CHECK)


lambda_ = DestinationKind(
    type="lambda",
    summary="A real AWS Lambda function, by its ARN: invoked asynchronously, one record an event.",
    options=LambdaDestinationOptions,
    open=LambdaDestination,
    probe=_probe,
    text=_of_text,
    text_form="a function's ARN",
    limit=LAMBDA,
    rights=_rights,
)
