"""Enhanced fan-out over a fake that keeps AWS's rules: renewal, cuts, takeovers, refusals, the end, back-pressure."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from itertools import pairwise

import pytest

from headrace.clock import SYSTEM
from headrace.model import LaneEnded
from headrace.observe import log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.testing import virtual
from headrace_connectors.aws import AwsError, AwsSettings
from headrace_connectors.kinesis.consumer import Consumer
from headrace_connectors.kinesis.fanout import Subscription
from headrace_connectors.kinesis.options import KinesisOptions, check
from headrace_connectors.kinesis.stream import Stream
from support.aggregates import aggregate
from support.fake_fanout import CUT, FakeFanout
from support.fake_streams import HANG
from support.kinesis_reading import ids, over, read

SHARD = "shardId-000000000000"
SUBSCRIBE = "SubscribeToShard"
RETENTION = 24 * 3600


@pytest.fixture
def fake():
    fake = FakeFanout()
    fake.register("app")
    return fake


def pushed(fake, **options):
    return over(fake, consumer="app", **options)


async def soon(reader, seconds: float = 30.0) -> list:
    """What is read in so many seconds, until nothing more comes."""
    records: list = []
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                records += await reader.read(10)
    return records


def starts(fake) -> list[dict]:
    return [call.params["StartingPosition"] for call in fake.calls if call.operation == SUBSCRIBE]


async def fill(fake, count, every=1.0) -> list[str]:
    numbers = []
    for index in range(count):
        numbers.append(fake.put("k", f"{index}"))
        await asyncio.sleep(every)
    return numbers


@virtual
async def test_every_position_begins_where_it_says(fake):
    """Catches: after a record that begins with it; a time whose first record is left out."""
    numbers = await fill(fake, 4)
    shards = pushed(fake)
    arrived = fake.shards[SHARD].entries[2].at
    for position, left in (
        (shards.beginning, numbers),
        (shards.at(arrived), numbers[2:]),
        (shards.at(arrived + 0.001), numbers[3:]),
        (shards.sequence(numbers[1]), numbers[1:]),
        (numbers[1], numbers[2:]),
        (numbers[3], []),
    ):
        reader = shards.reader(SHARD, position)
        assert ids(await soon(reader, 12)) == left, position
        await reader.close()
    assert fake.live == 0


@virtual
async def test_what_is_put_is_pushed(fake):
    """No pause between one event and the next. Catches: the pace of polling; a delay of a second at the tip."""
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 5))
    await asyncio.sleep(7)
    begun = fake.clock.boot()
    for _ in range(5):
        fake.put("k", "x")
        await asyncio.sleep(0.25)
    await reading
    assert fake.clock.boot() - begun < 1.5
    await reader.close()


@virtual
async def test_a_subscription_that_ends_is_followed_by_another(fake):
    """Over half an hour and quiet times. Catches: beginning again from the position; from a record of long ago."""
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 20))
    numbers = await fill(fake, 20, every=87)
    assert ids(await reading) == numbers
    assert fake.outcomes(SUBSCRIBE) == ["ok"] * 6
    first, *later = starts(fake)
    assert first == {"Type": "TRIM_HORIZON"}
    assert {start["Type"] for start in later} == {"AFTER_SEQUENCE_NUMBER"}
    assert not {start["SequenceNumber"] for start in later} & set(numbers)  # it moved on without records
    await reader.close()


@virtual
async def test_a_continuation_is_never_a_position(fake):
    """Where it is refused, the last record counts. Catches: a heartbeat's number that is read on from, or committed."""
    number = fake.put("k", "x")
    reader = pushed(fake).reader(SHARD)
    assert {record.token for record in await soon(reader, 290)} == {number}
    fake.faults = [(SUBSCRIBE, AwsError("InvalidArgumentException", "no"))]
    assert await soon(reader, 60) == []
    assert reader.condition.state == "polling"
    assert starts(fake)[-1] == {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": number}
    await reader.close()


@pytest.mark.parametrize("how", [CUT, AwsError("ClientPayloadError", "cut"), AwsError("InternalFailureException", "")])
@virtual
async def test_a_connection_that_is_cut_is_made_again_behind_what_came(fake, how):
    """Catches: records twice or never; a call within the 5 seconds that are barred."""
    fake.meddle = lambda number, _: how if number == 2 else None
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 30))
    numbers = await fill(fake, 30)
    assert ids(await reading) == numbers
    assert set(fake.outcomes(SUBSCRIBE)) == {"ok"}
    assert len(starts(fake)) > 2
    await soon(reader, 5)
    await reader.close()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("ResourceInUseException", "throttled"),
        ("LimitExceededException", "throttled"),
        ("KMSThrottlingException", "throttled"),
        ("KMSDisabledException", "key unavailable"),
        ("KMSAccessDeniedException", "key unavailable"),
        ("AccessDeniedException", "denied"),
        ("InternalFailureException", "unavailable"),
    ],
)
@pytest.mark.parametrize("where", ["call", "event"])
@virtual
async def test_a_refusal_is_a_condition_and_tried_again(fake, code, state, where):
    """As a poller's. Catches: an exception that comes as an event taken for an end, or for a record."""
    number = fake.put("k", "x")
    refused = [AwsError(code, "no")] * 4
    if where == "call":
        fake.faults = [(SUBSCRIBE, one) for one in refused]
    else:
        fake.meddle = lambda *_: refused.pop() if refused else None
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(reader.read(10))
    await asyncio.sleep(0.5)
    assert (reader.condition.state, reader.condition.ready) == (state, False)
    assert code in reader.condition.reason
    assert ids(await reading) == [number]
    assert reader.condition.state == "polling"
    await reader.close()


