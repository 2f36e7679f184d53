"""What `--from` means: a mapping's dead letters, a stretch of its log, or a place by its address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from headrace.cli import common
from headrace.cli.targets import read_target
from headrace.config import Config, MappingConfig
from headrace.errors import ConfigError, Fault, SourceUnavailable
from headrace.mailbox import Mailbox, MailboxKind
from headrace.plugins import Destined, Opening
from headrace.replaying.finding import Known
from headrace.replaying.ranges import RangeMailbox
from headrace.right import Right
from headrace.seeking import Edge, Target

ASKING: Final = 15.0
"""Seconds that a server has to say where its dead letters are."""

USUAL_SIZE: Final = 100
"""Records of a batch where the mapping does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where letters lie.

    Attributes:
        text: names it, however it was written, for what is remembered of it.
        open: the mailbox, given the names of letters of which something is remembered.
        usual: the mapping whose letters they are, where they do not say it.
        mapping, path: whose way there is taken, and where in its config it is written; no path: it is not.
        rights: what a replay must be allowed to do there.
    """

    text: str
    open: Callable[[Collection[str]], Mailbox]
    usual: str = ""
    mapping: str = ""
    path: str = ""
    rights: Callable[[], Iterable[Right]] = tuple


@dataclass(frozen=True, slots=True)
class RangeOf:
    """What was written of a range."""

    text: str | None
    shard: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Finds the place that a text means.

    Attributes:
        option: that the text was given with, for faults.
        mapping: the mapping that is named besides, if one is: its section of AWS or Kafka leads to an address.
        delete: what was replayed is to be removed.
    """

    config: Config
    known: Mapping[str, Known]
    option: str = "--from"
    mapping: str = ""
    delete: bool = False

    async def find(self, source: str, stretch: RangeOf | None) -> Place:
        """The place that *source* means.

        Raises:
            ConfigError: it means none.
            SourceUnavailable: a server that must say it does not.
        """
        if stretch is not None:
            return self._range(self.known[common.one_of("mapping", source, self.known)], stretch)
        place = self.written(source)
        if place is None and source in self.known:
            place = await self._asked(self.known[source])
        if place is None:
            raise self.nowhere(source)
        return place

    def written(self, source: str) -> Place | None:
        """The same, by the config alone; None: it means none, or a server must say which.

        Raises:
            ConfigError: it means several.
        """
        if source in self.known:
            sent = destinations(self.config.mappings[source])
            place = self._of_destinations(source, sent, self.known[source].opening)
            return place and replace(place, usual=source)
        if (queue := self.config.queues.get(source)) is not None:
            return self._of_destinations(source, _given_up(queue), self.config.opening(source))
        if (named := self.config.destinations.get(source)) is not None:
            return self._of_destinations(source, named)
        return self._at(source)

    def nowhere(self, source: str) -> ConfigError:
        """That no letters lie at *source*."""
        if source in self.known:
            why = "has no failure destination whose letters can be read, and its source no dead letters of its own"
            return ConfigError([Fault(self.option, f"{source} {why}; write where they lie")])
        forms = ", ".join(kind.form for kind in self.config.catalog.mailboxes)
        known = ", ".join([*self.config.all, *self.config.destinations])
        names = f"the name of a mapping, a destination or a function's queue ({known})"
        return ConfigError([Fault(self.option, f"{source!r} is no place of letters; write {forms} or {names}")])

    def senders(self, place: Place) -> list[str]:
        """The mappings, and queues of functions, that send there what they give up."""
        return [name for name, mapping in self.config.all.items() if self._sends(name, mapping, place)]

    def _sends(self, name: str, mapping: MappingConfig, place: Place) -> bool:
        opening = self.config.opening(name)
        sent = self._readable(_given_up(mapping))
        return any(_place_of(kind, opening, one.options) == place.text for kind, one in sent)

    def _leading(self, kind: MailboxKind, options: Any) -> Opening:
        """Of the mapping that is named, or of the first that leads to such a place's server."""
        openings = [self.config.opening(name) for name in ([self.mapping] if self.mapping else self.config.all)]
        astray = [kind.astray(one, options) for one in openings]
        if all(astray):
            raise ConfigError([Fault(self.option, f"{kind.form}: {astray[0]}")])
        return openings[astray.index("")]

    def _readable(self, several: Iterable[Destined]) -> list[tuple[MailboxKind, Destined]]:
        """Those of *several* whose letters can be read, each with how."""
        kinds = {kind.type: kind for kind in self.config.catalog.mailboxes}
        return [(kinds[one.kind.type], one) for one in several if one.kind.type in kinds]

    def _at(self, text: str) -> Place | None:
        """By its address. Whose own destination it is, mapping or function, lends it its way there."""
        for kind in self.config.catalog.mailboxes:
            if (written := kind.text(text)) is None:
                continue
            options = self._options(kind, written)
            for name, mapping in self.config.all.items():
                for destined in _given_up(mapping):
                    opening = self.config.opening(name)
                    if destined.kind.type == kind.type and _same(kind, opening, destined.options, options):
                        return self._place(kind, opening, destined.options, destined.path)
            return self._place(kind, self._leading(kind, options), options)
        return None

    def _of_destinations(self, name: str, to: Sequence[Destined], opening: Opening | None = None) -> Place | None:
        """The one of these whose letters can be read, as *opening* sends there; None where there is none."""
        found = self._readable(to)
        if len(found) > 1:
            words = ", ".join(self._called(kind, opening, one) for kind, one in found)
            raise ConfigError([Fault(self.option, f"{name} sends to several places ({words}): write which one")])
        if not found:
            return None
        ((kind, one),) = found
        return self._place(kind, opening or self._leading(kind, one.options), one.options, one.path)

    def _called(self, kind: MailboxKind, opening: Opening | None, to: Destined) -> str:
        """Which of several it is: by its name, if it has one, and its place."""
        top, _, rest = to.path.partition(".")
        name = f"{rest.partition('.')[0]}: " if top == "destinations" else ""
        if kind.shown is not None:
            return f"{name}{kind.type} {kind.shown(to.options)}"
        return name + _place_of(kind, opening or self._leading(kind, to.options), to.options)

    async def _asked(self, known: Known) -> Place | None:
        """Where the source's own dead letters are."""
        address = await _dead_letters(known)
        place = None if address is None else self._at(address)
        return place and replace(place, usual=known.opening.mapping)

    def _options(self, kind: MailboxKind, written: Mapping[str, Any]) -> Any:
        try:
            return kind.options(**written)
        except ValidationError as error:
            why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
            raise ConfigError([Fault(self.option, f"names {kind.form}, but {why}")]) from None

    def _place(self, kind: MailboxKind, opening: Opening, options: Any, path: str = "") -> Place:
        if self.delete and kind.no_delete:
            raise ConfigError([Fault("--delete", kind.no_delete)])
        return Place(
            text=_place_of(kind, opening, options),
            open=lambda _: kind.open(opening, options, self.delete),
            mapping=opening.mapping,
            path=path,
            rights=lambda: kind.rights(opening, options),
        )

    def _range(self, known: Known, stretch: RangeOf) -> Place:
        name, recall = known.opening.mapping, known.connector.recall
        if stretch.text is None:
            raise ConfigError([Fault("--shard", "is for a range: write --range FROM..TO")])
        if recall is None or recall.reread is None:
            why = f"{known.connector.type} keeps nothing that was handled; --range is for a stream or a topic"
            raise ConfigError([Fault("--range", f"{name}: {why}")])
        if self.delete:
            raise ConfigError([Fault("--delete", "nothing is deleted from a stream or a topic; take it out")])
        first, last = _ends(stretch, offsets=known.connector.seek is not None)
        size, reread = known.opening.settings.batch_size or USUAL_SIZE, recall.reread

        def opened(begun: Collection[str]) -> RangeMailbox:
            rereader = reread(known.opening)
            return RangeMailbox(
                name=f"records of {name}",
                rereader=rereader,
                first=first,
                last=last,
                lane=stretch.shard,
                size=size,
                taken=known.taken(rereader.render),
                begun=begun,
            )

        return Place(text=f"{name} {stretch.text} {stretch.shard or ''}", open=opened, usual=name)


