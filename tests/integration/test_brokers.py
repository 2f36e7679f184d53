"""The servers of the testbed: they start, answer on loopback alone, and leave nothing behind."""

from __future__ import annotations

from support.kafka import Cluster


def test_topics_are_made_with_their_settings(kafka: Cluster) -> None:
    topic = kafka.topic(3, retention_ms="60000")
    with kafka.admin() as admin:
        (told,) = admin.describe_topics([topic])
    assert len(told["partitions"]) == 3


def test_tansu_too(tansu: Cluster) -> None:
    topic = tansu.topic(2)
    with tansu.admin() as admin:
        (told,) = admin.describe_topics([topic])
    assert len(told["partitions"]) == 2


def test_apache_kafka(apache_kafka: Cluster) -> None:
    apache_kafka.topic(1)
