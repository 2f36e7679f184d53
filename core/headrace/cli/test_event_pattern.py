"""`headrace test-event-pattern`: does an event match a pattern?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from headrace.cli import common
from headrace.config.places import printable
from headrace.errors import ConfigError, Fault
from headrace.filters import compile_pattern, faults
from headrace.filters.tree import read_event

FILE: Final = "file://"

DESCRIPTION: Final = """\
Matches the event against the pattern as EventBridge does (for a mapping's filters: the record as its source shows it,
with the body parsed). Values are JSON, or file://PATH as for the AWS CLI.

exit status: 0 it matches; 1 it does not; 2 the pattern or the event is invalid, with the reason and the place.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "test-event-pattern",
        help="does an event match a pattern?",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--event-pattern", metavar="JSON", required=True, help="the pattern")
    parser.add_argument("--event", metavar="JSON", required=True, help="the event")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    found: list[Fault] = []
    pattern = _value("--event-pattern", arguments.event_pattern, found)
    event = _event(_value("--event", arguments.event, found), found)
    if pattern is not None:
        found += [Fault("--event-pattern", printable(f"{one.place}: {one}")) for one in faults(pattern)]
    if found or pattern is None or event is None:
        raise ConfigError(found)
    result = compile_pattern(pattern).matches(event)
    print(json.dumps({"Result": result}))
    return 0 if result else 1


def _value(option: str, written: str, found: list[Fault]) -> str | None:
    """The text that *written* is, or that lies in the file it names; None, and a fault, where there is none."""
    if not written.startswith(FILE):
        return written
    path = written.removeprefix(FILE)
    try:
        return Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError:
        found.append(Fault(option, f"{printable(path)} is not UTF-8; save it as UTF-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        found.append(Fault(option, printable(f"{path} cannot be read: {why}; name a file")))
    return None


def _event(text: str | None, found: list[Fault]) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        event = read_event(text)
    except ValueError as error:
        found.append(Fault("--event", printable(f"Event is not valid. Reason: it is not JSON: {error}")))
        return None
    if isinstance(event, dict):
        return event
    found.append(Fault("--event", "$: Event is not valid. Reason: Event is not an object; write a JSON object"))
    return None
