"""`headrace replay`: dead letters, or a stretch of a log, are handled again, and settled one by one."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Final

from headrace.cli import common
from headrace.cli.accept import put_on_queue
from headrace.cli.places import Place, Places, RangeOf
from headrace.cli.replayed import Report, Shown
from headrace.config import Config
from headrace.config.places import printable
from headrace.errors import ConfigError, Fault, HeadraceError
from headrace.filters import Pattern, compile_pattern, faults
from headrace.plugins import Opening
from headrace.replaying.editing import Edit, compiled
from headrace.replaying.finding import Finder, Known
from headrace.replaying.progress import Progress, default_path
from headrace.replaying.replay import Limits, Replay, What
from headrace.replaying.selection import CLASSES, Selection
from headrace.replaying.sending import WINDOWED, Sending, ToHandler, ToSource, refusal
from headrace.service.signals import Signals
from headrace.times import unix

DESCRIPTION: Final = """\
Handles dead letters again. SOURCE is where they lie: a queue (URL or ARN), an S3 prefix (s3://BUCKET/PREFIX), a Kafka
topic (kafka://TOPIC), a Redis stream (redis://HOST:PORT/DB#STREAM), a file (its path), or the name of a mapping: its
failure destination, or its queue's own dead-letter queue; or that of a destination, or of a function's queue
(function:NAME). With --range it is a stretch of that mapping's stream or topic instead: FROM..TO, each TRIM_HORIZON,
LATEST, a time, or with --shard a sequence number or offset.

A letter is a failure record of headrace or Lambda, the record of an asynchronous invocation, a function's dead letter,
or a message that SQS moved itself. It is handed to its mapping's function as it was: the same records in one batch,
under their own ids; an invocation also under its own request id. A record that fails again, or that is not meant, stays
where it is. A letter leaves a queue when all of it was replayed; elsewhere it is kept, and remembered as replayed, so
that the same command goes on where it was interrupted (--delete removes it too; --restart forgets).

exit status: 0 all that was meant was replayed; 1 not: some failed again, could not be read, or it was interrupted;
2 what was written cannot be done.
"""


def add(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "replay",
        help="handle dead letters again",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common.config_file(parser)
    parser.add_argument("--from", dest="source", metavar="SOURCE", required=True, help="where the letters lie")
    parser.add_argument("--range", metavar="FROM..TO", help="of the stream or topic of the mapping SOURCE")
    parser.add_argument("--shard", metavar="ID", help="with --range: only this shard or partition")
    parser.add_argument("--mapping", metavar="NAME", help="only letters of this mapping; whose they are, if none says")
    parser.add_argument("--function", metavar="NAME", help="whose invocations they are, if none says")
    parser.add_argument(
        "--filter", metavar="PATTERN", action="append", default=[], help="only records that it fits; repeatable: or"
    )
    parser.add_argument(
        "--class", dest="classes", metavar="CLASS", action="append", default=[], help=f"of {', '.join(CLASSES)}"
    )
    parser.add_argument("--since", metavar="TIME", help="only letters of then or later: Unix seconds or ISO 8601")
    parser.add_argument("--edit", metavar="EXPR", help="jq: what it makes of each record, as filters see it")
    parser.add_argument("--to", choices=["handler", "source"], default="handler", help="default: handler")
    parser.add_argument("--rate", metavar="N/s", help="records in a second (or /m, /h) at most")
    parser.add_argument("--max", metavar="N", help="begin no letter once so many records were sent")
    parser.add_argument("--dry-run", action="store_true", help="show what would be replayed, and change nothing")
    parser.add_argument("--json", action="store_true", help="for programs: an object a letter, and one at the end")
    parser.add_argument("--delete", action="store_true", help="remove what was replayed also where it would be kept")
    parser.add_argument("--restart", action="store_true", help="forget what was replayed from there before")
    parser.add_argument("--progress", metavar="FILE", type=Path, help="where that is remembered")
    parser.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    config = common.read([arguments.files], warn=False)
    known = {name: _known(config, name) for name in config.mappings}
    names = _names(arguments, config)
    selection = _selection(arguments)
    edit, limits = _edit(arguments.edit), Limits(most=_most(arguments.max), rate=_rate(arguments.rate))
    stretch = RangeOf(arguments.range, arguments.shard) if arguments.range or arguments.shard else None
    report = partial(Report, shown=_shown(arguments), out=sys.stdout)
    with redirect_stdout(sys.stderr) if arguments.json else nullcontext():  # what a handler prints is not our JSON
        try:
            places = Places(config=config, known=known, mapping=arguments.mapping or "", delete=arguments.delete)
            place = asyncio.run(places.find(arguments.source, stretch))
            _refuse(arguments, known, arguments.mapping or place.usual)
            sending = _sending(arguments, config, names or [place.usual])
            path = arguments.progress or default_path(config.service.name, place.text)
            progress = Progress(path, restart=arguments.restart)
        except ConfigError:
            raise
        except (HeadraceError, OSError, RuntimeError) as error:
            print(f"headrace: {error}", file=sys.stderr)
            return 1
        finder = Finder(
            mappings=known,
            functions=list(config.functions),
            mapping=arguments.mapping or "",
            function=arguments.function or "",
            usual=place.usual,
        )
        replay = partial(
            Replay,
            finder=finder,
            selection=selection,
            sending=sending,
            progress=progress,
            edit=edit,
            limits=limits,
        )
        try:
            return asyncio.run(_run(replay, report, place, sending, arguments.signals))
        finally:
            progress.close()


async def _run(
    made: Callable[..., Replay],
    telling: Callable[[str], Report],
    place: Place,
    sending: Sending | None,
    signals: Signals | None,
) -> int:
    """The exit status of a whole replay."""
    mailbox = place.open()
    report = telling(mailbox.name)
    replay = made(mailbox=mailbox, tell=report.tell)
    if signals is not None:
        _listen(signals, replay)
    troubles: list[str] = []
    with report:
        try:
            await replay.run()
        except HeadraceError as error:
            troubles.append(str(error))
        for close in (mailbox.close, *([sending.close] if sending else [])):
            try:
                await close()
            except HeadraceError as error:
                troubles.append(str(error))
    report.end(replay, "; ".join(troubles))
    bad = replay.counts[What.FAILED] + replay.counts[What.UNREADABLE]
    return 1 if troubles or bad or replay.stopping.is_set() else 0


def _listen(signals: Signals, replay: Replay) -> None:
    """The first signal ends it behind the letter that is under way; a second Ctrl-C at once."""
    loop = asyncio.get_running_loop()
    signals.install()

    def force() -> None:
        print("headrace: stopped at once: the letter under way is replayed again by the next replay", file=sys.stderr)
        os._exit(1)

    signals.attach(lambda: loop.call_soon_threadsafe(replay.stopping.set), force)


def _known(config: Config, name: str) -> Known:
    mapping = config.mappings[name]
    opening: Opening = config.opening(name)
    return Known(connector=mapping.connector, opening=opening, function=mapping.function)


def _names(arguments: argparse.Namespace, config: Config) -> list[str]:
    """The mapping that is named, if one is."""
    if arguments.function is not None:
        common.one_of("function", arguments.function, config.functions)
    return [] if arguments.mapping is None else [common.one_of("mapping", arguments.mapping, config.mappings)]


def _selection(arguments: argparse.Namespace) -> Selection:
    for one in arguments.classes:
        common.one_of("class of failure", one, CLASSES)
    return Selection(
        mapping=arguments.mapping or "",
        classes=arguments.classes,
        since=None if arguments.since is None else _moment(arguments.since),
        patterns=[_pattern(one) for one in arguments.filter],
    )


def _pattern(text: str) -> Pattern:
    if found := [Fault("--filter", printable(f"{one.place}: {one}")) for one in faults(text)]:
        raise ConfigError(found)
    return compile_pattern(text)


def _moment(text: str) -> float:
    try:
        return unix(text)
    except ValueError as error:
        raise ConfigError([Fault("--since", str(error))]) from None


def _edit(expression: str | None) -> Edit | None:
    if expression is None:
        return None
    try:
        return compiled(expression)
    except ValueError as error:
        raise ConfigError([Fault("--edit", printable(" ".join(str(error).split())))]) from None


def _most(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text, re.ASCII):
        raise ConfigError([Fault("--max", f"must be a whole number of records, 1 or more, not {printable(text)}")])
    return int(text)


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?", text, re.ASCII)
    rate = float(found[1]) / {"s": 1, "m": 60, "h": 3600}[found[2] or "s"] if found else 0.0
    if not 0 < rate < math.inf:
        raise ConfigError([Fault("--rate", f"must be N/s, N/m or N/h, above 0, not {printable(text)}")])
    return rate


def _refuse(arguments: argparse.Namespace, known: dict[str, Known], mapping: str) -> None:
    """What is known before any letter is read."""
    if arguments.dry_run and (wrong := [one for one in ("delete", "restart") if getattr(arguments, one)]):
        raise ConfigError([Fault(f"--{one}", "--dry-run changes nothing; take one of both out") for one in wrong])
    if mapping not in known:
        return
    one = known[mapping]
    if arguments.to == "source" and (why := refusal(one)):
        raise ConfigError([Fault("--to", f"source: {why}")])
    if arguments.to == "handler" and one.opening.settings.tumbling_window_in_seconds:
        raise ConfigError([Fault("--to", f"handler: {WINDOWED}")])


def _sending(arguments: argparse.Namespace, config: Config, mappings: list[str]) -> Sending | None:
    """None for a preview. Only the functions that can be meant are loaded."""
    if arguments.dry_run:
        return None
    if arguments.to == "source":
        return ToSource(partial(put_on_queue, config))
    named = {config.mappings[name].function for name in mappings if name in config.mappings}
    names = {arguments.function, *named} - {None} or {one.function for one in config.mappings.values()}
    names |= set() if named or arguments.function else set(config.functions)
    return ToHandler(common.functions(config, names))


def _shown(arguments: argparse.Namespace) -> Shown:
    if arguments.json:
        return Shown.JSON
    return Shown.PREVIEW if arguments.dry_run else Shown.LINES