@virtual
async def test_no_more_than_one_call_a_second(fake):
    """Kinesis' limit a consumer and shard, refused calls included. Catches: back-off alone, which begins with less."""
    fake.put("k", "x")
    fake.faults = [(SUBSCRIBE, AwsError("InternalFailureException", ""))] * 5
    reader = pushed(fake).reader(SHARD)
    await read(reader, 1)
    times = fake.times(SUBSCRIBE)
    assert len(times) == 6
    assert min(later - earlier for earlier, later in pairwise(times)) >= 1
    await reader.close()


@virtual
async def test_two_that_subscribe_as_one_consumer_are_told_so(fake):
    """Each takes it from the other; nothing is lost. Catches: a takeover that is taken for the end."""
    one, other = pushed(fake).reader(SHARD), pushed(fake).reader(SHARD)
    seen = [asyncio.ensure_future(read(reader, 20)) for reader in (one, other)]
    reasons = set()
    numbers = []
    for _ in range(20):
        numbers.append(fake.put("k", "x"))
        for _ in range(10):
            await asyncio.sleep(0.1)
            reasons |= {one.condition.reason, other.condition.reason}
    assert [ids(await reading) for reading in seen] == [numbers, numbers]
    assert any("a consumer is for one mapping" in reason for reason in reasons)
    await one.close()
    await other.close()


@pytest.mark.parametrize("with_records", [True, False])
@virtual
async def test_a_split_shard_ends_after_its_last_record_and_tells_of_its_children(fake, with_records):
    shards = pushed(fake)
    reader = shards.reader(SHARD)
    first = fake.put("k", "first")
    assert ids(await read(reader, 1)) == [first]
    last = [fake.put("k", "last")] if with_records else []
    children = fake.split_shard(SHARD)
    if with_records:
        assert ids(await read(reader, 1)) == last
    for _ in range(2):
        with pytest.raises(LaneEnded):
            await reader.read(10)
    assert [(one.name, one.parents) for one in shards.found] == [(name, (SHARD,)) for name in children]
    await reader.close()


