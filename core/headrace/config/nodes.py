"""YAML text to nodes with their lines: one document, bounded in depth, without cycles.

PyYAML only scans and parses here: its own composer recurses without bound and follows an alias into its own anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml
from yaml.reader import ReaderError

DEPTH: Final = 50
"""How deep values may be nested, in the text or through aliases."""

_CORE: Final = "tag:yaml.org,2002:"


class Unreadable(Exception):  # noqa: N818 - ends the reading of one file
    """The text cannot be read any further: why, and from which line on."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@dataclass(slots=True, kw_only=True)
class Word:
    """A scalar. `plain` is False where quotes or `!!str` say that it is a text."""

    line: int
    tag: str
    text: str
    plain: bool


@dataclass(slots=True, kw_only=True)
class Several:
    """A list."""

    line: int
    tag: str
    items: list[Node]


@dataclass(slots=True, kw_only=True)
class Pairs:
    """A mapping, as written: a key may come twice, or be anything."""

    line: int
    tag: str
    pairs: list[tuple[Node, Node]]


Node: TypeAlias = Word | Several | Pairs


def compose(text: str) -> Node | None:
    """The root of the one document in *text*; None where there is none.

    Raises:
        Unreadable: it is not YAML, or holds a second document, a cycle, or more than `DEPTH` levels.
    """
    try:
        loader = yaml.SafeLoader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(f"a character that YAML does not allow: {error.character!a}", line) from None
    return _Composer(text, loader).document()


class _Composer:
    """Events to nodes. An alias is the very node of its anchor; one to a node that is still open would be a cycle."""

    def __init__(self, text: str, loader: yaml.SafeLoader) -> None:
        self.text, self.loader = text, loader
        self.anchors: dict[str, Node | None] = {}

    def document(self) -> Node | None:
        self._event()
        if isinstance(self._event(), yaml.StreamEndEvent):
            return None
        root = self._node(self._event(), 0)
        self._event()
        after = self._event()
        if not isinstance(after, yaml.StreamEndEvent):
            raise Unreadable("a second document starts here (---); one file holds one document", _line(after))
        return root

    def _event(self) -> Any:
        try:
            return self.loader.get_event()  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = (mark.line if mark else self.loader.line) + 1
            problem = self._mend(error.problem or "unreadable", line)
            raise Unreadable(f"not valid YAML: {problem}; look at this line and the one before", line) from None
        except (ValueError, OverflowError):  # an escape beyond Unicode, a version of thousands of digits
            raise Unreadable("not valid YAML: a number in an escape is out of range", self.loader.line + 1) from None

    def _mend(self, problem: str, line: int) -> str:
        here = self.text.splitlines()[line - 1 : line]
        if "'\\t'" in problem:
            return "a tab is not allowed here; indent with blanks"
        if here and "${" in here[0]:
            return f"{problem}; put ${{…}} in quotes inside {{ }} and [ ]"
        if "cannot start any token" in problem or "expected alphabetic or numeric" in problem:
            return f"{problem}; a text that begins with a sign, as > or *, must be put in quotes"
        return problem

    def _node(self, event: Any, depth: int) -> Node:
        if depth > DEPTH:
            raise Unreadable(f"nested deeper than {DEPTH} levels", _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.anchor:
            self.anchors[event.anchor] = None
        line, tag = _line(event), (event.tag or "").replace(_CORE, "!!")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Word(line=line, tag=tag, text=event.value, plain=not event.style and not tag)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Several(line=line, tag=tag, items=self._items(depth))
        else:
            flat = self._items(depth)
            node = Pairs(line=line, tag=tag, pairs=list(zip(flat[::2], flat[1::2], strict=True)))
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _items(self, depth: int) -> list[Node]:
        found = []
        while not isinstance(event := self._event(), yaml.CollectionEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _alias(self, event: Any) -> Node:
        name = event.anchor
        if name not in self.anchors:
            raise Unreadable(f"*{name} has no anchor &{name} before it", _line(event))
        node = self.anchors[name]
        if node is None:
            raise Unreadable(f"*{name} refers to itself", _line(event))
        return node


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
