"""`headrace replay`: dead letters, or a stretch of a log, are handled again, and settled one by one."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Final

from headrace.cli import common
from headrace.cli.accept import put_on_queue
from headrace.cli.ledgers import opened
from headrace.cli.places import Place, Places, RangeOf, known
from headrace.cli.replayed import Report, Shown
from headrace.cli.wanted import edit, gathered, limits, selection
from headrace.config import Config
from headrace.errors import ConfigError, Fault, HeadraceError
from headrace.mailbox import Mailbox
from headrace.replaying.claimed import Tickets
from headrace.replaying.finding import Finder, Known
from headrace.replaying.once import OncePerKey
from headrace.replaying.progress import NotProgress, Progress, default_path
from headrace.replaying.replay import Replay, What
from headrace.replaying.selection import CLASSES
from headrace.replaying.sending import WINDOWED, Sending, ToHandler, ToSource, refusal
from headrace.service.signals import Signals

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
    parser.add_argument("--service", metavar="NAME", help="only letters of this service; default: the config's")
    parser.add_argument("--mapping", metavar="NAME", help="only letters of this mapping; whose they are, if none says")
    parser.add_argument("--function", metavar="NAME", help="only this one's invocations; whose they are, if none says")
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
    _refuse_together(arguments)
    config = common.read([arguments.files], warn=False)
    goes_on = f"the same command{' without --restart' if arguments.restart else ''} goes on"
    report = partial(Report, shown=_shown(arguments), goes_on=goes_on, out=sys.stdout)
    with redirect_stdout(sys.stderr) if arguments.json else nullcontext():  # what a handler prints is not our JSON
        try:
            return _replay(arguments, config, report)
        except ConfigError:
            raise
        except (HeadraceError, OSError, RuntimeError) as error:
            print(f"headrace: {error}", file=sys.stderr)
            return 1


def _replay(arguments: argparse.Namespace, config: Config, report: Callable[[str], Report]) -> int:
    """The exit status. All that can be refused is refused before a letter is read."""
    mappings = known(config)
    asked = gathered(
        named=lambda: _named(arguments, config),
        selection=lambda: selection(arguments, config),
        edit=lambda: edit(arguments.edit),
        limits=lambda: limits(arguments),
    )
    named = asked.pop("named")
    asked["tickets"] = _tickets(config)
    stretch = RangeOf(arguments.range, arguments.shard) if arguments.range or arguments.shard else None
    places = Places(config=config, known=mappings, mapping=named, delete=arguments.delete)
    place = asyncio.run(places.find(arguments.source, stretch))
    _refuse(arguments, mappings.get(named or place.usual))
    stopping = asyncio.Event()
    owners = [named] if named else [place.usual, *places.senders(place)] if place.usual or arguments.function else []
    sending = _sending(arguments, config, owners, stopping)
    finder = Finder(
        mappings=mappings,
        functions=list(config.functions),
        mapping=named,
        function=arguments.function or "",
        usual=place.usual,
    )
    with closing(_progress(arguments, config, place)) as progress:
        asked |= {"sending": sending, "progress": progress, "stopping": stopping}
        made = partial(Replay, finder=finder, **asked)
        opens = partial(place.open, progress.letters)
        return asyncio.run(_run(made, report, opens, sending, arguments.signals))


async def _run(
    made: Callable[..., Replay],
    telling: Callable[[str], Report],
    opens: Callable[[], Mailbox],
    sending: Sending | None,
    signals: Signals | None,
) -> int:
    """The exit status of a whole replay."""
    mailbox = opens()
    report = telling(mailbox.name)
    replay = made(mailbox=mailbox, tell=report.tell)
    if signals is not None:
        _listen(signals, replay)
    troubles: list[str] = []
    with report:
        for work in (replay.run, mailbox.close, *([sending.close] if sending else [])):
            try:
                await work()
            except (HeadraceError, OSError) as error:
                troubles.append(str(error))
    report.end(replay, "; ".join(troubles))
    bad = replay.counts[What.FAILED] + replay.counts[What.UNREADABLE]
    return 1 if troubles or bad or replay.stopping.is_set() else 0


def _listen(signals: Signals, replay: Replay) -> None:
    """The first signal ends it behind the letter that is under way; a second Ctrl-C at once."""
    loop = asyncio.get_running_loop()
    signals.install()

    def stop() -> None:
        if not replay.stopping.is_set():
            print("headrace: ends behind the letter under way; Ctrl-C once more: at once", file=sys.stderr)
            replay.stopping.set()

    def force() -> None:
        print("headrace: stopped at once: the letter under way is replayed again by the next replay", file=sys.stderr)
        os._exit(1)

    signals.attach(lambda: loop.call_soon_threadsafe(stop), force)


def _progress(arguments: argparse.Namespace, config: Config, place: Place) -> Progress:
    path = arguments.progress or default_path(config.service.name, place.text)
    try:
        return Progress(path, restart=arguments.restart)
    except OSError as error:
        raise ConfigError([Fault("--progress", f"{path} cannot be kept: {error.strerror}; name another")]) from None
    except NotProgress as error:
        raise ConfigError([Fault("--progress", str(error))]) from None


def _tickets(config: Config) -> Tickets:
    """Of every mapping and every function's queue."""
    openings = [config.opening(name) for name in config.all]
    return Tickets([(opening, check) for opening in openings for check in opening.claim_checks])


def _named(arguments: argparse.Namespace, config: Config) -> str:
    """The mapping that is named; empty where none is."""
    if arguments.function is not None:
        common.one_of("function", arguments.function, config.functions)
    return "" if arguments.mapping is None else common.one_of("mapping", arguments.mapping, config.mappings)


def _refuse_together(arguments: argparse.Namespace) -> None:
    """What contradicts itself."""
    if arguments.dry_run and (wrong := [one for one in ("delete", "restart") if getattr(arguments, one)]):
        raise ConfigError([Fault(f"--{one}", "--dry-run changes nothing; take one of both out") for one in wrong])


def _refuse(arguments: argparse.Namespace, known: Known | None) -> None:
    """What the mapping cannot do whose letters they are, where that is known."""
    if known is None:
        return
    if arguments.to == "source" and (why := refusal(known)):
        raise ConfigError([Fault("--to", f"source: {why}")])
    if arguments.to == "handler" and known.opening.settings.tumbling_window_in_seconds:
        raise ConfigError([Fault("--to", f"handler: {WINDOWED}")])


def _sending(
    arguments: argparse.Namespace, config: Config, owners: Sequence[str], stopping: asyncio.Event
) -> Sending | None:
    """None for a preview. Where it is known whose letters there can be, *owners*, no other functions are loaded."""
    if arguments.dry_run:
        return None
    if arguments.to == "source":
        return ToSource(partial(put_on_queue, config))
    meant = {config.all[name].function for name in owners if name in config.all} | {arguments.function} - {None}
    to_handler = ToHandler(common.functions(config, meant or set(config.functions)))
    if config.state == "memory:":  # nobody else has verdicts that this process could know
        return to_handler
    return OncePerKey(to_handler, partial(opened, config), stopping)


def _shown(arguments: argparse.Namespace) -> Shown:
    if arguments.json:
        return Shown.JSON
    return Shown.PREVIEW if arguments.dry_run else Shown.LINES
