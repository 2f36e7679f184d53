"""YAML text to plain values, with the place FILE:LINE of each, and all that is wrong with the text.

Every odd input is a fault of the document, never an exception.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headrace.config.nodes import DEPTH, Node, Pairs, Several, Unreadable, Word, compose
from headrace.config.places import Places, Where, dotted, printable
from headrace.config.scalars import fill, is_clean, join_surrogates, resolve
from headrace.errors import Fault

_BYTES: Final = 1 << 20
_VALUES: Final = 100_000
_TAGS: Final = {Pairs: "!!map", Several: "!!seq", Word: "!!str"}


@dataclass(slots=True)
class Document:
    """One file. `value` is None where it could not be read to its end, and `faults` say why."""

    file: str
    value: dict[str, Any] | None = None
    places: Places = field(default_factory=Places)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, message: str, line: int | None = None, where: Where = ()) -> None:
        place = self.file if line is None else f"{self.file}:{line}"
        self.faults.append(Fault(dotted(where), printable(message), place))


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """The document in *path*."""
    document = Document(printable(str(path)))
    try:
        with path.open("rb") as stream:
            text = _decode(stream.read(_BYTES + 1))
    except FileNotFoundError:
        document.fault("the file does not exist")
    except Unreadable as error:
        document.fault(error.message, error.line)
    except (OSError, ValueError) as error:
        document.fault(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        return parse(text, document.file, environ)
    return document


def parse(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """The document in *text*; *file* is its name in places."""
    document = Document(file)
    try:
        _Builder(document, environ).root(compose(text))
    except Unreadable as error:
        document.value = None
        document.fault(error.message, error.line)
    return document


def _decode(data: bytes) -> str:
    if len(data) > _BYTES:
        raise Unreadable(f"the file is larger than {_BYTES // 1024} KiB; is it a config file?", 1)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
        raise Unreadable("the file is UTF-16 or UTF-32, or no text at all; save it as UTF-8", 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("the file is not UTF-8 from here on; save it as UTF-8", line) from None


class _Builder:
    """Nodes to plain values. Counts them, because aliases of aliases grow without bound."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.document, self.environ = document, environ
        self.built = 0

    def root(self, node: Node | None) -> None:
        self._put((), node.line if node else 1)
        if node is None or (isinstance(node, Word) and not node.text):
            self.document.fault("the file is empty; it needs service, functions and mappings", 1)
        elif isinstance(node, Pairs):
            self.document.value = self._value(node, ())
        else:
            self.document.fault("must be a mapping with service, functions and mappings", node.line)

    def _put(self, where: Where, line: int) -> None:
        self.document.places.lines[where] = f"{self.document.file}:{line}"

    def _fault(self, message: str, node: Node, where: Where) -> None:
        self.document.fault(message, node.line, where)
        self.document.places.broken.add(where)

    def _count(self, node: Node, where: Where) -> None:
        self.built += 1
        if self.built > _VALUES or len(where) > DEPTH:
            raise Unreadable("its aliases grow too large; write the values out", node.line)

    def _value(self, node: Node, where: Where) -> Any:
        self._count(node, where)
        if node.tag not in {"", "!", _TAGS[type(node)]}:
            self._fault(f"the tag {node.tag[:60]!a} is not supported; write a plain value", node, where)
            return None
        if isinstance(node, Pairs):
            return self._mapping(node, where)
        if isinstance(node, Several):
            return [self._item(item, (*where, index)) for index, item in enumerate(node.items)]
        return self._scalar(node, where)

    def _item(self, node: Node, where: Where) -> Any:
        self._put(where, node.line)
        return self._value(node, where)

    def _mapping(self, node: Pairs, where: Where) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for name, (key, value) in self._pairs(node, where).items():
            self._put((*where, name), key.line)
            built[name] = self._value(value, (*where, name))
        return built

    def _pairs(self, node: Pairs, where: Where) -> dict[str, tuple[Node, Node]]:
        """Keys with their nodes; what `<<` brings comes first and never wins over what is written out."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key, value in node.pairs:
            name = self._key(key, where)
            if name is None:
                continue
            if name in own:
                self._fault(f"given twice, first on line {own[name][0].line}; remove one", key, (*where, name))
            else:
                own[name] = (key, value)
        if "<<" in own:
            _, value = own.pop("<<")
            for other in value.items if isinstance(value, Several) else [value]:
                merged = {**self._merge(other, where), **merged}
        return {**merged, **own}

    def _merge(self, node: Node, where: Where) -> dict[str, tuple[Node, Node]]:
        self._count(node, where)
        if isinstance(node, Pairs):
            return self._pairs(node, where)
        self._fault("<< takes a mapping, or a list of mappings", node, where)
        return {}

    def _key(self, node: Node, where: Where) -> str | None:
        """The key as a text; None, and a fault, where it is none."""
        try:
            word = resolve(node.text) if isinstance(node, Word) and node.plain else getattr(node, "text", None)
        except ValueError:
            word = None
        text = join_surrogates(word) if isinstance(word, str) else None
        if text is None:
            self._fault("a key must be a text; put it in quotes", node, where)
        elif not is_clean(text):
            self._fault("a key holds characters that are not text", node, where)
            return None
        return text

    def _scalar(self, node: Word, where: Where) -> Any:
        text = join_surrogates(node.text)
        if not is_clean(text):
            self._fault("holds characters that are not text (NUL or half a surrogate pair)", node, where)
            return None
        filled = fill(text, self.environ)
        self.document.places.taken |= filled.taken
        if filled.expressions:
            self.document.places.expressions[where] = text
        faults = list(filled.faults)
        try:
            value = resolve(filled.text) if node.plain else filled.text
        except ValueError as error:
            faults.append(str(error))
        for message in faults:
            self._fault(message, node, where)
        return None if faults else value
