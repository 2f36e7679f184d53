"""The lean call does what the full call does; whatever it cannot do, the full call does instead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from headrace_connectors.aws import AwsClient, AwsError, AwsSettings, aws_client, date_of
from support.kinesis import PRODUCER, Roto
from support.servers import REGION, Microburst, Ministack

NewQueue = Callable[..., Awaitable[str]]

pytestmark = pytest.mark.usefixtures("soon_again")


@pytest.fixture
def credentials(aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_env.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)


class Watched:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def sent(self) -> None:
        self.seen.append("sent")

    def arriving(self) -> None:
        self.seen.append("arriving")


@pytest.fixture
async def client(ministack: Ministack, credentials: None) -> AsyncIterator[AwsClient]:
    async with aws_client("sqs", AwsSettings(region=REGION, endpoint_url=ministack.url)) as client:
        yield client


async def test_the_second_call_is_lean_and_says_the_same(client: AwsClient, new_queue: NewQueue) -> None:
    url = await new_queue()
    full = await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    assert "ResponseMetadata" in full
    lean = await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    assert "ResponseMetadata" not in lean
    assert lean["Attributes"] == full["Attributes"]


async def test_a_call_that_is_of_a_trace_says_so(client: AwsClient, new_queue: NewQueue) -> None:
    """Mutations: a lean call, which has not its header; a header that stays with the calls after it."""
    sent: list[str | None] = []
    inner: Any = client
    inner._client.meta.events.register("before-send.sqs", lambda request, **_: sent.append(_trace(request)))
    asked = {"QueueUrl": await new_queue(), "AttributeNames": ["All"]}
    for trace in ("Root=1-0-1", "", "Root=1-0-2"):
        await client.call("GetQueueAttributes", trace=trace, **asked)
    assert sent == ["Root=1-0-1", "Root=1-0-2"], "the one between is lean"
    assert "ResponseMetadata" not in await client.call("GetQueueAttributes", **asked)
    await client.call("ListQueues")
    assert sent[2:] == [None]


def _trace(request: Any) -> str | None:
    value = request.headers.get("X-Amzn-Trace-Id")
    return value.decode() if isinstance(value, bytes) else value


async def test_messages_come_the_same_both_ways(client: AwsClient, new_queue: NewQueue, sqs: Any) -> None:
    """Binary values stay base64 text in the lean answer; all else is equal."""
    url = await new_queue(visibility_timeout=0)
    await sqs.send_message(
        QueueUrl=url,
        MessageBody='{"é": "\\u0001 \U0001f600"}',
        MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "6"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    asked = {"QueueUrl": url, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    (full,) = (await client.call("ReceiveMessage", **asked))["Messages"]
    (lean,) = (await client.call("ReceiveMessage", watch := Watched(), **asked))["Messages"]
    assert watch.seen == ["sent", "arriving"]
    assert lean["MessageAttributes"]["b"]["BinaryValue"] == "AP8="
    assert full["MessageAttributes"]["b"]["BinaryValue"] == b"\x00\xff"
    for message in (full, lean):
        for changing in ("ReceiptHandle", "MessageAttributes"):
            del message[changing]
        del message["Attributes"]["ApproximateReceiveCount"]
    assert lean == full


@pytest.mark.parametrize("times", [1, 2])
async def test_a_refusal_has_its_code_and_reason_full_and_lean(
    client: AwsClient, times: int, new_queue: NewQueue
) -> None:
    await client.call("GetQueueAttributes", QueueUrl=await new_queue(), AttributeNames=["All"])
    for _ in range(times):
        with pytest.raises(AwsError, match=r"NonExistentQueue.*does not exist"):
            await client.call("GetQueueAttributes", QueueUrl=f"{await new_queue()}-not", AttributeNames=["All"])


async def test_a_server_that_is_away_is_retried_by_botocore(
    microburst: Microburst, ministack: Ministack, credentials: None, new_queue: NewQueue
) -> None:
    """The lean call meets the 503, and the full one that follows it outlives another."""
    url = await new_queue()
    async with aws_client("sqs", AwsSettings(region=REGION, endpoint_url=microburst.url)) as client:
        await client.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
        rule = {
            "service": "sqs",
            "operation": "GetQueueAttributes",
            "times": 2,
            "error": {"code": "ServiceUnavailable", "status": 503},
        }
        microburst.rules([rule])
        watch = Watched()
        assert await client.call("GetQueueAttributes", watch, QueueUrl=url, AttributeNames=["All"])
        assert len(microburst.fired()) == 2
        assert watch.seen == ["sent", "arriving", "sent", "sent"]


async def test_nobody_answers(credentials: None) -> None:
    async with aws_client("sqs", AwsSettings(region=REGION, endpoint_url="http://127.0.0.1:9")) as client:
        with pytest.raises(AwsError, match="EndpointConnectionError"):
            await client.call("ListQueues")


async def test_a_role_is_assumed(
    ministack: Ministack, credentials: None, monkeypatch: pytest.MonkeyPatch, sqs: Any, account: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ministack.url)
    aws = AwsSettings(region=REGION, endpoint_url=ministack.url, role_arn=f"arn:aws:iam::{account}:role/reader")
    async with aws_client("sqs", aws) as client:
        await client.call("ListQueues")
        await client.call("ListQueues")


async def test_no_credentials_are_said(ministack: Ministack) -> None:
    async with aws_client("sqs", AwsSettings(region=REGION, endpoint_url=ministack.url)) as client:
        with pytest.raises(AwsError, match="NoCredentialsError"):
            await client.call("ListQueues")


async def test_no_region_is_said() -> None:
    with pytest.raises(AwsError, match="region"):
        async with aws_client("sqs", AwsSettings()):
            pass


@pytest.mark.parametrize(
    ("written", "environment", "region"),
    [
        (None, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ("eu-north-1", {"AWS_REGION": "eu-west-1"}, "eu-north-1"),
    ],
)
async def test_the_region_is_the_environments_unless_it_is_written(
    written: str | None, environment: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's own tools read AWS_REGION, and botocore does not. Mutation: only what botocore reads."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with aws_client("sqs", AwsSettings(region=written)) as client:
        assert client._client.meta.region_name == region


async def test_a_final_refusal_is_not_asked_again_and_a_dated_operation_is_never_lean(
    roto: Roto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches: a throttled call that is throttled twice; a server's time that comes with the first answer alone."""
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    where = AwsSettings(region=REGION, endpoint_url=roto.url)
    code = "ResourceNotFoundException"
    for final, tries in ([code], 1), ([], 2):
        async with aws_client("kinesis", where, retries=0, dated={"ListShards"}, final=final) as client:
            await client.call("ListStreams")
            await client.call("CreateStream", StreamName=f"s{tries}", ShardCount=1)
            for _ in range(2):
                assert date_of(await client.call("ListShards", StreamName=f"s{tries}"))
            assert date_of(await client.call("ListStreams")) is None
            with pytest.raises(AwsError, match=code):
                await client.call("DescribeStreamSummary", StreamName="no-such")
            with pytest.raises(AwsError, match=rf"{code}: .*no-such.*create it"):
                await client.call("DescribeStreamSummary", watched := Watched(), StreamName="no-such")
            assert watched.seen.count("sent") == tries
