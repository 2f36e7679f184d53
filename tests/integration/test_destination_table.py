"""Every kind of destination on a real server, with everything that can befall it: the table of docs/destinations.md.

A mapping, run by the service's own code, gives up what a queue has. Mutations, in every kind: dropped, or deleted
before it is confirmed; CONFIRMED unasked; a client that stays broken; the handler run again meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import Said
from support.giving_up import MANY, WITHIN, Giving, down_in_the_middle, held_until_mended, numbers, running
from support.places import KINDS
from support.redis import Valkey
from support.servers import Ministack
from support.sites import Site
from support.sites_aws import AwsSite
from support.sites_here import FileSite, HttpSite
from support.sites_kafka import KafkaSite
from support.sites_redis import FunctionSite, RedisSite

NewQueue = Callable[..., Awaitable[str]]
ONE = 3
OTHERS = [number for number in MANY if number != ONE]
"""One of them is spoilt, or too large."""

ELSEWHERE: dict[str, Callable[..., Site]] = {
    "function": FunctionSite,
    "kafka": KafkaSite,
    "redis": RedisSite,
    "http": HttpSite,
    "file": FileSite,
}

pytestmark = [
    pytest.mark.usefixtures("in_aws", "soon_again"),
    pytest.mark.filterwarnings("ignore:Sending a large body"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's
]
every = pytest.mark.parametrize("kind", [*KINDS, *ELSEWHERE])
but_kafka = pytest.mark.parametrize("kind", [one for one in (*KINDS, *ELSEWHERE) if one != "kafka"])
"""A broker that starts and stops is a matter of seconds: tests/faults/test_destination_table.py; what it takes at most
depends on how small it gets: test_kafka_destination.py.
"""


@pytest.fixture(scope="session")
def own_ministack() -> Iterator[Ministack]:
    """To be stopped; it is back when a test has ended."""
    with Ministack() as server:
        yield server


@pytest.fixture(scope="session")
def kept_ministack() -> Iterator[Ministack]:
    """The same, and it has then all that it had."""
    with Ministack(persist=True) as server:
        yield server


@pytest.fixture(scope="session")
def own_valkey() -> Iterator[Valkey]:
    with Valkey(persist=True) as server:
        yield server


@pytest.fixture
async def site(kind: str, account: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    find = request.getfixturevalue
    made = ELSEWHERE[kind](find, tmp_path) if kind in ELSEWHERE else AwsSite(find, tmp_path, kind, account)
    async with made:
        yield made


@pytest.fixture
def lowered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.lower(monkeypatch)


@pytest.fixture
async def giving_up(site: Site, new_queue: NewQueue, sqs: Any) -> Giving:
    queue = await new_queue(visibility_timeout=600)
    return partial(running, sqs, queue, site)


@but_kafka
async def test_down_at_the_start(giving_up: Giving, site: Site) -> None:
    assert await held_until_mended(giving_up, site, site.down(), "down") == [*MANY]


@but_kafka
async def test_down_in_the_middle(giving_up: Giving, site: Site) -> None:
    await down_in_the_middle(giving_up, site)


@but_kafka
async def test_late_but_in_time(giving_up: Giving, site: Site) -> None:
    """Mutation: sent again before the answer had its time."""
    async with giving_up(site.late()) as (mapping, _):
        await mapping.send(MANY)
        assert await mapping.all_there(MANY) == [*MANY]
        assert mapping.view.counts["delivery_errors"] == 0


@but_kafka
async def test_no_answer_in_time(giving_up: Giving, site: Site) -> None:
    """It is sent again, and counts as confirmed once. Mutations: silence taken for a yes; a call without a bound."""
    there = await held_until_mended(giving_up, site, site.unheard(), "silent")
    assert {*there} == {*MANY}
    assert not site.once or there == [*MANY]


@every
async def test_a_part_is_taken(giving_up: Giving, site: Site) -> None:
    """Every entry of the answer is read. Mutations: one answer for all; what is not named taken for a yes."""
    async with giving_up(site.partly()) as (mapping, fate):
        await mapping.send(OTHERS)
        await mapping.send([ONE], site.spoilt)
        await mapping.says(site.partly_is, site.why["partly"])
        await mapping.confirmed(site.some)
        assert mapping.view.counts["delivered"] < len(MANY)
        await fate.aclose()
        some = MANY if site.mends else OTHERS
        assert {*await (mapping.all_there(some) if site.mends else mapping.seen(some))} == {*some}
    assert {mapping.tries[number] for number in OTHERS} == {1}


@but_kafka
@pytest.mark.usefixtures("lowered")
async def test_exactly_what_it_takes_and_a_byte_more(site: Site) -> None:
    """Mutation: the limit itself refused, or what is beyond it sent to whoever would cut it off."""
    size = (site.limit or 5_000_000) - site.frame
    async with site.opened() as send:
        taken, beyond = await send([sized(size), sized(size + 1)])
    assert taken.said is Said.CONFIRMED
    assert (beyond.said is Said.CONFIRMED) is (site.limit is None)
    (found, *more) = await arrived(site)
    assert len(json.dumps(found, separators=(",", ":"))) == size
    assert len(more) == (site.limit is None)


async def arrived(site: Site) -> list[Any]:
    async with asyncio.timeout(WITHIN):
        while not (found := await site.found()):
            await asyncio.sleep(0.05)
        return found


def sized(size: int) -> bytes:
    """A record of so many bytes."""
    frame = len('{"x":""}')
    return b'{"x":"%s"}' % (b"x" * (size - frame))


@every
@pytest.mark.usefixtures("lowered")
async def test_too_large_is_left_in_its_queue(giving_up: Giving, site: Site) -> None:
    """Mutations: dropped; sent without its payload; held in the way of the others."""
    async with giving_up() as (mapping, _):
        await mapping.send([ONE], site.large)
        await mapping.send(OTHERS)
        if site.limit is None:
            assert await mapping.all_there(MANY) == [*MANY]
            return
        await mapping.says("refused", site.why["large"])
        assert await mapping.seen(OTHERS) == OTHERS
        await mapping.confirmed(len(OTHERS))
        assert await mapping.left() == 1


@every
@pytest.mark.usefixtures("lowered")
async def test_too_large_with_a_claim_check(giving_up: Giving, site: Site) -> None:
    """Mutations: told of before it is kept; kept without its payload; the others kept too."""
    claims = site.folder / "claims"
    async with giving_up(claim_check={"type": "file", "path": str(claims)}) as (mapping, _):
        await mapping.send(OTHERS)
        await mapping.send([ONE], site.large)
        await mapping.confirmed(len(MANY))
        told = await mapping.records(len(MANY))
    kept = [Path(one["claimCheck"]["path"]) for one in told if "claimCheck" in one]
    assert numbers(told) == (OTHERS if site.limit else [*MANY])
    assert numbers([json.loads(one.read_text()) for one in kept]) == ([ONE] if site.limit else [])
    assert set(mapping.tries.values()) == {1}


@every
async def test_denied(giving_up: Giving, site: Site) -> None:
    """The right that is missing is named, and with it all is taken. Mutation: REFUSED for what is mended tomorrow."""
    assert await held_until_mended(giving_up, site, site.denied(), "denied") == [*MANY]
