"""One mapping: what nobody expected is told with its reason, and begun again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from headrace.filters import View
from headrace.functions import Function
from headrace.mapping import Mapping
from headrace.model import Keep, Record, Unreadable
from headrace.plugins import Connector, Opening, Probe
from headrace.settings import MappingSettings, ScalingConfig, Settings
from headrace.testing import FakeClock, MemoryQueue, MemoryQueueLane, virtual
from support.onelane import Source, Told


def mapping_of(
    source: Source, handler: Any, keep: Keep | None = None, view: Any = None, **settings: Any
) -> tuple[Mapping, Told]:
    told = Told()

    async def probe(_: Opening) -> Probe:
        return Probe()

    connector = Connector(
        type="memory",
        summary="",
        options=Settings,
        traits=MemoryQueueLane(source.queue).traits,
        open=lambda _: source,
        probe=probe,
        keep=lambda _: keep,
        view=view,
    )
    opening = Opening(
        service="s",
        mapping="m",
        settings=MappingSettings(batch_size=1, scaling_config=ScalingConfig(maximum_concurrency=2), **settings),
        options=Settings(),
        sections={},
        function_timeout=3,
        log=told,
        clock=FakeClock(),
    )
    return Mapping(connector, opening, Function.of("f", handler, timeout=3)), told


async def nothing(event: Any, context: Any) -> None:
    pass


@virtual
async def test_a_failure_is_told_every_time_with_its_own_reason() -> None:
    """Catches: "ExceptionGroup: unhandled errors", said once in ten times; a back-off that grows over days."""
    source = Source(MemoryQueue(), dies_after=86_400)
    mapping, told = mapping_of(source, nothing)
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(12.5 * 86_400)
    assert [line["error"] for line in told.of("mapping.failed")] == ["LookupError: what nobody expected"] * 12
    assert source.opened == 13
    mapping.stop(1)
    await running


class Deaf(Source):
    """Looks for lanes in a way that swallows the first cancellation, as a client library's time-out may."""

    async def lanes(self) -> AsyncIterator[Any]:
        yield MemoryQueueLane(self.queue)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        while True:
            await asyncio.sleep(10)


@virtual
async def test_a_stop_ends_it_though_a_cancellation_was_swallowed() -> None:
    """Seen with Kinesis: a copy that was stopping took shards to its end. Catches: a source that is cancelled once."""
    mapping, _ = mapping_of(Deaf(MemoryQueue()), lambda event, context: None)
    async with asyncio.timeout(60):
        running = asyncio.create_task(mapping.run())
        await asyncio.sleep(5)
        mapping.stop(5)
        await running


@virtual
async def test_while_it_fails_at_once_it_backs_off_and_says_why() -> None:
    source = Source(MemoryQueue(), dies_after=0)
    mapping, told = mapping_of(source, nothing)
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(600)
    assert 20 < source.opened < 200
    assert len(told.of("mapping.failed")) == source.opened
    assert mapping.condition.reason == "LookupError: what nobody expected"
    mapping.stop(1)
    await running


@virtual
async def test_a_message_that_cannot_be_rendered_costs_its_batch_and_not_the_lane() -> None:
    queue = MemoryQueue(visibility=30)
    queue.send(["a"])
    source = Source(queue, odd=True)
    mapping, told = mapping_of(source, nothing)
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(100)
    assert source.opened == 1
    assert len(queue.deliveries) > 1
    assert told.of("batch.unrenderable")
    mapping.stop(1)
    await running


@virtual
async def test_a_lane_whose_every_place_is_held_by_hung_calls_says_so() -> None:
    queue = MemoryQueue(visibility=30)
    queue.send(["a"])
    mapping, _ = mapping_of(Source(queue), nothing)
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(1)
    (lane,) = mapping.lanes.values()
    assert mapping.condition.ready
    lane.work.slots.hung = 2
    assert mapping.condition.state == "stuck"
    assert "all 2 places" in mapping.condition.reason
    mapping.stop(1)
    await running


@virtual
async def test_what_the_connector_does_not_keep_is_settled_without_a_handler() -> None:
    """Catches: `Connector.keep` not asked."""
    queue = MemoryQueue()
    queue.send(["a", "not for a handler", "b"])
    seen: list[str] = []

    async def handler(event: Any, context: Any) -> None:
        seen.extend(record["body"] for record in event["Records"])

    mapping, _ = mapping_of(Source(queue), handler, keep=lambda record: record.raw["body"] != "not for a handler")
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(1)
    mapping.stop(1)
    await running
    (tally,) = mapping.tallies.values()
    assert sorted(seen) == ["a", "b"]
    assert (tally.filtered_out, tally.succeeded, tally.balance) == (1, 2, 0)


class Torn(MemoryQueueLane):
    """A lane in which "odd" is what no event can show."""

    def _record(self, message: Any) -> Record:
        one = super()._record(message)
        if one.raw["body"] != "odd":
            return one
        return Unreadable(one.id, "half of it is missing", one.raw, at=one.at, size=one.size, token=one.token)


