"""What leaves of a mapping that redacts: what its records say of it, what is withheld, and that it costs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from headrace.destination import SUCCESS, Message, Payload, Reply, Said
from headrace.functions import Function
from headrace.mapping import Mapping
from headrace.masking import WHOLE, Masking, read_path
from headrace.model import Answer, Failure, Origin, Record
from headrace.observe import Discreet, log
from headrace.outgoing import Outcome, Outgoing
from headrace.outlet import Outlet
from headrace.policy import EXHAUSTED
from headrace.redaction import Redaction
from headrace.settings import MappingSettings
from headrace.testing import virtual
from headrace.verdict import Kind, Rules, Verdict, judge
from headrace.writing import DeadLetters, FailureRecords, InvocationRecords
from support.engine import Lines, error, ok, records
from support.messages import about, opening
from support.planted import SOURCES, PlantedSource

SECRET = "4111222233334444"


def render(some: Sequence[Record]) -> dict[str, Any]:
    return {"cards": [SECRET for _ in some], "n": len(some)}


def redaction(*paths: str, masking: Masking = WHOLE, **more: Any) -> Redaction:
    known = {"paths": [read_path(one) for one in paths or ("cards",)], "masking": masking, "render": render}
    return Redaction(**{**known, "log": Lines(), **more})


def gone(names: str = "ab", outcome: Outcome | None = None, reason: str = EXHAUSTED) -> Outgoing:
    return Outgoing(
        lane="q",
        records=records(names, key="k"),
        reason=reason,
        attempts=2,
        outcome=outcome,
        request_id="r",
        at=1764088801.123,
    )


def record(redact: Redaction | None, payload: Payload, *, full: bool, info: Any = None) -> tuple[Message, Any]:
    write = FailureRecords(
        about=about(redaction=redact),
        origin=lambda *_: Origin(block="ThingInfo", info=info or {"thing": 1}, payload={"whole": SECRET}, key=b"k"),
        render=render,
        full=full,
    )
    message = write(gone(outcome=error()), payload, apart=True)
    return message, json.loads(message.body)


def test_a_record_says_what_is_missing_in_it() -> None:
    """So that a replay can refuse it. Mutations: all that was written; the source's own payload; none in a text."""
    _, whole = record(redaction("cards", "other"), Payload.OBJECT, full=True)
    assert whole["payload"] == {"cards": "***", "n": 2}
    assert whole["headrace"]["payloadRedacted"] == ["cards"]
    _, text = record(redaction("cards", "other"), Payload.TEXT, full=False)
    assert (json.loads(text["payload"])["cards"], text["headrace"]) == ("***", {"payloadRedacted": ["cards"]})
    _, bare = record(redaction("cards"), Payload.OMITTED, full=False)
    assert "headrace" not in bare
    _, untouched = record(redaction("others"), Payload.OBJECT, full=True)
    assert "payloadRedacted" not in untouched["headrace"]
    _, plain = record(None, Payload.OBJECT, full=True)
    assert plain["payload"] == {"whole": SECRET}
    assert "payloadRedacted" not in plain["headrace"]


@pytest.mark.parametrize(
    ("path", "hidden"),
    [("meta.key", True), ("meta", True), ("meta.*", True), ("meta.key.id", True), ("meta.other", False), ("n", False)],
)
def test_a_key_that_is_hidden_orders_nothing(path: str, hidden: bool) -> None:
    """Mutations: the same path only; the key of bytes left; the group in the block of the source."""
    redact = redaction(path, masking=Masking(mask=WHOLE.mask, key="meta.key"))
    message, body = record(redact, Payload.OBJECT, full=True, info={"messageGroupId": "k", "thing": 1})
    assert (message.key, message.source_key) == ((None, None) if hidden else ("k", b"k"))
    assert body["ThingInfo"] == {"messageGroupId": "***" if hidden else "k", "thing": 1}


def test_what_cannot_be_hidden_is_hidden_whole_and_told_once() -> None:
    """Mutations: sent as it is; no line of log; one for each record."""

    def breaks(*_: Any) -> Any:
        raise KeyError(SECRET)

    redact = redaction(masking=Masking(mask=breaks))
    for _ in range(2):
        found = redact.of(records("a"))
        assert (found.event, found.secrets.blind, found.paths) == ("***", True, ["cards"])
    assert [context["ids"] for context in redact.log.of("redaction.blind")] == [["a"]]


def failed(message: str = f"no {SECRET}") -> Outcome:
    payload = {"errorMessage": message, "errorType": "E", "requestId": SECRET, "stackTrace": [f"at {SECRET}"]}
    failure = Failure(type="E", message=message, stack=(f"at {SECRET}",), payload=payload)
    answer = Answer(request_id=SECRET, duration=0.1, failure=failure)
    return Outcome(answer, Verdict(Kind.ERROR, failure=failure))


def rejudge(answer: Answer) -> Verdict:
    return judge(answer, ["a"], Rules(report=True))


