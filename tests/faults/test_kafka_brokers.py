"""An Apache Kafka that is stopped, started again and held up, while a source reads and a destination writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from headrace.destination import CONFIRMED, Destination, Said
from headrace_connectors.testbed.apache import ApacheKafka
from support.kafka import Cluster, apache
from support.kafka_members import produce
from support.kafka_polling import Handled, at_rest, committed, running, until
from support.kafka_sending import all_of, failing, opened
from support.messages import message

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's, of a broker that went away
    pytest.mark.usefixtures("_nothing_left_open"),
]


@pytest.fixture
def broker(needs_apache: None) -> Iterator[ApacheKafka]:
    """One of this test's own, running, to be stopped."""
    with apache() as server:
        yield server


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
async def test_a_broker_that_starts_again_costs_nothing(broker: ApacheKafka, client: str) -> None:
    """Mutations: a poll that ends with its first error; what was lost read from the end."""
    cluster = Cluster(broker.bootstrap_servers)
    topic, group, servers = cluster.topic(2), cluster.group(), cluster.bootstrap_servers
    produce(servers, topic, {0: 50, 1: 50})
    handled = Handled()
    async with running(servers, topic, group, handled, client=client) as poller:
        await until(lambda: len(handled.records) == 100)
        await asyncio.to_thread(broker.stop)
        await until(lambda: poller.condition.state == "unavailable")
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(produce, servers, topic, {0: 50, 1: 50})
        await until(lambda: len(set(handled.places)) == 200, 120)
        await until(lambda: poller.condition.state == "polling")
        await at_rest(poller)
    assert committed(cluster, group, topic) == {0: 100, 1: 100}


async def test_a_broker_that_is_down_at_the_start_holds_the_position(broker: ApacheKafka) -> None:
    """Mutation: a producer that could not be made is not made again."""
    topic = Cluster(broker.bootstrap_servers).topic()
    broker.stop()
    async with opened(broker.bootstrap_servers, topic) as destination:
        rig, log = failing(destination, "abc")
        async with asyncio.timeout(120), rig.running() as running:
            await until(lambda: rig.work.unsent.condition(0.0))
            assert (rig.tally.delivered, log.position) == (0, None)
            assert "cannot be reached at 127.0.0.1:" in str(rig.work.unsent.condition(0.0))
            await asyncio.to_thread(broker.start)
            await running
    assert len(await all_of(broker.bootstrap_servers, topic)) == 3
    assert (rig.tally.delivered, log.finished) == (3, True)


async def test_a_broker_that_goes_down_in_the_middle_loses_nothing(broker: ApacheKafka) -> None:
    """Stopped, then started again with its data. Mutation: a producer kept after it failed for good."""
    topic = Cluster(broker.bootstrap_servers).topic()
    async with opened(broker.bootstrap_servers, topic) as destination:
        assert await destination.send([message("a", b"1", key="k")]) == [CONFIRMED]
        broker.stop()
        (reply,) = await destination.send([message("b", b"2", key="k")])
        assert (reply.said, reply.reason[:20]) == (Said.FAILED, "cannot be reached at")
        await asyncio.to_thread(broker.start)
        assert await eventually(destination, message("b", b"2", key="k"))
    found = [one.value for one in await all_of(broker.bootstrap_servers, topic)]
    assert found[0] == b"1"
    assert set(found) == {b"1", b"2"}


async def test_a_broker_that_hangs_is_no_answer_and_the_loop_goes_on(broker: ApacheKafka) -> None:
    """SIGSTOP. Mutations: the producer called on the loop; waited for without an end."""
    topic = Cluster(broker.bootstrap_servers).topic()
    async with opened(broker.bootstrap_servers, topic) as destination:
        assert await destination.send([message("a", b"1")]) == [CONFIRMED]
        broker.pause()
        try:
            sending = asyncio.ensure_future(destination.send([message("b", b"2"), message("c", b"3")]))
            beats = 0
            async with asyncio.timeout(60):
                while not sending.done():
                    await asyncio.sleep(0.01)
                    beats += 1
        finally:
            broker.resume()
        assert {one.said for one in await sending} == {Said.FAILED}
        assert beats > 100
        assert await eventually(destination, message("b", b"2"))
    assert {b"1", b"2"} <= {one.value for one in await all_of(broker.bootstrap_servers, topic)}


async def eventually(destination: Destination, one: Any) -> bool:
    """Sent again until it is taken, as the engine does."""
    async with asyncio.timeout(90):
        while (await destination.send([one]))[0].said is not Said.CONFIRMED:
            await asyncio.sleep(0.2)
    return True
