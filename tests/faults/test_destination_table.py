"""Kafka's rows of the table of docs/destinations.md that take a broker of their own; the others are in integration/."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace_connectors.testbed.apache import ApacheKafka
from support.giving_up import MANY, Giving, down_in_the_middle, held_until_mended, running
from support.kafka import apache
from support.sites_kafka import OwnKafkaSite

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's, of a broker that went away
    pytest.mark.usefixtures("_nothing_left_open", "in_aws"),
]


@pytest.fixture(scope="module")
def broker(needs_apache: None) -> Iterator[ApacheKafka]:
    """To be stopped; it is back when a test has ended."""
    with apache() as server:
        yield server


@pytest.fixture
async def site(broker: ApacheKafka, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OwnKafkaSite]:
    async with OwnKafkaSite(request.getfixturevalue, tmp_path) as made:
        yield made


@pytest.fixture
async def giving_up(site: OwnKafkaSite, new_queue: Callable[..., Awaitable[str]], sqs: Any) -> Giving:
    return partial(running, sqs, await new_queue(visibility_timeout=600), site)


async def test_down_at_the_start(giving_up: Giving, site: OwnKafkaSite) -> None:
    assert await held_until_mended(giving_up, site, site.down(), "down") == [*MANY]


async def test_down_in_the_middle(giving_up: Giving, site: OwnKafkaSite) -> None:
    await down_in_the_middle(giving_up, site)


async def test_late_but_in_time(giving_up: Giving, site: OwnKafkaSite) -> None:
    """Mutation: sent again before the answer had its time."""
    async with giving_up(site.late()) as (mapping, _):
        await mapping.send(MANY)
        assert await mapping.all_there(MANY) == [*MANY]
        assert mapping.view.counts["delivery_errors"] == 0


async def test_no_answer_in_time(giving_up: Giving, site: OwnKafkaSite) -> None:
    """SIGSTOP. Some may be there twice. Mutations: silence taken for a yes; a call without a bound."""
    there = await held_until_mended(giving_up, site, site.silent(), "silent")
    assert {*there} == {*MANY}
