"""What talks to servers is imported when one is opened: no other command loads a client library."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headrace
import headrace_connectors
from headrace.late import Late

CLIENTS = {"aiobotocore", "botocore", "aiohttp", "kafka", "confluent_kafka", "redis"}

SCRIPT = """
import json, sys
from headrace.cli.main import main
status = main(sys.argv[1:])
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

CONFIG = """
service: {name: shop, state: "STATE"}
functions: {f: {handler: json.dumps}}
mappings:
  sqs:
    source: {type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}
    function: f
    maximum_retry_attempts: 1
    destination_config: {on_failure: {destination: "arn:aws:sqs:eu-central-1:123456789012:failed"}}
  kinesis:
    source: {type: kinesis, stream: clicks}
    function: f
    starting_position: LATEST
    destination_config: {on_failure: {destination: "arn:aws:sns:eu-central-1:123456789012:failed"}}
  dynamodb:
    source: {type: dynamodb, table: stock}
    function: f
    starting_position: LATEST
    destination_config: {on_failure: {destination: {type: s3, bucket: failed}}}
  kafka:
    source: {type: kafka, bootstrap_servers: "localhost:9092", topics: [payments], client: confluent}
    function: f
    starting_position: LATEST
    destination_config: {on_failure: {destination: "kafka://failed"}}
  schedule:
    source: {type: schedule, schedule_expression: rate(1 hour)}
    function: f
    destination_config: {on_failure: {destination: {type: file, path: failed.jsonl}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Every kind of source, and every kind of destination that has a server."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.replace("STATE", "redis://localhost"))
    return file


def carried_out(*arguments: str | Path) -> tuple[int, set[str]]:
    """The exit status of a command line, and the packages that it had imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=120
    )
    status, packages = json.loads(done.stdout.splitlines()[-1])
    return status, set(packages)


@pytest.mark.parametrize(
    "words",
    ["check CONFIG", "explain --offline CONFIG", "schema", "connectors", "testbed --help", "testbed diff CONFIG"],
)
def test_a_command_that_opens_nothing_loads_no_client(words: str, config: Path) -> None:
    """Mutation: `from headrace_connectors.kafka.source import KafkaSource` at the top of its registration."""
    status, packages = carried_out(*(config if word == "CONFIG" else word for word in words.split()))
    assert status == 0
    assert not packages & CLIENTS


def test_status_of_a_ledger_in_sqlite_loads_no_client(config: Path, tmp_path: Path) -> None:
    """Mutation: a catalog that names the ledger in Redis by its class."""
    config.write_text(CONFIG.replace("STATE", f"sqlite:{tmp_path / 'state.db'}"))
    _, packages = carried_out("status", config)
    assert not packages & CLIENTS


def test_what_a_command_does_not_print_it_does_not_load(config: Path) -> None:
    """Mutation: every command's module is imported for each of them."""
    _, packages = carried_out("check", config)
    assert not packages & {"prometheus_client", "http.server"}


def test_the_pollers_are_there_by_their_names_and_load_no_client() -> None:
    """Mutation: a name that is listed and leads nowhere."""
    script = (
        "import sys\nfrom headrace_connectors import *\n"
        "pollers = DynamoDBStreamsPoller, KafkaPoller, KinesisPoller, SchedulePoller, SqsPoller\n"
        "print(*[one.__name__ for one in pollers])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    names, packages = done.stdout.splitlines()
    assert names.split() == headrace_connectors.__all__
    assert not CLIENTS.intersection(packages.split())
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = headrace_connectors.Nothing


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sqs", {"queue_arn": "arn:aws:sqs:eu-central-1:123456789012:failed"}),
        ("sns", {"topic_arn": "arn:aws:sns:eu-central-1:123456789012:failed"}),
        ("s3", {"bucket": "failed"}),
    ],
)
def test_a_destination_has_its_client_before_its_first_message(kind: str, options: dict[str, str]) -> None:
    """It connects with that: no time for imports. Mutation: an `__init__` that makes nothing ready."""
    script = (
        "import sys\nfrom headrace_connectors.catalog import catalog\nfrom support.messages import opening\n"
        f"kind = next(one for one in catalog.destinations if one.type == {kind!r})\n"
        "before = 'botocore' in sys.modules\n"
        f"kind.open(opening(), kind.options(**{options!r}))\n"
        "print(before, 'botocore' in sys.modules)"
    )
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "True"]


def named() -> list[str]:
    """Every name in the code that is imported late."""
    folders = [Path(package.__file__ or "").parent for package in (headrace, headrace_connectors)]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    return sorted({name for file in files for name in re.findall(r'Late\(\s*"([^"]+)"', file.read_text())})


@pytest.mark.parametrize("name", named())
def test_every_name_means_something(name: str) -> None:
    """Mutation: KafkaSource under another name."""
    assert callable(Late(name).load())


def test_there_are_names() -> None:
    """Mutation: a look at the wrong folders."""
    assert "headrace_connectors.kafka.source:KafkaSource" in named()
