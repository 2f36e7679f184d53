"""The compose file: the linter takes it, images are pinned, ports are on loopback, and names and ports agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from headrace_connectors.testbed.jars import VERSION
from support.composed import (
    DEFAULT,
    FILE,
    FOLDER,
    ONCE,
    ROOT,
    SERVICES,
    addresses,
    environment,
    inside,
    listeners,
    listens,
    mounted,
)
from support.composed import published as published_ports

CLIENT = shutil.which("docker-compose")
CONFIG = ROOT / "configs" / "compose.yaml"
KAFKA = environment("kafka")
LOCAL = {"127.0.0.1", "localhost"}
CALLED = {inside(f"{address}:{port}") for address, port, _, _ in published_ports()}
LASTING = [name for name in SERVICES if name not in ONCE]


def pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return any(character.isdigit() for character in tag) and "latest" not in tag


@pytest.mark.skipif(
    CLIENT is None and not os.environ.get("CI"),
    reason="docker-compose is not installed (Debian: apt-get install docker-compose); CI always lints",
)
def test_docker_compose_takes_it() -> None:
    """Catches: `depends_on` of a service that is not there; a key that compose does not know."""
    assert CLIENT, "docker-compose is missing in CI; .ci/run installs it"
    done = subprocess.run([CLIENT, "-f", str(FILE), "config", "-q"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_has_every_part_of_the_testbed() -> None:
    """Catches: a service that is taken out, or called otherwise, while README and configs still name it."""
    parts = {name: set(service["profiles"]) for name, service in SERVICES.items()}
    assert parts == {
        "kafka": {"kafka", "app"},
        "kafka-topics": {"kafka", "app"},
        "redis": {"redis", "app"},
        "aws": {"aws", "app"},
        "kinesis": {"aws", "app"},
        "headrace": {"app"},
        "prometheus": {"observe"},
        "grafana": {"observe"},
    }
    assert {"kafka-topics"} == ONCE


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_is_started_with_it(name: str) -> None:
    """Catches: `app` taken from the profiles of redis, so that it alone is refused; headrace before its topics."""
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        assert set(SERVICES[name]["profiles"]) <= set(SERVICES[other]["profiles"]), other
        assert condition == {"condition": "service_completed_successfully" if other in ONCE else "service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """Catches: a tag `latest`, or none."""
    if "image" in SERVICES[name]:
        assert pinned(SERVICES[name]["image"])
        return
    dockerfile = ROOT / SERVICES[name]["build"]["dockerfile"]
    images = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    assert images
    assert all(pinned(image) for image in images)


def test_the_aws_server_is_the_one_that_the_tests_use() -> None:
    """Catches: another version in servers.txt than in the compose file."""
    pins = (ROOT / "tests" / "support" / "servers.txt").read_text().splitlines()
    assert f"ministack=={SERVICES['aws']['image'].rpartition(':')[2]}" in pins


def test_kafka_is_the_one_that_the_tests_use() -> None:
    """Catches: another version in testbed/jars.py; tools of another version than the broker."""
    assert {SERVICES[name]["image"] for name in ("kafka", "kafka-topics")} == {f"apache/kafka:{VERSION}"}


@pytest.mark.parametrize("name", LASTING)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    """Catches: `9092:9092`, which every address of the machine would answer."""
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in SERVICES[name]["ports"])


def test_no_two_services_want_the_same_port() -> None:
    """Catches: Kinesis published on 4566, as in its own documentation of LocalStack."""
    ports = [port for _, port, _, _ in published_ports()]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", LASTING)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    """Catches: a health check that is left out, or that never ends."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert len(check["test"]) > 1
    assert {"interval", "timeout", "retries"} < set(check)


@pytest.mark.parametrize("name", LASTING)
def test_a_health_check_asks_a_port_that_the_service_has(name: str) -> None:
    """Catches: a port changed in `ports` and not in the check, which then never turns well."""
    check = " ".join(SERVICES[name]["healthcheck"]["test"])
    for host, port in re.findall(r"([\w.]+):(\d+)", check):
        assert host in {"127.0.0.1", name}, host
        assert int(port) in listens(name), port


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    """Catches: a file that was renamed; the engine would make an empty folder in its place."""
    assert all(path.exists() for path in mounted(name).values()), mounted(name)


