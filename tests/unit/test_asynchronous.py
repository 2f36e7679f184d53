"""Asynchronous invocations as Lambda makes them (lambda-semantics 8), on virtual time; and how they are configured."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from headrace import config
from headrace.asynchronous import NoOptions, invocations, packed, queue_of
from headrace.cli.main import main
from headrace.config.effective import effective
from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.errors import ConfigError
from headrace.functions import Function
from headrace.invocations import POLL
from headrace.leases import Leases
from headrace.mapping import Mapping
from headrace.plugins import DestinationKind, Destined, Opening, Probe, Route, Routing
from headrace.settings import MappingSettings, ScalingConfig, Settings
from headrace.testing import FakeClock, virtual
from headrace.tofunction import FunctionDestination, FunctionOptions
from headrace.tofunction import function as to_function
from headrace_connectors.catalog import catalog
from support.engine import Lines
from support.fleet import Store
from support.virtualcopy import VirtualCopy

ID = "0f0e0d0c-0b0a-4a09-8807-060504030201"


class Shelf:
    """A destination of any kind: keeps what it is sent."""

    name = "shelf"

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, messages: Any) -> Any:
        self.sent += messages
        return [CONFIRMED] * len(messages)

    async def close(self) -> None: ...

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.body) for one in self.sent]

    def destined(self) -> Destined:
        async def probe(*_: object) -> Probe:
            return Probe()

        kind = DestinationKind(type="shelf", summary="", options=Settings, open=lambda *_: self, probe=probe)
        return Destined(kind=kind, options=Settings())


class Copy(VirtualCopy):
    """One copy of a service with the queue of `f`, and that of `g` where it is told of `f`."""

    def __init__(self, behave: Callable[[Any, Any], Any] | None = None, *, name: str = "f", **more: Any) -> None:
        self.clock = more.pop("clock", None) or FakeClock()
        self.store = more.pop("store", None) or Store(self.clock)
        self.begun: list[tuple[float, Any, str, int]] = []
        self.behave, self.function = behave, name
        self.leases = Leases(self._ledger, owner="c", closes=False, clock=self.clock, logger=Lines())
        self.shared: dict[object, Any] = more.pop("shared", {})
        ends = {key: more.pop(key) for key in ("on_failure", "on_success", "dead_letter") if key in more}
        settings, _ = effective(invocations, MappingSettings(**more))
        opening = Opening(
            service="s",
            mapping=queue_of(name),
            settings=settings,
            options=NoOptions(),
            sections={},
            function_timeout=3,
            log=Lines(),
            clock=self.clock,
            leases=self.leases,
            functions=("f", "g"),
            shared=self.shared,
            **ends,
        )
        self.mapping = Mapping(invocations, opening, Function.of(name, self._handle, timeout=3, clock=self.clock))

    async def _ledger(self) -> Any:
        return self.store

    async def _handle(self, event: Any, context: Any) -> Any:
        self.begun.append((self.clock.wall(), event, context.aws_request_id, context.headrace.attempt))
        answer = self.behave(event, context) if self.behave else {"fine": True}
        return await answer if inspect.isawaitable(answer) else answer

    async def put(self, event: Any, id_: str = ID) -> None:
        await self.store.put(queue_of(self.function), [packed(id_, event)])

    async def left(self) -> int:
        return (await self.store.waiting(queue_of(self.function))).total


def boom(*_: Any) -> None:
    raise ValueError("boom")


@virtual
async def test_three_attempts_a_minute_and_two_apart_under_one_request_id_and_then_the_record() -> None:
    """Recorded. Mutations: a new id; another spacing; a fourth attempt; no stack; the mapping's words."""
    shelf, dead = Shelf(), Shelf()
    copy = Copy(boom, on_failure=Routing.to(shelf.destined()), dead_letter=dead.destined()).start()
    await copy.put({"n": 1})
    await asyncio.sleep(600)
    times = [at for at, *_ in copy.begun]
    assert 30 <= times[1] - times[0] <= 62  # jittered: at most as long as Lambda's
    assert 60 <= times[2] - times[1] <= 122
    assert [(event, id_, attempt) for _, event, id_, attempt in copy.begun] == [({"n": 1}, ID, n) for n in (1, 2, 3)]
    (record,) = shelf.bodies
    assert list(record) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    assert record["requestContext"] == {
        "requestId": ID,
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert list(record["responsePayload"]) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    (letter,) = dead.sent
    assert json.loads(letter.body) == {"n": 1}
    assert letter.attributes == {"RequestID": ID, "ErrorCode": "200", "ErrorMessage": "boom"}
    assert await copy.left() == 0
    await copy.stop()


@virtual
async def test_a_pattern_chooses_by_the_event() -> None:
    """By success and by failure; what is no object fits none. Mutations, tried: every event; no event."""
    gold, rest = Shelf(), Shelf()
    rules = [Route(to=[gold.destined()], pattern={"kind": ["gold"]}), Route(to=[rest.destined()])]
    ends = {"on_failure": Routing(rules), "on_success": Routing(rules)}
    copy = Copy(lambda event, _: boom() if "bad" in event else {}, **ends, maximum_retry_attempts=0).start()
    events = [{"kind": "gold", "bad": 1}, {"kind": "gold"}, {"kind": "tin", "bad": 1}, {"kind": "tin"}, ["gold"]]
    for number, event in enumerate(events):
        await copy.put(event, f"{ID[:-1]}{number}")
    await asyncio.sleep(60)
    assert sorted((one["requestPayload"] for one in gold.bodies), key=len) == [events[1], events[0]]
    assert len(rest.bodies) == 3
    await copy.stop()


@pytest.mark.parametrize(("age", "attempts"), [(60, 1), (90, 2)])
@virtual
async def test_age_beats_retries_and_the_record_comes_early(age: int, attempts: int) -> None:
    """Recorded: 60 never retries, 90 once, and the response is there. Mutation: looked at when it is tried again."""
    shelf = Shelf()
    more = {"maximum_record_age_in_seconds": age, "retry_backoff": {"initial": 60, "maximum": 120}}
    copy = Copy(boom, on_failure=Routing.to(shelf.destined()), **more).start()
    await copy.put({})
    await asyncio.sleep(65)
    (record,) = shelf.bodies
    assert len(copy.begun) == attempts
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == attempts
    assert record["responsePayload"]["errorMessage"] == "boom"
    await copy.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
@virtual
async def test_an_event_whose_age_is_over_before_its_next_attempt_says_how_the_last_ended(end: str) -> None:
    """In another process. Mutations, tried: it knows of no attempt; the one that was not made counts; it is kept on."""
    shelf, more = Shelf(), {"maximum_record_age_in_seconds": 300, "retry_backoff": {"initial": 60, "maximum": 120}}
    first = Copy(boom, on_failure=Routing.to(shelf.destined()), **more).start()
    await first.put({"n": 1})
    await asyncio.sleep(20)
    await (first.stop() if end == "stop" else first.kill())
    await asyncio.sleep(600)
    second = Copy(boom, store=first.store, clock=first.clock, on_failure=Routing.to(shelf.destined()), **more).start()
    await asyncio.sleep(60)
    (record,) = shelf.bodies
    assert (len(first.begun), second.begun) == (1, [])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["requestId"] == ID
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "boom"
    await second.stop()
    assert not first.store._rows._outcomes[queue_of("f")].outcomes


@virtual
async def test_an_event_that_succeeds_at_last_leaves_nothing_behind() -> None:
    """Mutation, tried: how the earlier attempts ended stays."""
    tries = []

    def second_time(*_: Any) -> dict[str, Any]:
        tries.append(0)
        return boom() if len(tries) < 2 else {}

    shelf = Shelf()
    copy = Copy(second_time, on_failure=Routing.to(shelf.destined())).start()
    await copy.put({})
    await asyncio.sleep(20)
    assert copy.store._rows._outcomes[queue_of("f")].outcomes
    await asyncio.sleep(200)
    assert (len(tries), shelf.bodies) == (2, [])
    assert not copy.store._rows._outcomes[queue_of("f")].outcomes
    await copy.stop()


@virtual
async def test_a_success_is_told_before_it_is_settled() -> None:
    shelf = Shelf()
    copy = Copy(on_success=Routing.to(shelf.destined())).start()
    await copy.put([1, "two"])
    await asyncio.sleep(5)
    (record,) = shelf.bodies
    assert record["requestContext"]["condition"] == "Success"
    assert (record["requestPayload"], record["responsePayload"]) == ([1, "two"], {"fine": True})
    assert "functionError" not in record["responseContext"]
    assert shelf.sent[0].asynchronous
    await copy.stop()


@virtual
async def test_what_was_accepted_outlives_the_copy_that_ran_it() -> None:
    """Mutation: removed when it is taken."""
    first = Copy(lambda *_: asyncio.sleep(1e6)).start()
    await first.put({"n": 1})
    await asyncio.sleep(2)
    await first.kill()
    second = Copy(store=first.store, clock=first.clock).start()
    await asyncio.sleep(60)
    assert [(event, id_) for _, event, id_, _ in second.begun] == [({"n": 1}, ID)]
    assert await second.left() == 0
    await second.stop()


@virtual
async def test_another_function_is_invoked_with_the_record() -> None:
    """Mutations: put with every repeat; hops that do not grow; found by looking, up to a second later."""
    copy = Copy(on_success=Routing.to(Destined(kind=to_function, options=FunctionOptions(function="g")))).start()
    told = Copy(name="g", store=copy.store, clock=copy.clock, shared=copy.shared).start()
    await copy.put({"n": 1})
    await asyncio.sleep(5)
    ((at, event, _, attempt),) = told.begun
    assert at - copy.begun[0][0] < POLL / 2, "it is woken"
    assert (event["requestPayload"], event["requestContext"]["condition"], attempt) == ({"n": 1}, "Success", 1)
    await copy.stop()
    await told.stop()


@virtual
async def test_one_that_is_sent_again_waits_once() -> None:
    copy = Copy()
    to = FunctionDestination(copy.mapping._opening, FunctionOptions(function="g"))
    message = Message(id="m", key=None, body=b"{}", lane="l", at=0, hops=3)
    assert await to.send([message, message]) == [CONFIRMED] * 2
    assert (await copy.store.waiting(queue_of("g"))).total == 1


@pytest.mark.parametrize("retries", [0, 2])
@virtual
async def test_an_event_that_kills_its_process_is_given_up_and_no_other_is(retries: int) -> None:
    """Three in company, as often as retries allow, and one more time alone; those that died beside it are handled.

    Mutations: begun again for ever; given up for a death in company; the last chance beside others.
    """
    shelf, handled, deaths = Shelf(), list[int](), 0
    copy = Copy()
    ids = [ID[:-1] + str(number) for number in range(3)]
    for number, id_ in enumerate(ids):
        await copy.put({"n": number}, id_)
    while await copy.left():
        died = asyncio.Event()

        async def behave(event: Any, _: Any, died: asyncio.Event = died) -> None:
            await asyncio.sleep(1)
            if event["n"] == 1:
                died.set()
                await asyncio.Event().wait()
            await asyncio.sleep(1)
            handled.append(event["n"])

        more = {"maximum_retry_attempts": retries, "on_failure": Routing.to(shelf.destined())}
        copy = Copy(behave, store=copy.store, clock=copy.clock, **more).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(died.wait(), 60)
            deaths += 1
            assert deaths < 10, "it is never given up"
        await copy.kill()
    assert deaths == retries + 2
    assert sorted(set(handled)) == [0, 2]
    (record,) = shelf.bodies
    context = record["requestContext"]
    assert (context["requestId"], context["condition"]) == (ids[1], "RetriesExhausted")
    assert context["approximateInvokeCount"] == deaths
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"


class Refusing(Shelf):
    """Takes nothing as it is, until it is mended."""

    mended = False

    async def send(self, messages: Any) -> Any:
        if self.mended:
            return await super().send(messages)
        return [Reply(Said.REFUSED, "422")] * len(messages)


@virtual
async def test_what_a_destination_refuses_is_run_no_more_and_told_to_nobody_twice() -> None:
    """Mutations: given back, and so run again each minute; who has confirmed is told again; it keeps a place."""
    fine, refusing = Shelf(), Refusing()
    both = Routing.to(fine.destined(), refusing.destined())
    more = {"maximum_retry_attempts": 0, "scaling_config": ScalingConfig(maximum_concurrency=1)}
    copy = Copy(boom, on_failure=both, **more).start()
    await copy.put({"n": 1})
    await asyncio.sleep(900)
    assert (len(copy.begun), len(fine.sent)) == (1, 1)
    condition = copy.mapping.condition
    assert (condition.state, condition.ready) == ("refused", False)
    await copy.put({"n": 2}, ID.replace("0f", "1f"))
    await asyncio.sleep(60)
    assert len(copy.begun) == 2, "it keeps no place at the handler"
    refusing.mended = True
    await asyncio.sleep(60)
    assert (len(refusing.sent), await copy.left()) == (2, 0)
    assert len(fine.sent) == 2
    await copy.stop()


class Away(Refusing):
    """Is down, until it is mended."""

    async def send(self, messages: Any) -> Any:
        return await super().send(messages) if self.mended else [Reply(Said.FAILED, "away")] * len(messages)


@virtual
async def test_a_destination_that_is_down_for_ten_minutes_holds_its_own_queue_and_no_other() -> None:
    """Of two in one process, over one store. Mutation, tried: given back, so that it runs again."""
    away, fine = Away(), Shelf()
    held = Copy(on_success=Routing.to(away.destined())).start()
    shared = {"store": held.store, "clock": held.clock, "shared": held.shared}
    other = Copy(name="g", on_success=Routing.to(fine.destined()), **shared).start()
    ids = [f"{ID[:-2]}{number}" for number in range(10, 30)]
    for id_ in ids:
        await held.put({}, id_)
        await other.put({}, id_)
        await asyncio.sleep(30)
    condition = held.mapping.condition
    assert (condition.state, condition.ready) == ("holding", False)
    assert (other.mapping.condition.ready, len(fine.sent), await other.left()) == (True, 20, 0)
    assert await held.left() == 20
    away.mended = True
    await asyncio.sleep(120)
    assert sorted(one["requestContext"]["requestId"] for one in away.bodies) == ids
    assert sorted(id_ for _, _, id_, _ in held.begun) == ids
    assert await held.left() == 0
    await held.stop()
    await other.stop()


BASE = """\
service: {{name: shop, listen: null}}
functions:
  f: {{handler: handlers.f, {f}}}
  g: {{handler: handlers.g, {g}}}
mappings:
  m:
    source: {{type: schedule, schedule_expression: rate(1 hour)}}
    function: f
"""


def load(tmp_path: Path, f: str = "timeout: 3", g: str = "timeout: 3", more: str = "") -> config.Config:
    (tmp_path / "c.yaml").write_text(BASE.format(f=f, g=g) + more)
    return config.load([tmp_path / "c.yaml"], catalog, {})


def test_who_has_a_queue(tmp_path: Path) -> None:
    """Mutations: every function; only those with a config of their own."""
    assert load(tmp_path).queues == {}
    assert list(load(tmp_path, f="event_invoke_config: {}").queues) == ["function:f"]
    told = "event_invoke_config: {destination_config: {on_success: {destination: {type: function, function: g}}}}"
    assert list(load(tmp_path, f=told).queues) == ["function:f", "function:g"]
    mapping = "    destination_config: {on_failure: {destination: {type: function, function: g}}}\n"
    assert list(load(tmp_path, more=mapping).queues) == ["function:g"]
    dead = 'dead_letter_config: {target_arn: "arn:aws:sqs:eu-west-1:123456789012:q"}'
    assert list(load(tmp_path, g=dead).queues) == ["function:g"]


def test_a_queue_that_drops_what_it_gives_up_is_told_of_once(tmp_path: Path) -> None:
    """Catches: no warning; one where there is no queue, or where failures go somewhere, be it with faults."""

    def told(function: str = "timeout: 3", other: str = "timeout: 3", more: str = "") -> list[tuple[str, str]]:
        try:
            found = load(tmp_path, f=function, g=other, more=more).warnings
        except ConfigError as error:
            found = error.warnings
        return [
            (one.path, one.place.rpartition(":")[2])
            for one in found
            if "an asynchronous invocation that" in one.message
        ]

    to = "{destination_config: {on_%s: {destination: %s}}}"
    function, file = "{type: function, function: g}", "{type: file, path: x}"
    dead = 'dead_letter_config: {target_arn: "arn:aws:sqs:eu-west-1:123456789012:q"}'
    own = "functions.f.event_invoke_config"
    assert told() == []
    assert told("event_invoke_config: {}") == [(own, "3")]
    assert told(f"event_invoke_config: {to % ('success', file)}") == [(own, "3")]
    assert told(f"event_invoke_config: {to % ('failure', function)}") == [("functions.g", "4")]
    assert told(more=f"    destination_config: {{on_success: {{destination: {function}}}}}\n") == [("functions.g", "4")]
    for taken in (dead, f"event_invoke_config: {to % ('failure', file)}", f"event_invoke_config: {{}}, {dead}"):
        assert told(taken) == []
    assert told(f"event_invoke_config: {to % ('failure', '{type: fil}')}") == []


def test_a_rule_by_pattern_is_for_schedules_and_functions_too(tmp_path: Path) -> None:
    """Mutations, tried: refused of either; a pattern that is not looked at."""
    to = "destination_config: {on_failure: {destination: [{when: {pattern: %s}, to: {type: file, path: x}}, {to: a}]}}"
    named = "destinations: {a: {type: file, path: a}}\n"
    good, bad = to % "{kind: [gold]}", to % "{kind: gold}"
    one = load(tmp_path, f=f"event_invoke_config: {{{good}}}", more=f"    {good}\n{named}")
    for routing in (one.queues["function:f"].on_failure, one.mappings["m"].on_failure):
        assert routing is not None
        assert [route.pattern for route in routing.routes] == [{"kind": ["gold"]}, None]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f=f"event_invoke_config: {{{bad}}}", more=f"    {bad}\n{named}")
    assert [fault.message.count("must be an object or an array") for fault in caught.value.faults] == [1, 1]


