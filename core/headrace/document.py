"""YAML text to plain values, with the place FILE:LINE of each, and all that is wrong with the text.

PyYAML only scans and parses here: its own composer recurses without bound, lets a second key win over the first, and
resolves YAML 1.1. Every odd input is a fault of the document, never an exception.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from headrace.errors import Fault
from headrace.places import Places, Where, dotted
from headrace.scalars import fill, is_clean, join_surrogates, resolve

_BYTES: Final = 1 << 20
_DEPTH: Final = 50
_VALUES: Final = 100_000
_CORE: Final = "tag:yaml.org,2002:"
_TAGS: Final = {MappingNode: ("!", _CORE + "map"), SequenceNode: ("!", _CORE + "seq"), ScalarNode: ("!", _CORE + "str")}


@dataclass(slots=True)
class Document:
    """One file. `value` is None where it could not be read to its end, and `faults` say why."""

    file: str
    value: dict[str, Any] | None = None
    places: Places = field(default_factory=Places)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, message: str, line: int | None = None, where: Where = ()) -> None:
        place = self.file if line is None else f"{self.file}:{line}"
        self.faults.append(Fault(dotted(where), message, place))


class _Unreadable(Exception):  # noqa: N818 - ends the reading of one file
    def __init__(self, message: str, line: int) -> None:
        self.message, self.line = message, line


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """The document in *path*."""
    document = Document(file_name(path))
    try:
        with path.open("rb") as stream:
            data = stream.read(_BYTES + 1)
    except FileNotFoundError:
        document.fault("the file does not exist")
    except (OSError, ValueError) as error:
        document.fault(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        _decode(document, data, environ)
    return document


def parse(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """The document in *text*; *file* is its name in places."""
    document = Document(file)
    try:
        root = _Composer(text).document()
        _Builder(document, environ).root(root)
    except _Unreadable as error:
        document.value = None
        document.fault(error.message, error.line)
    return document


def file_name(path: Path) -> str:
    """As the user gave it, on one line, in characters that can be printed."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(path))


