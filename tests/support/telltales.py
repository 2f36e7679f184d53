"""Handlers that give away what they are given, in every way that one may fail; and destinations that keep it all."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.plugins import DestinationKind, Destined, Probe
from headrace.settings import Settings
from headrace_connectors.catalog import catalog
from support.planted import NUMBER, SECRET

Answer = Callable[[Any, Any], Any]


def raising(text: Callable[[Any], object]) -> Answer:
    def handler(event: Any, _: Any) -> None:
        raise ValueError(text(event))

    return handler


def named(error: str) -> Answer:
    def handler(*_: Any) -> None:
        raise type(error, (Exception,), {})

    return handler


def chained(event: Any, _: Any) -> None:
    try:
        raise KeyError(SECRET)  # noqa: TRY301 - as handlers do
    except KeyError as error:
        raise RuntimeError(f"lost {SECRET}") from error


async def late(*_: Any) -> None:
    await asyncio.sleep(60)


def leaving(*_: Any) -> None:
    raise SystemExit(SECRET)


def naming(event: Any, _: Any) -> Any:
    """Every record by its id, or by what it has in its place."""
    records = [*event.get("Records", []), *(one for each in event.get("records", {}).values() for one in each)]
    ids = [
        one.get("messageId")
        or one.get("kinesis", one.get("dynamodb", {})).get(
            "sequenceNumber", one.get("dynamodb", {}).get("SequenceNumber")
        )
        or {"partition": f"{one['topic']}-{one['partition']}", "offset": one["offset"]}
        for one in records
    ]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in ids]}


def naming_others(*_: Any) -> Any:
    return {"batchItemFailures": [{"itemIdentifier": f"{'x' * 60}{SECRET}{NUMBER}"}]}


QUOTING: Mapping[str, Callable[[Any], object]] = {
    "plain": lambda _: f"card {SECRET} and {NUMBER}",
    "repr": lambda _: repr(SECRET),
    "itself": lambda event: event,
    "its repr": lambda event: f"{event!r}",
    "its JSON": json.dumps,
    "its JSON in UTF-8": lambda event: json.dumps({"event": json.dumps(event, ensure_ascii=False)}, ensure_ascii=False),
    "its bytes": lambda event: repr(json.dumps(event).encode()),
    "the body": lambda event: str(event.get("Records", [event])[0].get("body")) if isinstance(event, dict) else event,
    "ascii": lambda _: ascii(SECRET),
    "a URL": lambda _: f"https://bank.example/{quote(SECRET, safe='')}?q={quote_plus(SECRET)}&n={NUMBER}",
    "base64": lambda _: [base64.b64encode(b"x" * n + f"{SECRET}{NUMBER}".encode()).decode() for n in range(3)],
    "base64 of JSON": lambda event: base64.urlsafe_b64encode(json.dumps(event).encode()).decode(),
}
WAYS: Mapping[str, Answer] = {
    **{f"raises {name}": raising(text) for name, text in QUOTING.items()},
    "raises a type": named(f"Bad{NUMBER}"),
    "raises of another": chained,
    "exits": leaving,
    "times out": late,
    "names records": naming,
    "names others": naming_others,
    "answers oddly": lambda *_: SECRET,
    "misspells": lambda *_: {f"batchItemFailures{NUMBER}": [SECRET]},
    "answers bytes": lambda *_: SECRET.encode(),
    "answers what is no JSON": lambda *_: {SECRET: object()},
    "succeeds": lambda event, _: {"echo": event, "cards": [SECRET, NUMBER, {SECRET: [NUMBER]}]},
}


class Shelf:
    """A destination that keeps what it is sent. The first time it answers that it is away, and quotes what it got."""

    name = "shelf"

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        first = not self.sent
        self.sent += messages
        if first:
            return [Reply(Said.FAILED, f"no: {one.key} {one.body.decode()}") for one in messages]
        return [CONFIRMED] * len(messages)

    async def close(self) -> None: ...


async def no_probe(*_: object) -> Probe:
    return Probe()


def shelved(shelf: Shelf) -> list[Destined]:
    """Every kind that there is, by what it asks of a message; each is opened as a shelf of its own."""
    kinds = [dataclasses.replace(one, open=lambda *_: shelf, probe=no_probe) for one in catalog.destinations]
    plain = DestinationKind(type="plain", summary="", options=Settings, open=lambda *_: shelf, probe=no_probe)
    return [Destined(kind=kind, options=Settings()) for kind in [*kinds, plain]]