@virtual
async def test_a_reader_at_the_last_record_of_a_closed_shard_finds_its_end(fake):
    """Catches: a position that is never met, since nothing comes behind it."""
    number = fake.put("k", "last")
    fake.split_shard(SHARD)
    reader = pushed(fake).reader(SHARD, number)
    with pytest.raises(LaneEnded):
        await reader.read(10)
    await reader.close()


@virtual
async def test_a_cancelled_read_loses_nothing_and_ends_no_subscription(fake):
    """Catches: a read of the socket that is cancelled with its caller; a subscription for every read."""
    reader = pushed(fake).reader(SHARD)
    records: list = []
    numbers = []
    for turn in range(60):
        reading = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0.01 * (turn % 30))
        numbers.append(fake.put("k", f"{turn}"))
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            records += await reading
    records += await read(reader, len(numbers) - len(records))
    assert ids(records) == numbers
    assert len(starts(fake)) == 1
    await reader.close()


@virtual
async def test_a_read_that_is_cancelled_while_it_subscribes_has_subscribed(fake):
    """Catches: a subscription that every impatient read begins anew, and so none that is ever taken."""
    number = fake.put("k", "x")
    fake.latency = 3.0
    reader = pushed(fake).reader(SHARD)
    records: list = []
    while not records:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.7):
                records += await reader.read(1)
    assert ids(records) == [number]
    assert len(starts(fake)) == 1
    await reader.close()


@virtual
async def test_a_position_that_is_asked_for_twice_is_subscribed_to_twice(fake):
    """Catches: an event that is taken for the word that the subscription stands."""
    number = fake.put("k", "x")
    stream = Stream(KinesisOptions(stream=fake.name), AwsSettings(), lambda: nullcontext(fake), clock=fake.clock)
    consumer = Consumer("app", stream, lambda: nullcontext(fake))
    subscription = Subscription(SHARD, stream, consumer, clock=fake.clock, log=log())
    assert await subscription.iterator(SHARD) == await subscription.iterator(SHARD)
    (record,) = (await subscription.records("TRIM_HORIZON"))["Records"]
    assert record["SequenceNumber"] == number
    await subscription.close()


@virtual
async def test_a_reader_far_behind_reads_as_fast_as_is_pushed(fake):
    """Near the end of retention too. Catches: polling's pace; a subscription for every page, as polling there has."""
    numbers = [fake.put("k", b"x" * 900_000) for _ in range(8)]
    await asyncio.sleep(RETENTION - 300)
    reader = pushed(fake).reader(SHARD)
    begun = fake.clock.boot()
    assert ids(await read(reader, 8)) == numbers
    assert fake.clock.boot() - begun < 1.5
    assert len(starts(fake)) == 1
    await reader.close()


@virtual
async def test_what_waits_to_be_read_is_bounded(fake):
    """Catches: a buffer that takes all that is pushed. When the reader comes back, it finds everything."""
    reader = pushed(fake).reader(SHARD)
    numbers = [fake.put("k", "first")]
    assert ids(await reader.read(10)) == numbers
    before = fake.sent
    numbers += await fill(fake, 400)
    assert fake.sent - before <= 3
    assert ids(await read(reader, 400)) == numbers[1:]
    await reader.close()


@virtual
async def test_a_subscription_that_says_nothing_is_made_anew(fake):
    """A connection that died on its way. Catches: five minutes of silence."""
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 2))
    first = fake.put("k", "x")
    await asyncio.sleep(2)
    fake.silent = True
    await asyncio.sleep(20)
    second = fake.put("k", "y")
    await asyncio.sleep(20)
    fake.silent = False
    async with asyncio.timeout(30):
        assert ids(await reading) == [first, second]
    await reader.close()


