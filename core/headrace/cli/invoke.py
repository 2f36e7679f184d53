"""`headrace invoke`: one event through a function, as a mapping would call it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from headrace.cli import common
from headrace.cli.accept import accept
from headrace.config import Config
from headrace.errors import ConfigError, Fault
from headrace.functions import Function
from headrace.functions.context import Delivery
from headrace.jsonbytes import no_constant
from headrace.model import Answer, Event
from headrace.verdict import Rules, Verdict, judge

DEPTH: Final = 2
"""How deep in a record its id may lie: `messageId`, `kinesis.sequenceNumber`."""

DESCRIPTION: Final = """\
Calls FUNCTION once with the event, with its time-out, context and environment, and prints the answer, how long it took,
and what it would mean for a batch: by the settings of the mappings that use the function.

--async puts the event on the function's queue in service.state, and prints its request id: a running service invokes
it, tries again and tells its destinations as event_invoke_config and dead_letter_config say.

exit status: 0 success; 1 the call failed, wholly or in part, or was not accepted; 2 the config or the event cannot be
used.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "invoke",
        help="one event through a function; prints answer, duration, verdict",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    parser.add_argument("function", metavar="FUNCTION", help="its name in the config")
    parser.add_argument("--event", metavar="FILE", help="JSON of the event; - is standard input; without it {}")
    parser.add_argument(
        "--async", action="store_true", dest="asynchronous", help="put it on the function's queue, and do not wait"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one object")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files])
    name = common.one_of("function", arguments.function, config.functions)
    event = _event(arguments.event)
    if arguments.asynchronous:
        return accept(config, name, event, as_json=arguments.json)
    rules, mapping = _rules(config, name)
    ids = set(_texts(event.get("Records"), DEPTH + 1)) if isinstance(event, dict) else set()
    with redirect_stdout(sys.stderr) if arguments.json else nullcontext():  # what a handler prints is not our JSON
        function = common.functions(config, [name])[name]
        answer = asyncio.run(_call(function, event, Delivery(mapping=mapping, lane="invoke", epoch=0, attempt=1)))
    verdict = judge(answer, ids, rules)
    print(json.dumps(_plain(answer, verdict), indent=2) if arguments.json else _lines(answer, verdict))
    return 0 if verdict.all_well else 1


async def _call(function: Function, event: Event, delivery: Delivery) -> Answer:
    try:
        return await function.call(event, delivery)
    finally:
        await function.close()


def _event(file: str | None) -> Any:
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        return json.loads(text, parse_constant=no_constant)
    except OSError as error:
        raise ConfigError([Fault("--event", f"{file} cannot be read: {error.strerror}; name a file, or -")]) from None
    except (ValueError, RecursionError) as error:
        where = "standard input" if file == "-" else file
        raise ConfigError([Fault("--event", f"{where} cannot be read as JSON: {error}")]) from None


def _rules(config: Config, function: str) -> tuple[Rules, str]:
    """How answers are read: as the first enabled mapping that uses the function does; it is said which."""
    users = [one for one in config.mappings.values() if one.function == function]
    users.sort(key=lambda one: not one.settings.enabled)
    if not users:
        return Rules(), ""
    first = users[0]
    if len(users) > 1:
        print(f"the answer is read as mapping {first.name} reads it", file=sys.stderr)
    return replace(Rules.of(first.settings), windowed=False), first.name  # nobody asked about a window's state


def _texts(value: object, depth: int) -> Iterator[str]:
    """What may be a record's id: only its connector knows which it is."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one, depth - 1)


def _plain(answer: Answer, verdict: Verdict) -> dict[str, object]:
    failure = verdict.failure
    return {
        "answer": answer.value,
        "error": failure and {"errorType": failure.type, "errorMessage": failure.message, "stackTrace": failure.stack},
        "duration": round(answer.duration, 6),
        "verdict": verdict.kind.value,
        "failed": sorted(verdict.failed),
        "request_id": answer.request_id,
    }


def _lines(answer: Answer, verdict: Verdict) -> str:
    lines = [f"answer:   {json.dumps(answer.value, indent=2, ensure_ascii=False)}"]
    if verdict.failure is not None:
        lines += [f"error:    {verdict.failure}", *(line.rstrip("\n") for line in verdict.failure.stack)]
    lines += [f"duration: {answer.duration * 1000:.1f} ms", f"verdict:  {verdict.kind.value}"]
    lines += [f"failed:   {identifier}" for identifier in sorted(verdict.failed)]
    return "\n".join(lines)
