"""*** in the place of what paths name, in the event of any source; and what stood there. Pure."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace import jsontext
from headrace.masking.nodes import Held
from headrace.masking.paths import Path
from headrace.masking.secrets import Secrets
from headrace.masking.walk import MASK, Found, StandIn, Walk, Way, onward, plain
from headrace.model import Event


class Mask:
    """Changes one event, part by part, and remembers what it hid."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._ways = [Way(path) for path in paths]
        self._found = Found()
        self._encoded: set[str] = set()
        self._blind = False

    @property
    def paths(self) -> list[str]:
        """Those that led to something, as they were written."""
        return sorted(path.text for path in self._found.paths)

    @property
    def secrets(self) -> Secrets:
        """What was hidden."""
        return Secrets(self._found.texts, self._encoded, blind=self._blind)

    def touches(self, name: str) -> bool:
        """Whether a path leads into what a record has under *name*."""
        return bool(onward(self._ways, name))

    def fields(
        self,
        shown: dict[str, Any],
        *,
        but: Collection[str] = (),
        only: str = "",
        stand_in: StandIn = plain,
        typed: frozenset[str] = frozenset(),
    ) -> None:
        """Of a dict of a record, in place: without those called *but*, or *only* one of them. *typed*: see `Walk`."""
        walk = Walk(self._found, stand_in, typed)
        for name in [only] if only else shown:
            if name not in but and (ways := onward(self._ways, name)):
                walk.into(Held(shown, name), ways)

    def text(self, name: str, text: str) -> str:
        """A payload that is JSON text: its other characters stay as they are. All of it where it is no such text."""
        ways = onward(self._ways, name)
        return self._text(text, ways) if ways and text else text

    def base64(self, name: str, data: str | None) -> str | None:
        """A payload of bytes, in base64."""
        if not data or not self.touches(name):
            return data
        try:
            text = b64decode(data).decode()
        except ValueError:
            changed = self._hidden("", onward(self._ways, name))
        else:
            changed = self.text(name, text)
            if changed == text:
                return data
        self._encoded.add(data)
        return b64encode(changed.encode(errors="surrogatepass")).decode()

    def whole(self, event: Any) -> Any:
        """An event that is no list of records, but any JSON: paths begin at its top."""
        if isinstance(event, str):
            return self._text(event, self._ways)
        holder = [event]
        Walk(self._found).into(Held(holder, 0), [way._replace(named=True) for way in self._ways])
        return holder[0]

    def nothing(self) -> str:
        """What stands for records that cannot be shown: nobody knows what is in them."""
        return self._hidden("", self._ways)

    def _text(self, text: str, ways: Sequence[Way]) -> str:
        whole = any(way.over for way in ways)
        changed = None if whole else Walk(self._found).document(text, ways)
        return self._hidden(text, ways) if changed is None else changed

    def _hidden(self, text: str, ways: Sequence[Way]) -> str:
        """All of *text*. What is no JSON may be quoted in parts, of which nobody can tell whether they are secret."""
        self._found.paths |= {way.path for way in ways}
        value = jsontext.parse(text)
        if isinstance(value, dict | list):
            self._found.leaves(Held([value], 0))
        else:
            self._blind = True
        self._found.texts.add(text)
        return MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """How a connector's events are changed.

    Attributes:
        mask: puts *** into an event, fresh from its render, and returns it.
        fixed: names of a record that say which one it is, and where it came from: they cannot be hidden.
        key: the path to what its records are ordered by (`Record.key`).
    """

    mask: Callable[[Event, Mask], Event]
    fixed: frozenset[str] = frozenset()
    key: str = ""


WHOLE = Masking(mask=lambda event, mask: mask.whole(event))
"""Of a source whose event is whatever somebody gave it."""
