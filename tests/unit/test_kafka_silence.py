"""How long a member by kafka-python believes that it is counted in, by what its coordinator was last heard of."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from headrace_connectors.kafka.kafka_python import KafkaPythonClient


class Coordinator:
    """As kafka-python's, of which the client reads these."""

    def __init__(self) -> None:
        self.rebalancing = False
        self.heartbeat = SimpleNamespace(last_send=0.0, last_receive=0.0, last_reset=0.0)

    def rebalance_in_progress(self) -> bool:
        return self.rebalancing


@pytest.fixture
def client() -> Any:
    made: Any = object.__new__(KafkaPythonClient)
    made._consumer = SimpleNamespace(_coordinator=Coordinator())
    made._heard = made._settled = time.monotonic() - 500
    made._longest_rebalance = 100.0
    return made


def test_it_counts_from_the_sending_of_what_was_answered(client: Any) -> None:
    """Mutation: from the sending of what was not."""
    beats, now = client._consumer._coordinator.heartbeat, time.monotonic()
    beats.last_send, beats.last_receive = now - 20, now - 19
    assert client.silence() == pytest.approx(20, abs=1)
    beats.last_send = now - 1
    assert client.silence() == pytest.approx(20, abs=1)


def test_a_rebalance_counts_as_heard_for_as_long_as_the_group_may_wait(client: Any) -> None:
    """Mutation: for ever: a member that is stuck in joining says nothing, and is never made anew."""
    coordinator = client._consumer._coordinator
    coordinator.heartbeat.last_send, coordinator.heartbeat.last_receive = 0.0, 0.0
    client.silence()
    coordinator.rebalancing = True
    assert client.silence() == 0
    client._settled = time.monotonic() - 101
    client._heard = time.monotonic() - 30
    assert client.silence() == pytest.approx(30, abs=1)
