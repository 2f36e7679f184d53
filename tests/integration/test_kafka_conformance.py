"""A Kafka partition's lane is held to the conformance suite, against Apache Kafka and against the broker from PyPI."""

from __future__ import annotations

import pytest

from headrace.testing.conformance import Fences, LaneConformance
from support.kafka import Cluster
from support.kafka_reading import KafkaHarness


class TestOnApacheKafka(LaneConformance, Fences):
    @pytest.fixture
    def harness(self, apache_kafka: Cluster) -> KafkaHarness:
        return KafkaHarness(apache_kafka, promptly=3.0, patience=6.0)


class TestOnTansu(LaneConformance, Fences):
    @pytest.fixture
    def harness(self, tansu: Cluster) -> KafkaHarness:
        return KafkaHarness(tansu, promptly=3.0, patience=6.0)
