"""A letter made ready to be replayed: whose it is, and its records, as they were. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from headrace.filters import Pattern, keeper, keeper_of
from headrace.filters.view import View, read_payload
from headrace.letters import Form, Letter, NoLetter, Posted, parse
from headrace.mailbox import Recall, Recalled
from headrace.model import Event, Keep, Record, Render, Unreadable
from headrace.plugins import Connector, Opening
from headrace.replaying.editing import NotEdited


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A mapping of the config."""

    connector: Connector
    opening: Opening
    function: str

    @property
    def recall(self) -> Recall:
        """Raises NoLetter."""
        if self.connector.recall is None:
            raise NoLetter(f"records of {self.connector.type} cannot be brought back")
        return self.connector.recall

    def taken(self, render: Render) -> Keep:
        """Whether its filters want a record; what no event can show comes, as it does to the mapping.

        One that they fail on, which none should, is NoLetter: only the mapping itself must take what it cannot judge.
        """
        criteria, view = self.opening.settings.filter_criteria, self.connector.view_of(self.opening.options)
        wanted = keeper_of(criteria, view, render)
        if wanted is None:
            return lambda _: True
        judged = judging(wanted, f"filter_criteria of {self.opening.mapping}", "change them, or choose around it")
        return lambda record: isinstance(record, Unreadable) or judged(record)


def judging(keep: Keep, what: str, mend: str) -> Keep:
    """*keep*, which says of a record on which it fails that *what* does, and the *mend*: by NoLetter."""

    def judged(record: Record) -> bool:
        try:
            return keep(record)
        except Exception as error:
            raise NoLetter(f"{what} cannot judge the record {record.id}: {error!r}; {mend}") from error

    return judged


@dataclass(frozen=True, slots=True, kw_only=True)
class OfMapping:
    """Records of a mapping, at hand; they look as its filters see them."""

    letter: Letter
    known: Known
    recalled: Recalled

    @property
    def function(self) -> str:
        return self.known.function

    def look_through(self) -> None:
        """Whatever somebody has put there: what is wrong with it shows now, as one of Python's own errors."""
        self.recalled.render(self.recalled.records)
        for record in self.recalled.records:
            self.shown(record)
            if not isinstance(record.id, str):
                raise TypeError(f"the id {record.id!r} is no text")

    def keeper(self, patterns: Sequence[Pattern]) -> Callable[[Record], bool]:
        """Whether one of *patterns* fits a record."""
        return keeper(patterns, self._view, self.recalled.render)

    def edited(self, record: Record, edit: Callable[[Any], Any]) -> Record:
        """What *edit* makes of it. Its payload alone may change: what else an event says of it is its source's.

        Raises:
            NotEdited: it makes no record.
        """
        view, shown = self._view, self.shown(record)
        before = shown[view.payload]
        after = edit(shown)
        if not isinstance(after, dict) or after.keys() != shown.keys():
            raise NotEdited(f"--edit: it must make a whole record again, with the keys {', '.join(shown)}")
        if wrong := sorted(key for key in shown if key != view.payload and after[key] != shown[key]):
            raise NotEdited(f"--edit: {', '.join(wrong)} may not change; only .{view.payload} may")
        if after[view.payload] == before:
            return record
        try:
            return self.recalled.rewritten(record, after[view.payload])
        except ValueError as error:
            raise NotEdited(f"--edit: {error}") from None

    def shown(self, record: Record) -> dict[str, Any]:
        """All that filters see."""
        return self._view.shown(self.recalled.render, record, exact=False)

    def payload(self, record: Record) -> Any:
        """Parsed, where it is JSON."""
        return read_payload(self._view.content(record), exact=False)[1]

    @property
    def _view(self) -> View:
        view = self.known.connector.view_of(self.known.opening.options)
        assert view is not None, "what can be recalled has a view"  # noqa: S101 - Connector sees to it
        return view


@dataclass(frozen=True, slots=True, kw_only=True)
class OfFunction:
    """An asynchronous invocation: one record, which is the event."""

    letter: Letter
    function: str
    recalled: Recalled
    known: None = None

    def keeper(self, patterns: Sequence[Pattern]) -> Callable[[Record], bool]:
        return lambda record: any(isinstance(record.raw, dict) and one.matches(record.raw) for one in patterns)

    def payload(self, record: Record) -> Any:
        return record.raw

    def edited(self, record: Record, edit: Callable[[Any], Any]) -> Record:
        return self.recalled.rewritten(record, edit(record.raw))


Found: TypeAlias = OfMapping | OfFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds out of a letter what it takes to replay it.

    Attributes:
        mappings: of the config, by name.
        functions: the names of the config's.
        mapping: whose records they are, whatever a letter says (`--mapping`).
        function: whose invocations they are (`--function`).
        usual: whose records those are that do not say it.
    """

    mappings: Mapping[str, Known]
    functions: Sequence[str]
    mapping: str = ""
    function: str = ""
    usual: str = ""

    def find(self, posted: Posted) -> Letter:
        """Raises NoLetter."""
        return parse(posted)

    def whose(self, letter: Letter) -> Known:
        """The mapping whose records it has.

        Raises:
            NoLetter: none is known.
        """
        for name in (self.mapping, letter.mapping, *self._by_source(letter), self.usual, *self._by_function(letter)):
            if name in self.mappings:
                return self.mappings[name]
        raise NoLetter("nothing says of which mapping it is; name it with --mapping")

    def made(self, letter: Letter, event: Event) -> Found:
        """Raises NoLetter."""
        if letter.form is Form.INVOCATION:
            return self._of_function(letter)
        known = self.whose(letter)
        try:
            found = OfMapping(letter=letter, known=known, recalled=known.recall.records(known.opening, event))
            found.look_through()
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            why = f"its payload is no event of {known.opening.mapping}'s source: {error!r}"
            raise NoLetter(why) from None
        return found

    def _of_function(self, letter: Letter) -> Found:
        only = self.functions[0] if len(self.functions) == 1 else ""
        name = self.function or letter.function or only
        if name not in self.functions:
            why = (
                f"of the function {name!r}, which is not in the config"
                if name
                else "of a function that it does not name"
            )
            raise NoLetter(f"it is an invocation {why}; name one with --function")

        def record(event: Any) -> Record:
            return Record(letter.request_id, event, letter.at, 0)

        recalled = Recalled(
            records=[record(letter.event)],
            render=lambda records: json.loads(json.dumps(records[0].raw)),
            rewritten=lambda _, event: record(event),
        )
        return OfFunction(letter=letter, function=name, recalled=recalled)

    def _by_source(self, letter: Letter) -> list[str]:
        """The mappings whose source the letter's records, or its block, name; none where there are several."""
        found = [
            name for name, known in self.mappings.items() if known.connector.recall is not None and _owns(known, letter)
        ]
        return found if len(found) == 1 else []

    def _by_function(self, letter: Letter) -> list[str]:
        found = [name for name, known in self.mappings.items() if known.function == letter.function]
        return found if len(found) == 1 else []


def _owns(known: Known, letter: Letter) -> bool:
    try:
        return known.recall.owns(known.opening, letter.event, letter.info)
    except (LookupError, TypeError, ValueError, AttributeError):  # whatever somebody has put there
        return False