def known(config: Config) -> dict[str, Known]:
    """The mappings of *config*, by name."""
    return {
        name: Known(connector=one.connector, opening=config.opening(name), function=one.function)
        for name, one in config.mappings.items()
    }


def destinations(mapping: MappingConfig) -> list[Destined]:
    """Where a mapping sends what it gives up, by whatever rule; each once."""
    return mapping.on_failure.destinations if mapping.on_failure else []


def _given_up(mapping: MappingConfig) -> list[Destined]:
    """The same, and of a function's queue its dead letters."""
    return [*destinations(mapping), *([mapping.dead_letter] if mapping.dead_letter else [])]


def _place_of(kind: MailboxKind, opening: Opening, options: Any) -> str:
    return f"{kind.type} {kind.identity(opening, options)}"


def _same(kind: MailboxKind, opening: Opening, theirs: Any, written: Any) -> bool:
    return kind.identity(opening, theirs) == kind.identity(opening, written)


async def _dead_letters(known: Known) -> str | None:
    ask = known.connector.recall and known.connector.recall.dead_letters
    if not ask:
        return None
    try:
        async with asyncio.timeout(ASKING):
            return await ask(known.opening)
    except TimeoutError:
        raise SourceUnavailable(f"no answer within {ASKING:g} s") from None


def _ends(stretch: RangeOf, *, offsets: bool) -> tuple[Target, Target]:
    first, dots, last = (stretch.text or "").partition("..")
    if not dots:
        raise ConfigError([Fault("--range", "must be FROM..TO, as 2026-01-31T12:00:00Z..LATEST")])
    read = partial(read_target, shard=stretch.shard, offsets=offsets, option="--range", one_of_two=True)
    begin, end = read(first or Edge.TRIM_HORIZON.value), read(last or Edge.LATEST.value)
    if begin is Edge.LATEST or end is Edge.TRIM_HORIZON:
        raise ConfigError([Fault("--range", "begins at LATEST or ends at TRIM_HORIZON: nothing lies there")])
    return begin, end
