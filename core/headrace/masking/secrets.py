"""What was hidden in an event, hidden in texts too: an error may quote it, plain or in any usual notation. Pure."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from headrace.masking.walk import MASK

SHORT: Final = 4
"""Characters: what has fewer is replaced where it stands alone only, and not looked for in other notations."""

_ALIKE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""Written the same in every notation but base64."""


class Secrets:
    """*encoded* are texts that hold some; *blind*: more was hidden than is known, so that no text can be trusted."""

    def __init__(self, found: Collection[str] = (), encoded: Collection[str] = (), *, blind: bool = False) -> None:
        self._found, self._encoded, self._blind = frozenset(found) - {""}, encoded, blind

    @property
    def blind(self) -> bool:
        return self._blind

    def are(self, value: object) -> bool:
        """Whether *value* is one of them."""
        return str(value) in self._found

    def among(self, value: Any) -> Secrets:
        """Those that stand in *value*, which is JSON: few, so that replacing them in each of its texts costs little."""
        everything = "\n".join(_texts(value))
        return _Present([form for form in self._forms() if form in everything], self._found, blind=self._blind)

    def text(self, text: str) -> str:
        """*text* without them; nothing of it where they are not known."""
        return MASK if self._blind else self.among(text).text(text)

    def value(self, value: Any) -> Any:
        """JSON without them: in its texts, its numbers and its keys."""
        return MASK if self._blind and value is not None else self.among(value).value(value)

    def _forms(self) -> Iterator[str]:
        yield from self._encoded
        for one in self._found:
            yield from {one, *_notations(one, encoded=bool(self._encoded))} if len(one) >= SHORT else [one]


class _Present(Secrets):
    """With all notations at hand, the longest first."""

    def __init__(self, forms: Collection[str], found: Collection[str], *, blind: bool) -> None:
        super().__init__(found, blind=blind)
        self._sorted = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        for form in self._sorted:
            if len(form) >= SHORT:
                text = text.replace(form, MASK)
            elif form in text:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", MASK, text)
        return text

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            is_one = self.are(", ".join([str(one) for one in value]))  # bytes, as a list of them
            return MASK if is_one else [self.value(one) for one in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if self.are(value) else value
        return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


def _notations(text: str, *, encoded: bool) -> Iterator[str]:
    """How *text* looks in JSON (also in JSON within JSON), in Python's repr of it or of that, in a URL, in base64.

    *encoded*: it came in base64, which may be quoted in base64 once more.
    """
    written = {text} if _ALIKE.fullmatch(text) else {one for each in _in_json(text) for one in _in_json(each)}
    for one in written:
        yield one
        if not _ALIKE.fullmatch(one):
            yield from (*_in_python(one), *_in_url(one))
        for inner in _in_base64(one):
            yield inner
            if encoded:
                yield from _in_base64(inner)


def _in_json(text: str) -> set[str]:
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _in_python(text: str) -> Iterator[str]:
    """Alone, and within a text that has both kinds of quotes; also of its bytes."""
    for shown in (text, text.encode(errors="surrogatepass")):
        quoted = '"' + shown if isinstance(shown, str) else b'"' + shown
        yield from (repr(shown).lstrip("b")[1:-1], repr(quoted).lstrip("b")[2:-1])
    yield from (ascii(text)[1:-1], ascii('"' + text)[2:-1])


def _in_url(text: str) -> Iterator[str]:
    data = text.encode(errors="surrogatepass")
    yield from (quote(data), quote(data, safe=""), quote_plus(data))


def _in_base64(text: str) -> Iterator[str]:
    """The characters that are of it alone, at each of the three places where it may begin."""
    data = text.encode(errors="surrogatepass")
    for before in range(3):
        encoded = b64encode(bytes(before) + data).decode()
        inner = encoded[math.ceil(before * 4 / 3) : (before + len(data)) * 4 // 3]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