@virtual
async def test_a_subscription_that_says_nothing_is_no_reader_at_its_tip(fake):
    """Catches: silence that passes for a tip, behind which the shard is taken to have nothing."""
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(read(reader, 1))
    await asyncio.sleep(20)
    assert reader.condition.ready
    fake.silent = True
    await asyncio.sleep(60)
    assert reader.condition.state == "unavailable"
    reading.cancel()
    await reader.close()


@virtual
async def test_a_call_that_hangs_is_given_up_and_said(fake):
    number = fake.put("k", "x")
    fake.faults = [(SUBSCRIBE, HANG)]
    reader = pushed(fake).reader(SHARD)
    reading = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(35.05)
    assert reader.condition.state == "unavailable"
    assert ids(await reading) == [number]
    await reader.close()


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [{"SequenceNumber": "1"}]}])
@virtual
async def test_an_event_that_is_damaged_is_asked_for_again(fake, event):
    """Catches: going on behind an event that nobody could read."""
    damage = [event] * 2
    number = fake.put("k", "x")

    def meddle(number, told):
        if damage and told["Records"]:
            told.pop("Records")
            told.update(damage.pop())

    fake.meddle = meddle
    reader = pushed(fake).reader(SHARD)
    assert ids(await read(reader, 1)) == [number]
    await reader.close()


@virtual
async def test_a_consumer_that_nobody_registered_is_said_with_its_mend(fake):
    """It goes on trying. Catches: one that is registered by us; an end of the mapping."""
    number = fake.put("k", "x")
    reader = over(fake, consumer="other").reader(SHARD)
    reading = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(60)
    assert reader.condition.state == "missing"
    register = f"aws kinesis register-stream-consumer --stream-arn {fake.arn} --consumer-name other"
    assert register in reader.condition.reason
    fake.register("other", "CREATING")
    await asyncio.sleep(30)
    assert "CREATING" in reader.condition.reason
    fake.register("other")
    assert ids(await reading) == [number]
    assert "RegisterStreamConsumer" not in {call.operation for call in fake.calls}
    await reader.close()


@virtual
async def test_a_consumer_that_is_registered_anew_is_found_under_its_new_arn(fake):
    """Catches: the old ARN for ever; a gap, or an end, because of it."""
    shards = pushed(fake)
    reader = shards.reader(SHARD)
    first = fake.put("k", "x")
    records = await read(reader, 1)
    fake.consumers.clear()
    fake.meddle = lambda *_: None if fake.consumers else AwsError("ResourceNotFoundException", "Consumer is not found.")
    second = fake.put("k", "y")
    reading = asyncio.ensure_future(reader.read(1))
    await asyncio.sleep(30)
    assert reader.condition.state == "missing"
    assert shards.render(records)["Records"][0]["eventSourceARN"].endswith("/consumer/app:0")
    fake.consumers["else"] = ("", "")
    arn = fake.register("app")
    assert ids([*records, *await reading]) == [first, second]
    assert shards.render(records)["Records"][0]["eventSourceARN"] == arn
    await reader.close()


@virtual
async def test_a_consumer_by_its_arn_is_not_asked_for(fake):
    """Catches: a right (kinesis:DescribeStreamConsumer) that is needed for nothing."""
    fake.put("k", "x")
    shards = over(fake, consumer=fake.consumers["app"][0])
    reader = shards.reader(SHARD)
    records = await read(reader, 1)
    assert shards.render(records)["Records"][0]["eventSourceARN"] == fake.consumers["app"][0]
    assert shards.origin(SHARD, records).info["streamArn"] == fake.arn
    assert "DescribeStreamConsumer" not in {call.operation for call in fake.calls}
    await reader.close()


@pytest.mark.parametrize("policy", ["fail", "skip"])
@virtual
async def test_a_trimmed_position_follows_the_same_policy(fake, policy):
    shards = pushed(fake, on_trimmed=policy)
    numbers = await fill(fake, 3)
    await asyncio.sleep(RETENTION - 1.5)
    numbers += await fill(fake, 2)
    reader = shards.reader(SHARD, numbers[0])
    records = await soon(reader, 60)
    if policy == "fail":
        assert records == []
        assert reader.condition.state == "trimmed"
    else:
        assert ids(records) == [str(entry.number) for entry in fake.shards[SHARD].entries]
        assert shards.tallies[SHARD].lost_to_retention == 1
    await reader.close()