@virtual
async def test_what_no_event_can_show_is_given_up_at_once_and_not_tried_again() -> None:
    """Mutations: retried as a failed batch is; a traceback of the filter for each; called a failure of ours."""
    queue, seen = MemoryQueue(visibility=30), list[str]()
    queue.send(["odd", "a"])
    view = View(record="message", payload="body", content=body, fields=lambda *_: {}, keys=frozenset())

    async def handler(event: Any, context: Any) -> None:
        seen.extend(record["body"] for record in event["Records"])

    source = Source(queue)
    source.lane = Torn
    criteria = {"filters": [{"pattern": {"body": [{"exists": True}]}}]}
    mapping, told = mapping_of(source, handler, view=view, filter_criteria=criteria)
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(100)
    mapping.stop(1)
    await running
    (tally,) = mapping.tallies.values()
    assert (seen, tally.dropped, tally.succeeded, tally.invoked, tally.balance) == (["a"], 1, 1, 1, 0)
    (line,) = told.of("records.unreadable")
    assert line["error"] == "half of it is missing"
    (dropped,) = told.of("records.dropped")
    assert dropped["reason"] == "DESERIALIZATION_ERROR"
    assert not told.of("filter.failed")
    assert not told.of("batch.unrenderable")


def body(record: Record) -> str:
    if record.raw["body"] == "odd":
        raise KeyError("Body")
    return str(record.raw["body"])


async def filtered(*bodies: str, of_options: bool = False) -> tuple[MemoryQueue, Mapping, Told, list[str]]:
    """A queue of *bodies* behind `{"body": {"n": [1]}}`, drained; and what the handler saw."""
    queue, seen = MemoryQueue(visibility=30), list[str]()
    queue.send(bodies)
    view = View(record="message", payload="body", content=body, fields=lambda *_: {}, keys=frozenset())

    async def handler(event: Any, context: Any) -> None:
        seen.extend(record["body"] for record in event["Records"])

    criteria = {"filters": [{"pattern": {"body": {"n": [1]}}}]}
    mapping, told = mapping_of(
        Source(queue), handler, view=(lambda _: view) if of_options else view, filter_criteria=criteria
    )
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(20)
    mapping.stop(1)
    await running
    return queue, mapping, told, seen


@virtual
async def test_what_filters_see_may_depend_on_the_options() -> None:
    """Mutation: the connector's function taken for the view, so that nothing is filtered."""
    *_, seen = await filtered('{"n": 1}', '{"n": 2}', of_options=True)
    assert seen == ['{"n": 1}']


@virtual
async def test_what_no_filter_wants_is_settled_and_counted() -> None:
    """Catches: no keep in the pipeline; a body handed over as it was parsed."""
    queue, mapping, told, seen = await filtered('{"n":  1}', '{"n": 2}', "text")
    assert seen == ['{"n":  1}']
    (tally,) = mapping.tallies.values()
    assert (tally.filtered_out, tally.succeeded, tally.balance) == (2, 1, 0)
    assert len(queue.deleted) == 3
    assert not told.of("filter.failed")


@virtual
async def test_a_filter_that_fails_keeps_its_record() -> None:
    """Catches: an exception that ends the lane, or a message deleted that nobody looked at."""
    _, mapping, told, seen = await filtered("odd", '{"n": 2}')
    assert seen == ["odd"]
    (line,) = told.of("filter.failed")
    assert len(line["ids"]) == 1
    (tally,) = mapping.tallies.values()
    assert (tally.filtered_out, tally.succeeded, tally.balance) == (1, 1, 0)


@virtual
async def test_a_pause_finishes_what_it_has_and_receives_nothing() -> None:
    """Mutations: handlers are cancelled; fetching goes on; the messages read ahead stay hidden; no way back."""
    queue, done = MemoryQueue(visibility=3000.0), []
    source = Source(queue)

    async def slow(event: Any, context: Any) -> None:
        await asyncio.sleep(2)
        done.extend(str(record) for record in event["Records"])

    mapping, _ = mapping_of(source, slow)
    queue.send(["a", "b", "c", "d"])
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(1)
    assert mapping.pause(paused=True)
    assert not mapping.pause(paused=True)
    assert (mapping.condition.state, mapping.condition.reason[:16]) == ("paused", "receives nothing")
    await asyncio.sleep(86_400)
    assert (len(done), mapping.lanes, source.opened) == (2, {}, 1)
    assert (mapping.condition.state, mapping.condition.reason[:15]) == ("paused", "headrace resume")
    assert mapping.pause(paused=False)
    await asyncio.sleep(60)
    assert (len(set(done)), len(done), mapping.condition.state) == (4, 4, "polling")
    mapping.pause(paused=True)
    mapping.stop(1)
    await running
    assert mapping.report.clean


@virtual
async def test_a_resume_before_all_is_finished() -> None:
    """Mutation: a second lane beside the first, or none: what was begun ends first, then it goes on."""
    queue, at_once = MemoryQueue(visibility=3000.0), []

    async def slow(event: Any, context: Any) -> None:
        at_once.append(len(mapping.lanes))
        await asyncio.sleep(2)

    mapping, _ = mapping_of(source := Source(queue), slow)
    queue.send([*"abcdef"])
    running = asyncio.ensure_future(mapping.run())
    await asyncio.sleep(1)
    for paused in (True, False, True, False):
        mapping.pause(paused=paused)
    assert (mapping.condition.state, mapping.condition.reason[:7]) == ("paused", "resumed")
    await asyncio.sleep(60)
    assert (len(at_once), set(at_once), source.opened, mapping.condition.state) == (6, {1}, 2, "polling")
    mapping.stop(1)
    await running