def _decode(document: Document, data: bytes, environ: Mapping[str, str]) -> None:
    if len(data) > _BYTES:
        return document.fault(f"the file is larger than {_BYTES // 1024} KiB; is it a config file?")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
        return document.fault("the file is UTF-16 or UTF-32, or no text at all; save it as UTF-8", 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return document.fault(
            "the file is not UTF-8 from here on; save it as UTF-8", data.count(b"\n", 0, error.start) + 1
        )
    parsed = parse(text, document.file, environ)
    document.value, document.places, document.faults = parsed.value, parsed.places, parsed.faults
    return None


class _Composer:
    """Events to nodes. An alias is the very node of its anchor; one to a node that is still open would be a cycle."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.anchors: dict[str, Node | None] = {}

    def document(self) -> Node | None:
        try:
            self.loader = yaml.SafeLoader(self.text)
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise _Unreadable(
                f"a character that YAML does not allow: U+{ord(str(error.character)):04X}", line
            ) from None
        if isinstance(self._event(), yaml.StreamStartEvent) and isinstance(self._event(), yaml.StreamEndEvent):
            return None
        root = self._node(self._event(), 0)
        self._event()
        after = self._event()
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Unreadable("a second document starts here (---); one file holds one document", _line(after))
        return root

    def _event(self) -> yaml.Event:
        try:
            return self.loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else self.loader.line + 1
            raise _Unreadable(f"not valid YAML: {self._mend(error.problem or 'unreadable', line)}", line) from None
        except (ValueError, OverflowError):  # an escape beyond Unicode, a version of thousands of digits
            raise _Unreadable("not valid YAML: a number in an escape is out of range", self.loader.line + 1) from None

    def _mend(self, problem: str, line: int) -> str:
        here = self.text.splitlines()[line - 1 : line]
        if "'\\t'" in problem:
            return "a tab is not allowed here; indent with blanks"
        if here and "${" in here[0]:
            return f"{problem}; put ${{…}} in quotes inside {{ }} and [ ]"
        return problem

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > _DEPTH:
            raise _Unreadable(f"nested deeper than {_DEPTH} levels", _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self.anchors[event.anchor or ""] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = ScalarNode(event.tag, event.value, event.start_mark, style=event.style)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = SequenceNode(event.tag, self._items(depth), event.start_mark)
        else:
            flat = self._items(depth)
            node = MappingNode(event.tag, list(zip(flat[::2], flat[1::2], strict=True)), event.start_mark)
        self.anchors[event.anchor or ""] = node
        return node

    def _items(self, depth: int) -> list[Node]:
        found = []
        while not isinstance(event := self._event(), yaml.CollectionEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor
        if name not in self.anchors:
            raise _Unreadable(f"*{name} has no anchor &{name} before it", _line(event))
        node = self.anchors[name]
        if node is None:
            raise _Unreadable(f"*{name} refers to itself", _line(event))
        return node


class _Builder:
    """Nodes to plain values. Counts them, because aliases of aliases grow without bound."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.document, self.environ = document, environ
        self.built = 0

    def root(self, node: Node | None) -> None:
        places = self.document.places
        places.lines[()] = f"{self.document.file}:{_line(node) if node else 1}"
        if node is None or (isinstance(node, ScalarNode) and node.value == ""):
            return self.document.fault("the file is empty; it needs service, functions and mappings", 1)
        if not isinstance(node, MappingNode):
            return self.document.fault("must be a mapping with service, functions and mappings", _line(node))
        self.document.value = self._value(node, ())
        return None

    def _fault(self, message: str, node: Node, where: Where) -> None:
        self.document.fault(message, _line(node), where)
        self.document.places.broken.add(where)

    def _value(self, node: Node, where: Where) -> Any:
        self.built += 1
        if self.built > _VALUES or len(where) > _DEPTH:
            raise _Unreadable("its aliases grow too large; write the values out", _line(node))
        if node.tag not in {None, *_TAGS[type(node)]}:
            tag = node.tag.replace(_CORE, "!!")
            return self._fault(f"the tag {tag[:60]!a} is not supported; write a plain value", node, where)
        if isinstance(node, MappingNode):
            return self._mapping(node, where)
        if isinstance(node, SequenceNode):
            return [self._item(item, (*where, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, where)

    def _item(self, node: Node, where: Where) -> Any:
        self.document.places.lines[where] = f"{self.document.file}:{_line(node)}"
        return self._value(node, where)

    def _mapping(self, node: MappingNode, where: Where) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for name, (key, value) in self._pairs(node, where).items():
            self.document.places.lines[*where, name] = f"{self.document.file}:{_line(key)}"
            built[name] = self._value(value, (*where, name))
        return built

    def _pairs(self, node: MappingNode, where: Where) -> dict[str, tuple[Node, Node]]:
        """Keys with their nodes; what `<<` brings comes last and never wins over what is written out."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key, value in node.value:
            name = self._key(key, where)
            if name is None:
                continue
            if name in own:
                first = _line(own[name][0])
                self._fault(f"given twice, first on line {first}; remove one", key, (*where, name))
                continue
            own[name] = (key, value)
            if name == "<<" and key.style is None:
                merged += value.value if isinstance(value, SequenceNode) else [value]
                del own[name]
        for other in merged:
            own = {**self._merge(other, where), **own}
        return own

    def _merge(self, node: Node, where: Where) -> dict[str, tuple[Node, Node]]:
        self.built += 1
        if self.built > _VALUES:
            raise _Unreadable("its aliases grow too large; write the values out", _line(node))
        if isinstance(node, MappingNode):
            return self._pairs(node, where)
        self._fault("<< takes a mapping, or a list of mappings", node, where)
        return {}

    def _key(self, node: Node, where: Where) -> str | None:
        if not isinstance(node, ScalarNode) or node.tag not in {None, *_TAGS[ScalarNode]}:
            return self._fault("a key must be one plain word", node, where)
        try:
            word = node.value if node.style or node.tag else resolve(node.value)
        except ValueError:
            word = None
        if not isinstance(word, str):
            return self._fault("a key must be a text; put it in quotes", node, where)
        if not is_clean(text := join_surrogates(word)):
            return self._fault("a key holds characters that are not text", node, where)
        return text

    def _scalar(self, node: ScalarNode, where: Where) -> Any:
        text = join_surrogates(node.value)
        if not is_clean(text):
            return self._fault("holds characters that are not text (NUL or half a surrogate pair)", node, where)
        filled = fill(text, self.environ)
        if filled.expressions:
            self.document.places.expressions[where] = text
        for name, taken in filled.taken.items():
            self.document.places.taken.setdefault(name, taken)
        for message in filled.faults:
            self._fault(message, node, where)
        if filled.faults:
            return None
        try:
            return filled.text if node.style or node.tag else resolve(filled.text)
        except ValueError as error:
            return self._fault(str(error), node, where)


def _line(at: Node | yaml.Event) -> int:
    return int(at.start_mark.line) + 1