@pytest.mark.parametrize("policy", ["fail", "skip"])
@virtual
async def test_a_shard_that_went_while_nothing_could_be_read_follows_it_too(fake, policy):
    """Catches: a subscription that is renewed for ever from a shard that is no more."""
    shards = pushed(fake, on_trimmed=policy)
    reader = shards.reader(SHARD)
    fake.put("k", "x")
    await read(reader, 1)
    fake.meddle = lambda *_: CUT
    fake.faults = lambda operation, _: AwsError("InternalFailureException", "") if operation == SUBSCRIBE else None
    await soon(reader, 60)
    fake.split_shard(SHARD)
    await asyncio.sleep(RETENTION + 60)
    fake.faults = []
    if policy == "fail":
        await soon(reader, 60)
        assert reader.condition.state == "trimmed"
    else:
        with pytest.raises(LaneEnded):
            await soon(reader, 60)
        assert shards.tallies[SHARD].lost_to_retention == 1
    await reader.close()


@virtual
async def test_a_deleted_stream_is_missing_and_no_gap(fake):
    shards = pushed(fake, on_trimmed="skip")
    reader = shards.reader(SHARD)
    fake.put("k", "x")
    await read(reader, 1)
    fake.meddle = lambda *_: AwsError("ResourceNotFoundException", "gone")
    fake.delete()
    await soon(reader, 60)
    assert reader.condition.state == "missing"
    assert shards.tallies[SHARD].lost_to_retention == 0
    await reader.close()


@virtual
async def test_aggregates_are_taken_apart_too(fake):
    number = fake.put("k", aggregate([("a", None, b"one"), ("b", None, b"two")]))
    reader = pushed(fake, deaggregate=True).reader(SHARD)
    records = await read(reader, 2)
    assert [(one.id, one.key, one.raw["Data"]) for one in records] == [(number, "a", "b25l"), (number, "b", "dHdv")]
    await reader.close()


@virtual
async def test_closing_hangs_up(fake):
    """Catches: a task, and a connection, that outlive their reader."""
    reader = pushed(fake).reader(SHARD)
    await soon(reader, 3)
    assert fake.live == 1
    await reader.close()
    await reader.close()
    assert fake.live == 0


STREAM = "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks"


@pytest.mark.parametrize("consumer", ["app", f"{STREAM}/consumer/app:1750000000"])
@pytest.mark.parametrize("stream", ["clicks", STREAM])
def test_a_consumer_is_given_by_name_or_arn(stream, consumer):
    assert not [fault for fault in faults(stream=stream, consumer=consumer) if fault.path == "source.consumer"]


@pytest.mark.parametrize("consumer", ["", "a/b", f"{STREAM}/consumer", STREAM])
def test_what_is_no_consumer_is_refused(consumer):
    with pytest.raises(ValueError, match="consumer's name"):
        KinesisOptions(stream="clicks", consumer=consumer)


@pytest.mark.parametrize("stream", ["others", STREAM.replace("clicks", "others"), STREAM.replace("eu-", "us-")])
def test_a_consumer_of_another_stream_is_refused(stream):
    (fault,) = [f for f in faults(stream=stream, consumer=f"{STREAM}/consumer/app:1") if f.path == "source.consumer"]
    assert stream in fault.message


def faults(**options):
    opening = Opening(
        service="s",
        mapping="m",
        settings=MappingSettings(starting_position="LATEST"),
        options=KinesisOptions(**options),
        sections={},
        function_timeout=3,
        log=None,
        clock=SYSTEM,
    )
    return list(check(opening))
