"""What a connector is to the rest: a registration. Catalogs hold them, and are found by entry point."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel

from headrace.claims import Claims
from headrace.destination import Destination, Payload
from headrace.errors import ConfigError, Fault
from headrace.filters import View
from headrace.ledger import Ledger, LedgerKind, LedgerOpening
from headrace.mailbox import MailboxKind, Recall
from headrace.masking import Masking
from headrace.memory import open_memory
from headrace.model import Keep, Record, Source, Traits
from headrace.opening import Opening, Probe, mapping_uuid
from headrace.right import Right
from headrace.routing import Destined, Route, Routing
from headrace.seeking import Moved, Target
from headrace.settings import OptionsModel
from headrace.shards import Shards
from headrace.sqlite import open_sqlite, path_of

__all__ = [
    "GROUP",
    "NO_MASKING",
    "NO_VIEW",
    "Catalog",
    "Command",
    "Connector",
    "DestinationKind",
    "Destined",
    "Limit",
    "Opening",
    "OptionsModel",
    "Probe",
    "Route",
    "Routing",
    "discover",
    "mapping_uuid",
]

_LEDGERS: Mapping[str, LedgerKind] = {
    "memory": LedgerKind(open=open_memory),
    "sqlite": LedgerKind(open=open_sqlite, check=path_of),
}

GROUP = "headrace.catalogs"
"""The entry-point group; each entry names a `Catalog`."""


NO_MASKING = "this source's events are not known well enough to hide a part of them"

NO_VIEW = "this source shows nothing of its records to filters and keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """How one kind of source is configured and opened.

    Attributes:
        type: the word in `source: {type: …}`.
        summary: one line for `headrace connectors`.
        options: the model of the source block, without `type`.
        traits: what its lanes promise.
        defaults: mapping settings whose default is the source's own.
        refuses: mapping settings that it cannot honour, each with the reason (design rule: nothing is accepted
            and ignored).
        check: what is wrong with a mapping without asking anybody; gets effective settings. `path` of each fault is
            relative to the mapping (`batch_size`, `source.queue_url`).
        warn: legal but dangerous, same form.
        view: what filters see of a record, or a function that tells it from the options; without it `filter_criteria`
            and `idempotency` are refused.
        masking: how *** is put into its events, where it has no view that says so; with neither, `redact` is refused.
        probe: asks the server; never raises for what the server says, but returns it.
        open: the running source; or
        shards: the stream, where the source is a sharded log: core leases its shards, and asks them as a source.
        keep: which records are for a handler at all, before any filter of the user's; the others are settled as
            filtered out. None: all.
        seek: carries out `headrace seek` of a log that keeps its positions itself, of all its lanes or of one; raises
            SourceUnavailable.
        unseekable: why its positions cannot be moved, with the mend, where that is not the usual reason.
        in_ledger: pauses, and whatever else it remembers, are the ledger's, though it opens itself.
        remembers: what that is, for `headrace status`: rows by column, of plain values.
        asynchronous: it invokes its function asynchronously, so that the function's own limits, destinations and dead
            letters hold for it.
        addresses: where its records are sent, in words that destinations use too, so that a circle is found.
        hops: how many functions the content of records has come through by way of destinations.
        recall: how its records are brought back by `headrace replay`; it needs a view.
        rights: what it must be allowed to do, as far as the options tell it; asks nobody. Those to bring its records
            back, and to find and read its own dead letters (`Need.REPLAY`), too.
    """

    type: str
    summary: str
    options: OptionsModel
    traits: Traits
    probe: Callable[[Opening], Awaitable[Probe]]
    open: Callable[[Opening], Source] | None = None
    shards: Callable[[Opening], Shards] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Opening], Iterable[Fault]] = lambda _: ()
    warn: Callable[[Opening], Iterable[Fault]] = lambda _: ()
    keep: Callable[[Opening], Keep | None] = lambda _: None
    view: View | Callable[[Any], View] | None = None
    masking: Masking | None = None
    seek: Callable[[Opening, Target, str | None], Awaitable[Sequence[Moved]]] | None = None
    unseekable: str = ""
    in_ledger: bool = False
    remembers: Callable[[Opening, Ledger], Awaitable[Sequence[Mapping[str, Any]]]] | None = None
    asynchronous: bool = False
    addresses: Callable[[Opening], Collection[str]] = lambda _: ()
    hops: Callable[[Sequence[Record]], int] = lambda _: 0
    recall: Recall | None = None
    rights: Callable[[Opening], Iterable[Right]] = lambda _: ()

    @property
    def has_ledger(self) -> bool:
        """Whether its pauses are the ledger's, and so every copy's."""
        return self.in_ledger or self.shards is not None

    def __post_init__(self) -> None:
        if (self.open is None) == (self.shards is None):
            raise TypeError(f"the connector {self.type} must have one of open and shards")
        if self.view is None:
            object.__setattr__(self, "refuses", {"filter_criteria": NO_VIEW, "idempotency": NO_VIEW, **self.refuses})

        if self.masking is None and (self.view is None or (isinstance(self.view, View) and self.view.masking is None)):
            object.__setattr__(self, "refuses", {"redact": NO_MASKING, **self.refuses})

    def view_of(self, options: Any) -> View | None:
        """What filters see of a record of the source that *options* mean."""
        return self.view if self.view is None or isinstance(self.view, View) else self.view(options)

    def masking_of(self, options: Any) -> Masking | None:
        """How *** is put into events of the source that *options* mean."""
        view = self.view_of(options)
        return self.masking if view is None else view.masking


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a kind of destination takes at most, and who says so.

    Attributes:
        message: bytes of one message, with what goes beside its body; None: any.
        call: bytes of all the messages of one call; None: any.
        count: messages of one call; None: any.
        source: the document that says so, and since when it has been so where that is known.
        read: the day on which it was last looked up.
    """

    message: int | None
    call: int | None
    count: int | None
    source: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationKind:
    """How one kind of destination is configured and opened. Each function is told the mapping and the options.

    Attributes:
        type: the word in `destination: {type: …}`.
        summary: one line for `headrace connectors`.
        options: the model of the destination block, without `type`.
        open: the destination; asks nobody yet.
        probe: asks the server; never raises for what the server says, but returns it. `path` of each fault is relative
            to the destination block.
        text: the options that a bare text in place of the block means (an ARN); None where it is not this kind's.
        text_form: how such a text looks, for people.
        check: what is wrong without asking anybody; `path` as above.
        warn: legal but dangerous, same form.
        payload: how it is sent the records themselves, whatever `failure_payload` says; None: as that says.
        inherits: the source's options, where it takes from them what its own (the first argument) leave open.
        singly: it is sent each record by itself, also those that a log gave up together.
        form: its own form of a failure record, from Lambda's usual one; pure, and given one record's where *singly*.
        attributes: a message's attributes have a place in it.
        addresses: where it sends, as `Connector.addresses` of who reads there has it; nothing where nobody here could.
        limit: what it takes at most; None where nobody says.
        claims: how it keeps records that are too large for others; None where it cannot.
        rights: what it must be allowed to do, as `Connector.rights`.
    """

    type: str
    summary: str
    options: OptionsModel
    open: Callable[[Opening, Any], Destination]
    probe: Callable[[Opening, Any], Awaitable[Probe]]
    text: Callable[[str], Mapping[str, Any] | None] = lambda _: None
    text_form: str = ""
    check: Callable[[Opening, Any], Iterable[Fault]] = lambda *_: ()
    warn: Callable[[Opening, Any], Iterable[Fault]] = lambda *_: ()
    payload: Payload | None = None
    inherits: Callable[[Any, Any], BaseModel | None] = lambda *_: None
    singly: bool = False
    form: Callable[[dict[str, Any]], dict[str, Any]] = lambda record: record
    attributes: bool = False
    addresses: Callable[[Opening, Any], Collection[str]] = lambda *_: ()
    limit: Limit | None = None
    claims: Claims | None = None
    rights: Callable[[Opening, Any], Iterable[Right]] = lambda *_: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word of the command line that a catalog brings: `headrace NAME …`.

    Attributes:
        name: the word.
        summary: one line for `headrace --help`.
        arguments: adds what it takes to its parser, parsers of its own words included.
        carry_out: does it, and returns the exit status; ConfigError becomes its faults, one line each, and status 2.
            The parsed arguments also have `signals`, this process's, not taken over yet; None in a program's own call.
    """

    name: str
    summary: str
    arguments: Callable[[ArgumentParser], None]
    carry_out: Callable[[Namespace], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What one package brings: connectors, destinations, ledgers, sections of the config that they share, commands.

    `ledgers` open the stores of `service.state`, by URL scheme; `memory` and `sqlite` are there without a catalog.
    `mailboxes` are places where `headrace replay` finds letters; of a text the first that knows it is taken.
    """

    connectors: Sequence[Connector] = ()
    destinations: Sequence[DestinationKind] = ()
    sections: Mapping[str, OptionsModel] = field(default_factory=dict)
    ledgers: Mapping[str, LedgerKind] = field(default_factory=dict)
    commands: Sequence[Command] = ()
    mailboxes: Sequence[MailboxKind] = ()

    def connector(self, type: str) -> Connector:  # noqa: A002 - the config's word
        return next(connector for connector in self.connectors if connector.type == type)

    async def ledger(self, opening: LedgerOpening) -> Ledger:
        """Open the store that the URL's scheme names.

        Raises:
            ConfigError: as `check_state`.
            LedgerError: the store cannot be used, or reached (LedgerUnavailable).
        """
        return await self._ledger_kind(opening.url).open(opening)

    def check_state(self, url: str) -> None:
        """See that *url* names a store, without asking anybody.

        Raises:
            ConfigError: no catalog brings one for the scheme, or the URL means nothing to it.
        """
        self._ledger_kind(url).check(url)

    def _ledger_kind(self, url: str) -> LedgerKind:
        known = {**_LEDGERS, **self.ledgers}
        scheme, colon, _ = url.partition(":")
        if not colon or scheme not in known:
            forms = ", ".join(f"{one}:" for one in known)
            raise ConfigError([Fault("service.state", f"names no ledger: it begins with one of {forms}")])
        return known[scheme]


def discover() -> Catalog:
    """Every installed catalog, as one. Two of one type, two sections, ledgers or commands of one name, are refused."""
    found = [entry.load() for entry in entry_points(group=GROUP)]
    connectors = [connector for catalog in found for connector in catalog.connectors]
    destinations = [destination for catalog in found for destination in catalog.destinations]
    sections = [section for catalog in found for section in catalog.sections]
    commands = [command for catalog in found for command in catalog.commands]
    for names, word in (
        ([connector.type for connector in connectors], "source type"),
        ([destination.type for destination in destinations], "destination type"),
        (sections, "config section"),
        ([*_LEDGERS, *(scheme for catalog in found for scheme in catalog.ledgers)], "ledger"),
        ([command.name for command in commands], "command"),
    ):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two installed catalogs bring the same {word}: {', '.join(sorted(twice))}")
    return Catalog(
        connectors=connectors,
        destinations=destinations,
        sections={name: model for catalog in found for name, model in catalog.sections.items()},
        ledgers={scheme: opens for catalog in found for scheme, opens in catalog.ledgers.items()},
        commands=commands,
        mailboxes=[mailbox for catalog in found for mailbox in catalog.mailboxes],
    )