def test_a_schedule_takes_the_limits_and_destinations_of_its_function(tmp_path: Path) -> None:
    to = "destination_config: {on_failure: {destination: {type: file, path: x}}}"
    own = f"event_invoke_config: {{maximum_retry_attempts: 1, {to}}}"
    one = load(tmp_path, f=own).mappings["m"]
    assert one.settings.maximum_retry_attempts == 1
    assert one.settings.retry_backoff is not None
    assert one.settings.retry_backoff.maximum == 120
    assert one.on_failure is not None
    dead = 'dead_letter_config: {target_arn: "arn:aws:sqs:eu-west-1:123456789012:q"}'
    dropped = "what is past this limit is dropped"
    for taken, said in ((own, 0), (dead, 0), ("event_invoke_config: {}", 2)):
        assert str(load(tmp_path, f=taken).warnings).count(dropped) == said, "tried: it knows of its own ends alone"
    mine = load(tmp_path, f=own, more="    maximum_retry_attempts: 0\n").mappings["m"]
    assert mine.settings.maximum_retry_attempts == 0


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (
            "event_invoke_config: {maximum_retry_attempts: 3}",
            "event_invoke_config.maximum_retry_attempts: must be 0 to 2",
        ),
        (
            "event_invoke_config: {maximum_event_age_in_seconds: 59}",
            "maximum_event_age_in_seconds: must be 60 to 21600",
        ),
        (
            "event_invoke_config: {destination_config: {on_failure: {destination: {type: function, function: h}}}}",
            "on_failure.destination.function: there is no such function; known are f, g",
        ),
        (
            "event_invoke_config: {destination_config: {on_failure: {destination: {type: function, function: f}}}}",
            "closes a circle, in which records would go round for ever: function:f → function:f; break it",
        ),
        (
            "dead_letter_config: {target_arn: {type: file, path: x}}",
            "a dead letter has attributes, for which a file has no place; name a queue",
        ),
        ("dead_letter_config: {target_arn: [a]}", "is one queue or topic"),
        ("dead_letter_config: {}", "target_arn: is required"),
    ],
)
def test_faults_have_their_place_and_mend(tmp_path: Path, f: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f=f)
    assert said in str(caught.value)
    assert "c.yaml:3: functions.f." in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_circle_of_two_is_found_once(tmp_path: Path) -> None:
    own = "event_invoke_config: {destination_config: {on_success: {destination: {type: function, function: TO}}}}"
    one, other = (own.replace("TO", to) for to in "gf")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f=one, g=other)
    assert str(caught.value).count("closes a circle") == 1
    assert "function:f → function:g → function:f" in str(caught.value)