def test_an_error_is_cleaned_wherever_it_stands_and_a_request_id_is_none() -> None:
    """Mutations: the message alone; the verdict's failure forgotten; the id of the request."""
    clean = redaction().outcome(records("a"), failed(), rejudge)
    for failure in (clean.answer.failure, clean.verdict.failure):
        assert failure is not None
        assert (str(failure), failure.stack) == ("E: no ***", ("at ***",))
        assert failure.payload == {
            "errorMessage": "no ***",
            "errorType": "E",
            "requestId": SECRET,
            "stackTrace": ["at ***"],
        }


def test_an_error_of_a_window_says_only_what_it_is() -> None:
    """Its state has what earlier batches brought, which nobody knows. Mutations: told; the state of a success told."""
    windowed = redaction(windowed=True)
    clean = windowed.outcome(records("a"), failed("of another batch: 5555"), rejudge)
    assert str(clean.verdict.failure) == "E: ***"
    value = windowed.answered(windowed.of(records("a")).secrets, {"state": {"card": "5555"}, "n": 1})
    assert value == {"state": "***", "n": 1}


def test_what_was_cut_off_is_said_anew() -> None:
    """A long identifier is shortened, perhaps in the middle of a secret. Mutation: cleaned after it was shortened."""
    value = {"batchItemFailures": [{"itemIdentifier": "x" * 70 + SECRET}]}
    answer = Answer(request_id="r", duration=0.1, value=value)
    clean = redaction().outcome(records("a"), Outcome(answer, rejudge(answer)), rejudge)
    assert "4111" not in str(clean.verdict.failure)
    assert "names no record of this batch" in str(clean.verdict.failure)


def test_nothing_is_looked_at_while_nothing_fails() -> None:
    """Mutation: every batch is rendered twice."""

    def never(_: Sequence[Record]) -> Any:
        raise AssertionError

    outcome = ok()
    assert redaction(render=never, masking=Masking(mask=never)).outcome(records("a"), outcome, rejudge) is outcome


def test_what_tells_of_a_success_is_clean_too() -> None:
    answer = Answer(request_id="r", duration=0.1, value={"echo": f"<{SECRET}>", "n": int(SECRET)})
    write = InvocationRecords(about=about(redaction=redaction()), render=render)
    done = gone(outcome=Outcome(answer, Verdict(Kind.SUCCESS)), reason=SUCCESS)
    body = json.loads(write(done, Payload.OBJECT, apart=False).body)
    assert (body["requestPayload"]["cards"], body["responsePayload"]) == ("***", {"echo": "<***>", "n": "***"})


def test_what_asynchronous_invocations_say_is_missing() -> None:
    """Else a replay gives *** to a handler. Mutations: no block; no attribute; either where nothing is missing."""
    for redact, paths in ((redaction("cards"), ["cards"]), (redaction("other"), [])):
        told = about(redaction=redact)
        record = InvocationRecords(about=told, render=render, request_id=lambda _: "r")
        body = json.loads(record(gone("a", error()), Payload.OBJECT, apart=True).body)
        assert body.get("headrace") == ({"payloadRedacted": paths} if paths else None)
        letter = DeadLetters(about=told, render=render, request_id=lambda _: "r")
        attributes = letter(gone("a", error()), Payload.OBJECT, apart=True).attributes
        assert attributes.get("PayloadRedacted") == (", ".join(paths) or None)


class Nowhere:
    name = "nowhere"

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        raise AssertionError

    async def close(self) -> None: ...


@virtual
async def test_an_error_of_writing_is_told_by_its_type() -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise KeyError(SECRET)

    for discreet, said in ((True, "KeyError"), (False, f"KeyError('{SECRET}')")):
        outlet = Outlet(
            destination=Nowhere(), write=breaks, apart=True, payload=Payload.OBJECT, log=Lines(), discreet=discreet
        )
        (reply,) = await outlet(gone("a", error()))
        assert (reply.said, reply.reason) == (Said.REFUSED, f"no record can be made of it: {said}")


def test_an_exception_is_logged_by_its_type_and_place() -> None:
    """Mutations: its text; no place; a line that is not logged."""
    with capture_logs() as lines:
        told = Discreet(log(mapping="m")).bind(lane="l")
        try:
            json.loads(f"{SECRET}x")
        except ValueError as wrong:
            told.exception("one", ids=["a"])
            told.error("two", error="mine", exc_info=wrong)
        told.warning("three", error="as it is")
    assert SECRET not in repr(lines)
    one, two, three = lines
    assert (one["event"], one["error"], one["ids"], one["lane"]) == ("one", "JSONDecodeError", ["a"], "l")
    assert "json.loads" in "".join(one["stack"])
    assert (two["error"], three["error"]) == ("mine", "as it is")


@virtual
async def test_a_source_that_breaks_on_a_record_does_not_quote_it() -> None:
    """In logs and in /readyz. Mutations: its text in the reason; the text in the log."""
    planted = SOURCES["sqs"]
    sources: list[PlantedSource] = []
    for redact in (["body.card"], None):
        connector = planted.opened(sources)
        with capture_logs() as lines:
            known = opening(settings=MappingSettings(redact=redact, batch_size=1), options=planted.options, log=log())
            mapping = Mapping(connector, known, Function.of("f", print, timeout=3))
            mapping._say_failed(KeyError(SECRET))
            mapping._say_failed(OSError("no route to host"))
        assert (SECRET in repr(lines)) is (redact is None)
        assert mapping.condition.reason == "OSError: no route to host"
