"""`headrace status`: a table from the running service, asked over HTTP."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from headrace.cli import common
from headrace.config import Config
from headrace.service.live import seconds
from headrace.settings import host_and_port

PATIENCE: Final = 10.0
"""Seconds that the service may take to answer."""

COLUMNS: Final = ("mapping", "lanes", "state", "reason", "lag", "lag time", "in flight", "failed", "dropped")

DESCRIPTION: Final = """\
Asks the service that runs with this config, at service.listen, and shows each mapping: lanes, state and reason, lag in
records and time, records in flight, failures. Exit status 1 when nothing of that name answers there.
"""


class _NoAnswer(Exception):  # noqa: N818 - caught three lines on
    """Why there is no status."""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "status",
        help="a table from the running service",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    parser.add_argument("--json", action="store_true", help="for programs: what /v1/mappings answers")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files])
    try:
        answer = _ask(config)
    except _NoAnswer as why:
        print(f"headrace: {why}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(answer, indent=2))
    else:
        common.console().print(_table(answer["mappings"]))
    return 0


def _ask(config: Config) -> dict[str, Any]:
    if config.service.listen is None:
        raise _NoAnswer("service.listen is null: this service cannot be asked")
    host, port = host_and_port(config.service.listen)
    if not port:
        taken = "the service logged the one it took (http.listening)"
        raise _NoAnswer(f"service.listen has port 0: {taken}; write a fixed one, as 127.0.0.1:8480")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/v1/mappings")
        answer = json.loads(connection.getresponse().read())
    except OSError as error:
        raise _NoAnswer(f"nothing answers at {host}:{port} ({error}); is the service running?") from None
    except (HTTPException, ValueError):
        raise _NoAnswer(f"what answers at {host}:{port} is not headrace") from None
    finally:
        connection.close()
    if not isinstance(answer, dict) or "service" not in answer or "mappings" not in answer:
        raise _NoAnswer(f"what answers at {host}:{port} is not headrace")
    if answer["service"] != config.service.name:
        raise _NoAnswer(f"the service at {host}:{port} is {answer['service']!r}, not {config.service.name!r}")
    return answer


def _table(views: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        text = name in ("mapping", "state", "reason")
        table.add_column(name, justify="left" if text else "right", overflow="fold")
    for view in views:
        for row in _rows(view):
            table.add_row(*map(Text, row))
    return table


def _rows(view: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The mapping; below it each lane, where there are several."""
    lanes, counts = view["lanes"], view["counts"]
    lags = [lane["lag_seconds"] for lane in lanes if lane["lag_seconds"] is not None]
    yield (
        view["mapping"],
        str(len(lanes)),
        view["state"],
        view["reason"],
        "?" if view["lag_records"] is None else f"{view['lag_records']:,}",
        seconds(max(lags)) if lags else "?",
        f"{view['in_flight']:,}",
        f"{counts['failed']:,}",
        f"{counts['dropped']:,}",
    )
    for lane in lanes if len(lanes) > 1 else ():
        lag = "?" if lane["lag_seconds"] is None else seconds(lane["lag_seconds"])
        counts = lane["counts"]
        yield (
            f"  {lane['lane']}",
            "",
            lane["state"],
            lane["reason"],
            "",
            lag,
            f"{lane['in_flight']:,}",
            f"{counts['failed']:,}",
            f"{counts['dropped']:,}",
        )