def test_invoke_async_accepts_an_event_where_there_is_a_queue(tmp_path: Path, capsys: Any) -> None:
    """Mutations: run here; another id than the attempts have; accepted where nobody runs it."""
    load(tmp_path, f="event_invoke_config: {}")
    (tmp_path / "event.json").write_text('{"n": 1}')
    words = ["invoke", str(tmp_path / "c.yaml")]
    event = ["--event", str(tmp_path / "event.json")]
    assert main([*words, "f", "--async", "--json", *event]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["StatusCode"] == 202
    assert main([*words, "g", "--async"]) == 2
    assert "functions.g: is not invoked asynchronously; give it event_invoke_config: {}" in capsys.readouterr().err
    (tmp_path / "large.json").write_text(json.dumps("x" * 2**20))
    assert main([*words, "f", "--async", "--event", str(tmp_path / "large.json")]) == 2
    assert "above the 1048576 of an asynchronous invocation; make it smaller\n" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_what_is_no_json_is_accepted_nowhere(tmp_path: Path, capsys: Any, number: str) -> None:
    """Mutation: a queue with what only Python can read, so that a handler is given another number, or none."""
    load(tmp_path, f="event_invoke_config: {}")
    (tmp_path / "event.json").write_text(f'{{"n": {number}}}')
    for way in ([], ["--async"]):
        assert main(["invoke", str(tmp_path / "c.yaml"), "f", *way, "--event", str(tmp_path / "event.json")]) == 2
        assert f"event.json cannot be read as JSON: {number} is not JSON" in capsys.readouterr().err
    with pytest.raises(ValueError, match="NaN or Infinity in it, which are not JSON"):
        packed("r", {"n": float(number)})
    (tmp_path / "event.json").write_text('{"n": 1e999}')
    assert main(["invoke", str(tmp_path / "c.yaml"), "f", "--async", "--event", str(tmp_path / "event.json")]) == 2
    assert "which are not JSON; write null, or a text\n" in capsys.readouterr().err, "tried: make it smaller"


def test_a_queue_is_a_mapping_to_the_commands(tmp_path: Path, capsys: Any) -> None:
    """Mutations: each that looks among the mappings only."""
    config_file = str(tmp_path / "c.yaml")
    (tmp_path / "queued.py").write_text("def f(*_): ...\ndef g(*_): ...\n")
    told = "path: ., event_invoke_config: {destination_config: {on_failure: {destination: {type: file, path: x}}}}"
    load(tmp_path, f=told, g="path: .")
    state = f"state: 'sqlite:{tmp_path}/s.db'"
    text = (tmp_path / "c.yaml").read_text().replace("listen: null", f"listen: null, {state}")
    text = text.replace("handlers.", "queued.")
    (tmp_path / "c.yaml").write_text(text)
    assert main(["check", config_file]) == 0
    assert "1 mapping, 2 functions, 1 queue" in capsys.readouterr().out
    assert main(["explain", config_file, "function:f"]) == 0
    shown = capsys.readouterr().out
    assert "functions.f.event_invoke_config.maximum_retry_attempts" in shown
    assert "mappings.m" not in shown
    assert main(["invoke", config_file, "f", "--async"]) == 0
    assert main(["pause", config_file, "function:f"]) == 0
    assert "function:f is paused" in capsys.readouterr().out
    assert main(["status", config_file, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["remembered"]["function:f"] == [{"due": 1, "later": 0, "being made": 0}]
    assert main(["seek", config_file, "function:f", "--to", "LATEST"]) == 2
    assert "a queue of invocations has no positions" in capsys.readouterr().err


@virtual
async def test_a_paused_queue_says_so_and_gives_nothing_out() -> None:
    """Mutation: said once, at the start."""
    copy = Copy().start()
    await asyncio.sleep(1)
    await copy.store.pause(queue_of("f"), paused=True)
    await copy.put({})
    await asyncio.sleep(10)
    assert (copy.mapping.condition.state, copy.begun) == ("paused", [])
    await copy.store.pause(queue_of("f"), paused=False)
    await asyncio.sleep(10)
    assert (copy.mapping.condition.state, len(copy.begun)) == ("polling", 1)
    await copy.stop()


def test_explain_shows_the_limits_of_a_queue_that_nobody_asked_for(tmp_path: Path, capsys: Any) -> None:
    """It is there because something is told to its function."""
    load(tmp_path, more="    destination_config: {on_failure: {destination: {type: function, function: g}}}\n")
    assert main(["explain", str(tmp_path / "c.yaml"), "function:g", "--offline"]) == 0
    assert "event_invoke_config.maximum_retry_attempts" in capsys.readouterr().out
