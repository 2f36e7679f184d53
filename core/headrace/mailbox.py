"""Where dead letters lie, and how records are brought back from there: the words between replay and connectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.destination import Reply
from headrace.errors import HeadraceError
from headrace.letters import Posted
from headrace.model import Event, Record, Render
from headrace.opening import Opening
from headrace.right import Right
from headrace.seeking import Target
from headrace.settings import OptionsModel
from headrace.verdict import Identify, a_text


class Trimmed(HeadraceError):  # noqa: N818 - what a reader says
    """Records are not there any more."""


class Mailbox(Protocol):
    """One place of letters, read once from its beginning to what was there when it was opened.

    A letter that is not `done` is there again for who comes next, with nothing changed: also when the process is
    killed.

    Attributes:
        name: its kind and place, for people: no secrets.
        keeps: what is done stays where it is, and comes again to who begins anew.
    """

    name: str
    keeps: bool

    def letters(self) -> AsyncIterator[Posted]:
        """Each once. It stays ours until `done`, `back` or `close`.

        Raises:
            SourceUnavailable: the place cannot be reached, or refuses us.
        """
        ...

    async def done(self, posted: Posted) -> None:
        """Remove it, where it is not kept. Confirmed when it returns.

        Raises:
            SourceUnavailable: that is not confirmed.
        """
        ...

    async def back(self, posted: Posted) -> None:
        """It stays where it came from; this reading does not meet it again."""
        ...

    async def close(self) -> None:
        """What was not done is at once there for others. May be called twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxKind:
    """One kind of place: those that the destination of the same type fills, or a source itself.

    Attributes:
        type: of that destination.
        form: how such a place is written, for people.
        options: that destination's model, and `text` what a text means as its options; None: no place of this kind.
        identity: which place it is, however it was written; `shown`: the same for people, who read its type before it;
            None: as it is.
        open: the mailbox; asks nobody yet. The last argument: what is done is to be removed where it would be kept.
        no_delete: why that cannot be.
        astray: why nothing in a config leads to its server; empty where something does, or it is in the place itself.
        rights: what a replay must be allowed to do there, as `Connector.rights`.
    """

    type: str
    form: str
    options: OptionsModel
    text: Callable[[str], Mapping[str, Any] | None]
    identity: Callable[[Opening, Any], str]
    open: Callable[[Opening, Any, bool], Mailbox]
    shown: Callable[[Any], str] | None = None
    no_delete: str = ""
    astray: Callable[[Opening, Any], str] = lambda _, __: ""
    rights: Callable[[Opening, Any], Iterable[Right]] = lambda *_: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The records of an event that was made once, as records again. Pure.

    Attributes:
        render: the event of some of them, as their handler is given it; fresh at every call.
        rewritten: the same record with another payload; raises ValueError where it can have none such.
        identify: as `Source.identify`.
    """

    records: Sequence[Record]
    render: Render
    rewritten: Callable[[Record, Any], Record]
    identify: Identify = a_text


class PutBack(Protocol):
    """Sends records to their source once more."""

    async def send(self, records: Sequence[Record]) -> Sequence[Reply]:
        """A reply for each. Confirmed: its source has it."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Records of one lane: from the *first* position to the *last*, both included; None: to what is there now."""

    lane: str
    first: Target
    last: Target | None


class Rereader(Protocol):
    """Reads stretches of a log again, beside whoever reads it."""

    def at(self, info: Mapping[str, Any]) -> Sequence[Stretch]:
        """Those that the block of a failure record names. Raises ValueError."""
        ...

    async def between(self, first: Target, last: Target, lane: str | None) -> Sequence[Stretch]:
        """Those of every lane, or of one, between two times or positions.

        Raises:
            SourceUnavailable: the server does not answer, or refuses; there is no such lane, or no such position.
        """
        ...

    def read(self, stretch: Stretch) -> AsyncIterator[Sequence[Record]]:
        """In order, some at a time, as they come.

        Raises:
            Trimmed: its beginning, which is a position, is not there any more.
            SourceUnavailable: the server does not answer, or refuses.
        """
        ...

    def render(self, records: Sequence[Record]) -> Event: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How a connector's records are brought back.

    Attributes:
        records: of an event; pure; raises ValueError, KeyError or TypeError for one that is not of this source.
        owns: whether the event's records, or the block of a failure record, are of the source that is opened.
        put_back: sends records to the source once more; or
        no_way_back: why they cannot go there, and the mend.
        reread: of a log.
        dead_letters: the source's own place of dead letters, where it has one; asks the server.
    """

    records: Callable[[Opening, Event], Recalled]
    owns: Callable[[Opening, Event | None, Mapping[str, Any]], bool]
    put_back: Callable[[Opening], PutBack] | None = None
    no_way_back: str = ""
    reread: Callable[[Opening], Rereader] | None = None
    dead_letters: Callable[[Opening], Awaitable[str | None]] | None = None
