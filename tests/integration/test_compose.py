"""The compose file: the linter takes it, every image is pinned, every port is published on loopback only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import install

COMPOSE = Path(__file__).parents[2] / "compose"
FILE = COMPOSE / "docker-compose.yaml"
SERVICES = yaml.safe_load(FILE.read_text())["services"]
CLIENT = shutil.which("docker-compose")


def pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return any(character.isdigit() for character in tag) and "latest" not in tag


@pytest.mark.skipif(
    CLIENT is None and not os.environ.get("CI"),
    reason="docker-compose is not installed (Debian: apt-get install docker-compose); CI always lints",
)
def test_docker_compose_takes_it() -> None:
    assert CLIENT, "docker-compose is missing in CI; .ci/run installs it"
    done = subprocess.run([CLIENT, "-f", str(FILE), "config", "-q"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_has_redis_the_sqs_server_and_headrace() -> None:
    assert set(SERVICES) == {"redis", "sqs", "headrace"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    if "image" in SERVICES[name]:
        assert pinned(SERVICES[name]["image"])
        return
    dockerfile = COMPOSE.parent / SERVICES[name]["build"]["dockerfile"]
    images = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    assert images
    assert all(pinned(image) for image in images)


def test_the_sqs_server_is_the_one_that_the_tests_use() -> None:
    pins = (Path(__file__).parents[1] / "support" / "servers.txt").read_text().splitlines()
    assert f"ministack=={SERVICES['sqs']['image'].rpartition(':')[2]}" in pins


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert SERVICES[name]["ports"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


async def test_the_queues_that_headrace_asks_for_are_created(sqs: Any, aws_env: dict[str, str]) -> None:
    python = install.ensure() / "python"
    subprocess.run([python, COMPOSE / "ready.d" / "queues.py"], env=aws_env, check=True)
    name = SERVICES["headrace"]["environment"]["ORDERS_QUEUE_URL"].rpartition("/")[2]
    url = (await sqs.get_queue_url(QueueName=name))["QueueUrl"]
    attributes = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    policy = json.loads(attributes["RedrivePolicy"])
    assert attributes["VisibilityTimeout"] == "5"
    assert (policy["maxReceiveCount"], policy["deadLetterTargetArn"].rpartition(":")[2]) == (3, "orders-dlq")


def test_headrace_does_not_run_as_root() -> None:
    lines = (COMPOSE / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}