@pytest.mark.parametrize("name", SERVICES)
def test_services_call_each_other_by_name_and_by_a_port_that_is_open(name: str) -> None:
    """Catches: `http://aws:4567`; 127.0.0.1 for another container; kafka:9092, which sends its clients to 127.0.0.1."""
    told = environment(name) | {"command": " ".join(SERVICES[name].get("command", []))}
    for variable, value in told.items():
        for host, port in addresses(value):
            if host in {"127.0.0.1", "0.0.0.0", name}:
                assert port in listens(name), (variable, value)
            else:
                assert f"{host}:{port}" in CALLED, (variable, value)


def test_kafka_is_reached_from_this_machine_and_from_containers() -> None:
    """Catches: HOST advertised as `kafka`, which this machine cannot resolve; INTERNAL as 127.0.0.1."""
    bound, told = listeners("kafka", "KAFKA_LISTENERS"), listeners("kafka", "KAFKA_ADVERTISED_LISTENERS")
    ((address, port, _, inner),) = [one for one in published_ports() if one[2] == "kafka"]
    assert told["HOST"] == (address, port)
    assert bound["HOST"] == ("", inner)
    assert told["INTERNAL"] == ("kafka", bound["INTERNAL"][1])
    assert set(told) == set(bound) - {"CONTROLLER"}
    protocols = dict(pair.split(":") for pair in KAFKA["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(bound)
    assert KAFKA["KAFKA_INTER_BROKER_LISTENER_NAME"] in told
    assert KAFKA["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{KAFKA['KAFKA_NODE_ID']}@kafka:{bound['CONTROLLER'][1]}"


def test_kafka_needs_no_second_broker() -> None:
    """Catches: a topic of Kafka's own that wants three replicas, so that no group or transaction ever comes about."""
    factors = {name: value for name, value in KAFKA.items() if name.endswith(("REPLICATION_FACTOR", "MIN_ISR"))}
    assert len(factors) == 5
    assert set(factors.values()) == {"1"}


def test_headrace_in_its_container_uses_what_the_config_uses_outside() -> None:
    """Catches: a variable of the config that the compose file forgets or sets to another server, queue or port."""
    given = environment("headrace")
    wanted = {name: default for name, default in DEFAULT.findall(CONFIG.read_text()) if "127.0.0.1" in default}
    assert "HEADRACE_LISTEN" in wanted
    for name, default in wanted.items():
        seen = given[name].replace("0.0.0.0", "headrace")
        assert seen == inside(default), name


def test_headrace_is_told_nothing_that_the_config_does_not_ask_for() -> None:
    """Catches: a variable that was renamed in the config only."""
    asked = {name for name, _ in DEFAULT.findall(CONFIG.read_text())}
    assert set(environment("headrace")) - asked == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_headrace_runs_the_config_of_the_testbed() -> None:
    """Catches: a command that names a file which is not mounted."""
    (path,) = [word for word in SERVICES["headrace"]["command"] if word.endswith(".yaml")]
    place, folder = next(iter(mounted("headrace").items()))
    assert folder / Path(path).relative_to(place) == CONFIG


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_configs_name_ports_that_the_testbed_publishes(path: Path) -> None:
    """Catches: another port of the AWS server, of which a config's defaults know nothing."""
    known = {port for _, port, _, _ in published_ports()}
    defaults = [default for _, default in DEFAULT.findall(path.read_text())]
    found = [port for default in defaults for host, port in addresses(default) if host in LOCAL]
    assert found
    assert set(found) <= known


def test_headrace_is_given_longer_to_stop_than_it_takes() -> None:
    """Catches: an engine that kills it in the middle of its drain."""
    drain = yaml.safe_load(CONFIG.read_text())["service"]["drain_timeout"]
    assert int(SERVICES["headrace"]["stop_grace_period"].removesuffix("s")) > drain


def test_headrace_does_not_run_as_root() -> None:
    """Catches: `USER root`, or no USER."""
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}


@pytest.mark.parametrize("name", SERVICES)
def test_the_readme_says_how_each_is_started_and_where_it_is(name: str) -> None:
    """Catches: a service, profile or port that README does not know."""
    readme = (FOLDER / "README.md").read_text()
    assert f"`{name}`" in readme
    assert any(f"--profile {profile} up" in readme for profile in SERVICES[name]["profiles"])
    for _, port, service, _ in published_ports():
        assert service != name or f"127.0.0.1:{port}" in readme
