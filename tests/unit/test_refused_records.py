"""A shard whose records are refused while its stream is listed still: what it was read to, nobody knows any more."""

from __future__ import annotations

import asyncio

from headrace.testing import virtual
from headrace_connectors.aws import AwsError
from support.fake_fleets import KinesisFleet
from support.fake_kinesis import FakeKinesis

DENIED = AwsError("AccessDeniedException", "kms:Decrypt is not allowed")


def refuse(fake: FakeKinesis) -> None:
    fake.faults = lambda operation, _: DENIED if operation == "GetRecords" else None


@virtual
async def test_what_came_while_records_were_refused_is_not_passed_by_a_rest() -> None:
    """Nothing was polled for ten minutes, and the reader was at its tip when it was answered last.

    Mutation: a rest that does not ask whether the reader is answered still: whoever reads the shard next begins behind
    what came meanwhile.
    """
    fake = FakeKinesis()
    fleet = KinesisFleet(fake)
    one = fleet.worker("a").start()
    fake.put("k", "first")
    await fleet.until(lambda: fleet.names() == ["first"])
    await asyncio.sleep(300)
    refuse(fake)
    await asyncio.sleep(200)
    fake.put("k", "second")
    await asyncio.sleep(1800)
    await one.kill()
    fake.faults = []
    two = fleet.worker("b").start()
    await fleet.until(lambda: "second" in fleet.names())
    await two.stop()


@virtual
async def test_a_shard_whose_records_are_refused_is_not_idle() -> None:
    """Mutation: its last tip is taken for its tip."""
    fake = FakeKinesis()
    fleet = KinesisFleet(fake)
    one = fleet.worker("a").start()
    fake.put("k", "first")
    await fleet.until(lambda: fleet.names() == ["first"])
    await asyncio.sleep(5)
    assert await one.mapping.idle()
    refuse(fake)
    fake.put("k", "second")
    await asyncio.sleep(60)
    assert not await one.mapping.idle()
    await one.stop()
