"""Fixtures for tests against real servers: one server a session (and xdist worker), one account a test.

| fixture | scope | is |
|---|---|---|
| own_port | test | a port that nobody else is given, and where nobody listens until the test has something do so |
| ministack | session | the running SQS server, shared: never stop it; for that make your own `Ministack()` |
| guarded | session | another that asks IAM about every call, shared |
| microburst | test | the running fault proxy before that server, without rules |
| kinesis_local, roto | session | the running Kinesis servers, shared: each test makes a stream of its own |
| kafka | test | the broker that support/kafka.py chose, shared by all workers, with names of this test's own |
| apache_kafka | test | the same, and Apache Kafka for sure: elsewhere the test is skipped with the reason |
| needs_apache | session | for tests with a broker of their own: where there is no Apache Kafka they are skipped |
| tansu | test | the same on the broker from PyPI |
| secured_kafka | session | an Apache Kafka with a listener for each way to prove who one is, shared by all workers |
| token_endpoint | session | where OAUTHBEARER's tokens for it come from |
| account | test | twelve digits: the access key that keeps this test's queues apart |
| aws_env | test | the environment variables with which a process of ours reaches the server as this account |
| soon_again | test | botocore's tries follow each other quickly, in this process |
| sqs | test | an aiobotocore client for it |
| dynamodb | test | the same for DynamoDB |
| new_queue | test | `await new_queue(visibility_timeout=…, dead_letter=url, max_receive_count=…, fifo=…)` -> URL |
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from botocore.retries.standard import ExponentialBackoff

from headrace_connectors.testbed.server import held_ports
from support import called, kafka_secured
from support import kafka as brokers
from support.kafka_secured import Secured
from support.kinesis import KinesisLocal, Roto
from support.queues import client_of, make_queue, sqs_client
from support.servers import Microburst, Ministack, aws_environment, random_account
from support.token_endpoint import TokenEndpoint


def pytest_configure(config: pytest.Config) -> None:
    called.begin(config)


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


@pytest.fixture(autouse=True)
def _nobody_elses_witness(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun in the stores of a test is remembered for it alone: the next one's server may have its port."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("witness")))


@pytest.fixture(autouse=True)
def _nobody_elses_environment() -> Iterator[None]:
    """What a command that ran in a test's own process set for its functions, the time zone too, ends with the test."""
    before = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(before)
    time.tzset()


@pytest.fixture(autouse=True)
def _nobody_elses_log() -> Iterator[None]:
    """What a command that ran in a test's own process set for its log lines, its level too, ends with the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def own_port() -> Iterator[int]:
    with held_ports(1) as (port,):
        yield port


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    with Ministack() as server:
        yield server


@pytest.fixture(scope="session")
def guarded() -> Iterator[Ministack]:
    with Ministack(guarded=True) as server:
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
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def _no_apache() -> str | None:
    """Why there is no Apache Kafka; None where there is."""
    reason = brokers.why_not_apache()
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    return reason


@pytest.fixture(scope="session")
def needs_apache(_no_apache: str | None) -> None:
    if _no_apache is not None:
        pytest.skip(f"needs Apache Kafka: {_no_apache}")


@pytest.fixture(scope="session")
def _apache(run_folder: Path, needs_apache: None) -> Iterator[str]:
    with brokers.shared(run_folder) as addresses:
        yield addresses["PLAINTEXT"]


@pytest.fixture(scope="session")
def secured_kafka(run_folder: Path, needs_apache: None) -> Iterator[Secured]:
    with kafka_secured.shared(run_folder) as secured:
        yield secured


@pytest.fixture(scope="session")
def token_endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _tansu() -> Iterator[str]:
    with brokers.tansu() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def apache_kafka(_apache: str) -> brokers.Cluster:
    return brokers.Cluster(_apache)


@pytest.fixture
def tansu(_tansu: str) -> brokers.Cluster:
    return brokers.Cluster(_tansu)


@pytest.fixture
def kafka(_no_apache: str | None, request: pytest.FixtureRequest) -> brokers.Cluster:
    cluster: brokers.Cluster = request.getfixturevalue("tansu" if _no_apache else "apache_kafka")
    return cluster


@pytest.fixture
def account() -> str:
    return random_account()


@pytest.fixture
def aws_env(ministack: Ministack, account: str) -> dict[str, str]:
    return aws_environment(ministack.url, account)


@pytest.fixture
def in_aws(aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, too, finds the server and its credentials in its environment."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore rests for a moment between its tries: how often it tries is ours to test, how long it rests is not."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.02)


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
