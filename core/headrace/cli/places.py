"""What `--from` means: a mapping's dead letters, a stretch of its log, or a place by its address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from headrace.cli import common
from headrace.config import Config, MappingConfig
from headrace.errors import ConfigError, Fault, SourceUnavailable
from headrace.mailbox import Mailbox, MailboxKind
from headrace.plugins import Destined, Opening
from headrace.replaying.finding import Known
from headrace.replaying.ranges import RangeMailbox
from headrace.seeking import At, Edge, Target
from headrace.seeking import Sequence as Number
from headrace.times import unix

ASKING: Final = 15.0
"""Seconds that a server has to say where its dead letters are."""

USUAL_SIZE: Final = 100
"""Records of a batch where the mapping does not say."""

LONGEST_TIME: Final = 13
"""Digits of a time; a number with more is a sequence number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where letters lie.

    Attributes:
        text: names it, however it was written, for what is remembered of it.
        open: the mailbox.
        usual: the mapping whose letters they are, where they do not say it.
    """

    text: str
    open: Callable[[], Mailbox]
    usual: str = ""


@dataclass(frozen=True, slots=True)
class RangeOf:
    """What was written of a range."""

    text: str | None
    shard: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Finds the place that a text means.

    Attributes:
        mapping: the mapping that is named besides, if one is: its section of AWS or Kafka leads to an address.
        delete: what was replayed is to be removed.
    """

    config: Config
    known: Mapping[str, Known]
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
        if source in self.known:
            return await self._of_mapping(self.known[source])
        if (queue := self.config.queues.get(source)) is not None:
            opening = self.config.opening(next(iter(self.known)))
            dead = [queue.dead_letter] if queue.dead_letter else []
            place = self._of_destinations(source, [*destinations(queue), *dead], opening)
        elif (named := self.config.destinations.get(source)) is not None:
            place = self._of_destinations(source, named, self.config.opening(self.mapping or next(iter(self.known))))
        else:
            place = self._at(source)
        if place is not None:
            return place
        forms = ", ".join(kind.form for kind in self.config.catalog.mailboxes)
        names = f"a mapping's or destination's name ({', '.join([*self.known, *self.config.destinations])})"
        raise ConfigError([Fault("--from", f"{source!r} is no place of letters; write {forms} or {names}")])

    def _at(self, text: str) -> Place | None:
        """By its address. A mapping whose own destination it is lends it its way there."""
        for kind in self.config.catalog.mailboxes:
            if (written := kind.text(text)) is None:
                continue
            options = _options(kind, written)
            for name, mapping in self.config.mappings.items():
                for destined in destinations(mapping):
                    opening = self.config.opening(name)
                    if destined.kind.type == kind.type and _same(kind, opening, destined.options, options):
                        return self._place(kind, opening, destined.options)
            name = self.mapping or next(iter(self.config.mappings))
            return self._place(kind, self.config.opening(name), options)
        return None

    def _of_destinations(self, name: str, to: Sequence[Destined], opening: Opening) -> Place | None:
        """The one of these whose letters can be read; None where there is none."""
        kinds = {kind.type: kind for kind in self.config.catalog.mailboxes}
        found = [one for one in to if one.kind.type in kinds]
        if len(found) > 1:
            words = ", ".join(_written(kinds[one.kind.type], opening, one) for one in found)
            raise ConfigError([Fault("--from", f"{name} sends to several places ({words}): write which one")])
        if not found:
            return None
        kind = kinds[found[0].kind.type]
        return self._place(kind, opening, found[0].options)

    async def _of_mapping(self, known: Known) -> Place:
        name = known.opening.mapping
        if (place := self._of_destinations(name, destinations(self.config.mappings[name]), known.opening)) is not None:
            return replace(place, usual=name)
        address = await _dead_letters(known)
        if address is not None and (place_there := self._at(address)) is not None:
            return replace(place_there, usual=name)
        why = "has no failure destination whose letters can be read, and its source no dead letters of its own"
        raise ConfigError([Fault("--from", f"{name} {why}; write where they lie")])

    def _place(self, kind: MailboxKind, opening: Opening, options: Any) -> Place:
        if self.delete and kind.no_delete:
            raise ConfigError([Fault("--delete", kind.no_delete)])
        return Place(text=_place_of(kind, opening, options), open=lambda: kind.open(opening, options, self.delete))

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
        return Place(
            text=f"{name} {stretch.text} {stretch.shard or ''}",
            open=lambda: RangeMailbox(
                name, reread(known.opening), first=first, last=last, lane=stretch.shard, size=size
            ),
            usual=name,
        )


def destinations(mapping: MappingConfig) -> list[Destined]:
    """Where a mapping sends what it gives up, by whatever rule; each once."""
    return mapping.on_failure.destinations if mapping.on_failure else []


def _place_of(kind: MailboxKind, opening: Opening, options: Any) -> str:
    return f"{kind.type} {kind.identity(opening, options)}"


def _written(kind: MailboxKind, opening: Opening, to: Destined) -> str:
    """Which of several it is: by its name, if it has one, and its place."""
    top, _, rest = to.path.partition(".")
    name = f"{rest.partition('.')[0]}: " if top == "destinations" else ""
    return name + _place_of(kind, opening, to.options)


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


def _options(kind: MailboxKind, written: Mapping[str, Any]) -> Any:
    try:
        return kind.options(**written)
    except ValidationError as error:
        why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise ConfigError([Fault("--from", f"names {kind.form}, but {why}")]) from None


def _ends(stretch: RangeOf, *, offsets: bool) -> tuple[Target, Target]:
    first, dots, last = (stretch.text or "").partition("..")
    if not dots:
        raise ConfigError([Fault("--range", "must be FROM..TO, as 2026-01-31T12:00:00Z..LATEST")])
    begin = _target(first or Edge.TRIM_HORIZON.value, stretch.shard, offsets=offsets)
    end = _target(last or Edge.LATEST.value, stretch.shard, offsets=offsets)
    if begin is Edge.LATEST or end is Edge.TRIM_HORIZON:
        raise ConfigError([Fault("--range", "begins at LATEST or ends at TRIM_HORIZON: nothing lies there")])
    return begin, end


def _target(text: str, shard: str | None, *, offsets: bool) -> Target:
    """What an end of a range means; *offsets*: a number beside a shard is an offset, however short."""
    if text in Edge.__members__:
        return Edge[text]
    if text.isdecimal() and (len(text) > LONGEST_TIME or (offsets and shard is not None)):
        if shard is None:
            raise ConfigError([Fault("--range", "a sequence number is of one shard: name it with --shard")])
        return Number(text)
    try:
        return At(unix(text))
    except ValueError:
        why = f"{text!r} must be TRIM_HORIZON, LATEST, a time (Unix seconds or ISO 8601) or a sequence number"
        raise ConfigError([Fault("--range", why)]) from None
