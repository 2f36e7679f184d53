"""Fixtures for tests against real servers: one server a session (and xdist worker), one account a test.

| fixture | scope | is |
|---|---|---|
| ministack | session | the running SQS server, shared: never stop it; for that make your own `Ministack()` |
| microburst | test | the running fault proxy before that server, without rules |
| kinesis_local, roto | session | the running Kinesis servers, shared: each test makes a stream of its own |
| kafka | test | the broker that support/kafka.py chose, shared by all workers, with names of this test's own |
| apache_kafka | test | the same, and Apache Kafka for sure: elsewhere the test is skipped with the reason |
| tansu | test | the same on the broker from PyPI |
| account | test | twelve digits: the access key that keeps this test's queues apart |
| aws_env | test | the environment variables with which a process of ours reaches the server as this account |
| sqs | test | an aiobotocore client for it |
| dynamodb | test | the same for DynamoDB |
| new_queue | test | `await new_queue(visibility_timeout=…, dead_letter=url, max_receive_count=…, fifo=…)` -> URL |
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from support import kafka as brokers
from support.kinesis import KinesisLocal, Roto
from support.queues import client_of, make_queue, sqs_client
from support.servers import Microburst, Ministack, aws_environment, random_account


@pytest.fixture(scope="session", autouse=True)
def _nobody_elses_aws() -> Iterator[None]:
    """No test sees the credentials, profiles or endpoints of the person that runs it, nor asks the cloud for some."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    with Ministack() as server:
        yield server


@pytest.fixture(scope="session")
def _microburst(ministack: Ministack) -> Iterator[Microburst]:
    with Microburst(ministack.url) as proxy:
        yield proxy


@pytest.fixture
def microburst(_microburst: Microburst) -> Iterator[Microburst]:
    _microburst.clear()
    yield _microburst
    _microburst.clear()


@pytest.fixture(scope="session")
def kinesis_local() -> Iterator[KinesisLocal]:
    with KinesisLocal() as server:
        yield server


@pytest.fixture(scope="session")
def roto() -> Iterator[Roto]:
    with Roto() as server:
        yield server


def pytest_report_header() -> str:
    return brokers.header()


@pytest.fixture(scope="session")
def _apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; "" where there is none."""
    reason = brokers.why_not_apache()
    if reason is not None:
        assert not os.environ.get("CI"), reason
        yield ""
        return
    run = tmp_path_factory.getbasetemp()
    with brokers.shared(run.parent if os.environ.get("PYTEST_XDIST_WORKER") else run) as address:
        yield address


@pytest.fixture(scope="session")
def _tansu() -> Iterator[str]:
    with brokers.tansu() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def apache_kafka(_apache: str) -> brokers.Cluster:
    if not _apache:
        pytest.skip(f"needs Apache Kafka: {brokers.why_not_apache()}")
    return brokers.Cluster(_apache)


@pytest.fixture
def tansu(_tansu: str) -> brokers.Cluster:
    return brokers.Cluster(_tansu)


@pytest.fixture
def kafka(_apache: str, request: pytest.FixtureRequest) -> brokers.Cluster:
    return brokers.Cluster(_apache or request.getfixturevalue("_tansu"))


@pytest.fixture
def account() -> str:
    return random_account()


@pytest.fixture
def aws_env(ministack: Ministack, account: str) -> dict[str, str]:
    return aws_environment(ministack.url, account)


@pytest.fixture
async def sqs(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with sqs_client(ministack.url, account) as client:
        yield client


@pytest.fixture
async def dynamodb(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with client_of("dynamodb", ministack.url, account) as client:
        yield client


@pytest.fixture
def new_queue(sqs: Any) -> Callable[..., Awaitable[str]]:
    return functools.partial(make_queue, sqs)
