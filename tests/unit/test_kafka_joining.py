"""A source on its way into its group: how soon it tries again what a cluster refused, and what it says meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import NoReturn

from headrace.testing import FakeClock, virtual
from headrace_connectors.kafka.client import KafkaClient, Membership
from headrace_connectors.kafka.source import JOINS_WITHIN, KafkaSource
from headrace_connectors.kafka.watching import Watch
from support.fake_kafka import FakeKafka, Member, until


@virtual
async def test_a_login_that_is_put_right_works_within_seconds_however_long_it_was_wrong() -> None:
    """Catches: a back-off that grows to 20 s, as where servers are read."""
    loop, tries, enough = asyncio.get_running_loop(), list[float](), asyncio.Event()

    def refused(_: object) -> NoReturn:
        tries.append(loop.time())
        if len(tries) == 50:
            loop.call_soon_threadsafe(enough.set)
        raise ConnectionError("SaslAuthenticationFailedError: the password is wrong")

    opening = replace(Member(FakeKafka(1)).opening, clock=FakeClock())
    source = KafkaSource(opening, join=lambda *_: refused)
    joining = asyncio.ensure_future(anext(source.lanes()))
    await enough.wait()
    joining.cancel()
    await asyncio.wait([joining])
    gaps = [later - one for one, later in pairwise(tries)]
    assert 1 < max(gaps) <= JOINS_WITHIN
    assert (source.condition.state, "password is wrong" in source.condition.reason) == ("unavailable", True)
    await source.close()


async def test_what_kept_it_out_is_not_said_any_more_once_it_is_in_while_the_group_waits_for_others() -> None:
    """Catches: a password that was put right is called wrong for as long as a killed member has its session."""
    fake = FakeKafka(1)
    async with Member(fake) as member:
        await until(lambda: member.sources and member.sources[0].condition.reason)
        condition = member.sources[0].condition
        assert (condition.state, condition.ready) == ("connecting", False)
        assert "it waits for its other members" in condition.reason
        fake.assign(0)
        await until(lambda: member.sources[0].condition.ready)
        assert member.sources[0].condition.reason == ""


async def test_a_group_that_answers_before_who_has_joined_goes_on_is_not_waited_for() -> None:
    """Catches: `connecting`, for ever, of a source that polls."""
    fake, loop = FakeKafka(1), asyncio.get_running_loop()
    fake.session = None  # told of in one line of log, behind what is to be seen here
    member = Member(fake)

    def served(group: Membership) -> KafkaClient:
        loop.call_soon_threadsafe(source.assigned, [])
        return fake.joining(member.opening, Watch())(group)

    source = KafkaSource(member.opening, join=lambda *_: served)
    taking = asyncio.ensure_future(anext(source.lanes()))
    await until(lambda: member.told.of("group.session_unknown"))
    assert (source.condition.state, source.condition.reason) == (
        "polling",
        "other members of the group have every partition",
    )
    taking.cancel()
    await asyncio.wait([taking])
    await source.close()
