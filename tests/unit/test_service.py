"""The process: what runs, when it ends, what is left."""

import asyncio
import json
from pathlib import Path

import pytest

from headrace.config import load
from headrace.errors import ConfigError
from headrace.functions import Function
from headrace.observe import Tally
from headrace.service import idle, sampling
from headrace.service.endpoints import Endpoints
from headrace.service.process import Service, chosen
from headrace.testing.clock import virtual
from support import memory

CONFIG = """\
service: {name: shop, drain_timeout: 5}
functions: {f: {handler: handlers.f}}
mappings:
  orders: {source: {type: memory, count: 20}, function: f}
  clicks: {source: {type: memory, count: 5}, function: f}
  off: {source: {type: memory}, function: f, enabled: false}
  lost: {source: {type: memory, missing: true}, function: f}
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return load([Path(file)], memory.catalog)


def functions(handler):
    return {"f": Function.of("f", handler, timeout=600)}


async def okay(event, context):
    pass


async def settled(service, count):
    async with asyncio.timeout(60):
        while sum(view.counts["succeeded"] for view in service.snapshot().mappings) < count:
            await asyncio.sleep(0.01)


async def test_runs_every_enabled_mapping_until_stopped(config):
    service = Service(config, functions(okay))
    running = asyncio.ensure_future(service.run())
    await settled(service, 25)
    assert {view.mapping: view.state for view in service.snapshot().mappings} == {
        "orders": "polling",
        "clicks": "polling",
        "lost": "missing",
        "off": "disabled",
    }
    service.stop()
    service.stop()
    outcomes = await running
    assert [(one.view.mapping, one.clean, one.view.counts["succeeded"]) for one in outcomes] == [
        ("orders", True, 20),
        ("clicks", True, 5),
        ("lost", True, 0),
    ]


async def test_only_what_is_named(config):
    service = Service(config, functions(okay), only=["clicks"], exit_when_idle=0.1)
    (outcome,) = await service.run()
    assert (outcome.view.mapping, outcome.view.counts["polled"]) == ("clicks", 5)


def test_every_unknown_name_is_a_fault(config):
    with pytest.raises(ConfigError) as error:
        chosen(config, ["order", "orders", "nothing"])
    assert str(error.value).splitlines() == [
        "--mapping: there is no mapping 'order'; did you mean orders?",
        "--mapping: there is no mapping 'nothing'; known are orders, clicks, off, lost",
    ]


async def test_a_stop_before_the_start_starts_nothing(config):
    service = Service(config, functions(okay))
    service.stop()
    outcomes = await service.run()
    assert sum(one.view.counts["polled"] for one in outcomes) == 0
    assert all(one.clean for one in outcomes)


async def test_a_cancellation_drains_too(config):
    began = asyncio.Event()

    async def slow(event, context):
        began.set()
        await asyncio.sleep(0.2)

    service = Service(config, functions(slow), only=["clicks"])
    running = asyncio.ensure_future(service.run())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (outcome,) = service.outcomes()
    assert (outcome.view.counts["succeeded"], outcome.left) == (5, 0)


async def test_what_is_left_at_a_handler_is_said(config):
    began = asyncio.Event()

    async def stuck(event, context):
        began.set()
        await asyncio.sleep(3600)

    config = config.__class__(
        **{**vars_of(config), "service": config.service.model_copy(update={"drain_timeout": 0.1})}
    )
    service = Service(config, functions(stuck), only=["clicks"])
    running = asyncio.ensure_future(service.run())
    await began.wait()
    service.stop()
    (outcome,) = await running
    assert not outcome.clean
    assert outcome.complaints == ["clicks: 5 records left at the handler; they come again"]


def vars_of(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


async def test_endpoints_of_a_service(config):
    service = Service(config, functions(okay))
    endpoints = Endpoints(service)
    running = asyncio.ensure_future(service.run())
    await settled(service, 25)
    assert (await asyncio.to_thread(endpoints.health, None)).status == 200
    ready = await asyncio.to_thread(endpoints.ready, None)
    assert ready.status == 503
    assert b'"lost"' in ready.body
    assert b"there is no such queue" in ready.body
    assert b'"orders"' not in ready.body
    mappings = await asyncio.to_thread(endpoints.mappings, None)
    assert b'"service": "shop"' in mappings.body
    metrics = await asyncio.to_thread(endpoints.metrics, {})
    assert b"headrace_succeeded_events_total" in metrics.body
    service.stop()
    assert b"stopping" in (await asyncio.to_thread(endpoints.ready, None)).body
    await running
    assert endpoints.mappings(None).status == 200  # the loop answers no more


async def test_a_pause_over_http(config):
    """Mutation: a paused mapping that is not ready; a pause of what does not run here that is claimed."""
    service = Service(config, functions(okay), only=["clicks"])
    routes = Endpoints(service).routes().post
    running = asyncio.ensure_future(service.run())
    await settled(service, 5)

    async def told(path):
        answer = await asyncio.to_thread(routes[path], {})
        return answer.status, json.loads(answer.body)

    yes = {"service": "shop", "mapping": "clicks", "paused": True, "changed": True}
    assert await told("/v1/mappings/clicks/pause") == (200, yes)
    assert await told("/v1/mappings/clicks/pause") == (200, {**yes, "changed": False})
    (view,) = [view for view in service.snapshot().mappings if view.mapping == "clicks"]
    assert (view.state, view.ready) == ("paused", True)
    assert await told("/v1/mappings/clicks/resume") == (200, {**yes, "paused": False})
    status, answer = await told("/v1/mappings/lost/pause")
    assert status == 409
    assert "does not run here" in answer["error"]
    service.stop()
    status, answer = await told("/v1/mappings/clicks/pause")
    assert (status, answer) == (409, {"error": "the service is stopping"})
    await running


class Waiting:
    """A mapping whose source is asked whether it is idle."""

    def __init__(self, *answers):
        self.name = "orders"
        self.answers = list(answers)
        self.tallies = {"queue": Tally()}
        self.lanes = {}
        self.known = {}
        self.asked = 0

    async def idle(self):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer == "polls":
            self.tallies["queue"].polled += 1
        return bool(answer)

    async def lag(self):
        return await self.idle()

    def behind(self):
        return self.known

    async def dead_lettered(self):
        return None


@virtual
async def test_idle_means_for_that_long_on_end():
    """One that was busy in between, could not say, or took a record, begins anew."""
    loop = asyncio.get_running_loop()
    mapping = Waiting(True, True, False, True, OSError("gone"), True, "polls", True)
    began = loop.time()
    await idle.until_idle([mapping], 4.0)
    assert mapping.asked >= 7 + 4
    assert loop.time() - began >= 7 * 1.0 + 4.0


@virtual
async def test_a_source_that_does_not_answer_is_not_idle():
    class Silent(Waiting):
        async def idle(self):
            self.asked += 1
            if self.asked == 1:
                await asyncio.Event().wait()
            return True

    loop = asyncio.get_running_loop()
    began = loop.time()
    await idle.until_idle([Silent()], 1.0)
    assert loop.time() - began >= 11.0


@virtual
async def test_lag_in_seconds_is_the_age_of_what_was_handed_over_lately():
    mapping = Waiting(3)
    sampler = sampling.Sampler(mapping)
    tally = mapping.tallies["queue"]
    tally.age.add(10.0, 2)
    await sampler.sample()
    assert sampler.sampled.lag_seconds == {"queue": 10.0}
    tally.age.add(4.0)
    await sampler.sample()
    assert sampler.sampled.lag_seconds == {"queue": 4.0}
    await sampler.sample()
    assert sampler.sampled.lag_seconds == {"queue": None}
    mapping.known["queue"] = 2.5
    await sampler.sample()
    assert sampler.sampled.lag_seconds == {"queue": 2.5}


@virtual
async def test_a_source_that_cannot_say_is_no_error():
    sampler = sampling.Sampler(Waiting(OSError("gone")))
    await sampler.sample()
    assert sampler.sampled.lag_records is None
