"""Replay where who comes must say who it is: Kafka over TLS with a login; Redis behind a sentinel and in a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisCluster

from support.command import Project
from support.command import project as made
from support.kafka_secured import PASSWORD, USER, Secured
from support.kafka_sending import all_of
from support.letters import failure, message
from support.redis import Cluster, Sentinel, Valkey, wait_until
from support.replaying import Shop, bodies, destination, produce, values, without_payload
from support.servers import REGION

QUEUE = {"type": "sqs", "queue_url": f"https://sqs.{REGION}.amazonaws.com/000000000000/orders"}
PLANTED = "se#cret:@/planted"
IN_A_URL = "se%23cret%3A%40%2Fplanted"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with made(tmp_path) as one:
        yield one


async def test_letters_in_a_topic_and_a_stretch_of_one_over_tls_with_a_login(
    project: Project, secured_kafka: Secured
) -> None:
    """The config's section leads to the letters, to their records, and back to their topic. Mutations: any of the
    three without it; the password in what is said of a refusal."""
    plain = secured_kafka.plain
    topic, dead = plain.topic(), plain.topic()
    produce(plain, topic, *"abc", key=b"k")
    produce(plain, dead, without_payload(topic, 1, 2))
    login = {
        "bootstrap_servers": secured_kafka.addresses["SASLTLS"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(secured_kafka.ca),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": USER,
    }
    source = {"payments": {"type": "kafka", "topics": [topic]}}
    more = {"starting_position": "LATEST", **destination(type="kafka", topic=dead)}
    shop = Shop(project, source, sections={"kafka": {**login, "sasl_password": PASSWORD}}, **more)
    status, said = shop.replay("payments")
    assert (status, values(shop)) == (0, ["b", "c"]), said
    status, said = shop.replay(f"kafka://{dead}", "--restart", "--to", "source")
    assert status == 0, said
    *_, last = await all_of(plain.bootstrap_servers, topic)
    assert (last.offset, last.key, last.value) == (4, b"k", b"c")
    status, said = shop.replay("payments", "--range", "TRIM_HORIZON..LATEST")
    assert (status, values(shop)) == (0, ["a", "b", "c", "b", "c"]), said
    other = Shop(project, source, sections={"kafka": {**login, "sasl_password": PLANTED}}, **more)
    status, said = other.replay("payments")
    assert (status, PLANTED in said, "Traceback" in said) == (1, False, False), said
    assert f"check sasl_username ({USER}) and sasl_password" in said


@contextmanager
def behind_a_sentinel() -> Iterator[tuple[str, Any]]:
    """Sentinel and primary each want the password."""
    with Valkey() as primary, Sentinel(primary) as sentinel:
        wait_until(lambda: "flags=master," in sentinel.ask("INFO", "sentinel") or "status=ok" in sentinel.ask("INFO"))
        sentinel.ask("SENTINEL", "SET", "shop", "auth-pass", PLANTED)
        sentinel.ask("ACL", "SETUSER", "default", "resetpass", f">{PLANTED}")
        primary.ask("CONFIG", "SET", "requirepass", PLANTED)
        url = sentinel.url.replace("://", f"://:{IN_A_URL}@")
        with Redis(port=primary.port, password=PLANTED) as client:
            yield f"{url}?sentinel_password={IN_A_URL}", client


@contextmanager
def in_a_cluster() -> Iterator[tuple[str, Any]]:
    with Cluster() as cluster:
        for node in cluster.nodes:
            node.ask("CONFIG", "SET", "requirepass", PLANTED)
        with RedisCluster("127.0.0.1", cluster.nodes[0].port, password=PLANTED) as client:
            yield cluster.url.replace("://", f"://:{IN_A_URL}@"), client


@pytest.mark.parametrize("place", [behind_a_sentinel, in_a_cluster])
def test_a_redis_stream_behind_a_sentinel_and_in_a_cluster(project: Project, place: Any) -> None:
    """By its address, and as the mapping's destination. Mutations: one server alone is understood; a password that is
    not taken as it was meant, or is told."""
    with place() as (url, client):
        for number, body in enumerate(["good", "bad"]):
            client.xadd("dead", {"body": json.dumps(failure(message(f"m{number}", body)))})
        shop = Shop(project, {"orders": QUEUE})
        status, refused = shop.replay(f"{url.replace(IN_A_URL, f'{IN_A_URL}2')}#dead")
        assert (status, bodies(shop), "Traceback" in refused) == (1, [], False), refused
        assert "correct user and password" in refused
        status, said = shop.replay(f"{url}#dead")
        assert (status, bodies(shop), client.xlen("dead")) == (1, ["good", "bad"], 2), said
        shop = Shop(project, {"orders": QUEUE}, **destination(type="redis", url=url, stream="dead"))
        status, more = shop.replay("orders", "--delete", "--edit", '.body = "mended"')
        assert (status, bodies(shop), client.xlen("dead")) == (0, ["mended"], 0), more
        assert "planted" not in refused + said + more
