"""The paths of `redact` against what a source shows: those that no record has, and those that cannot be hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from headrace.config.places import Where, printable
from headrace.config.shape import nearest
from headrace.config.wording import Validator
from headrace.errors import Fault
from headrace.filters import View
from headrace.masking import read_path
from headrace.plugins import Connector, Opening

REDACT: Final = "redact"


def check_paths(validator: Validator, view: View | None, written: Any, where: Where) -> None:
    """Faults of *written*, which stands at *where*. A path that is none at all is the model's to tell."""
    if view is None or not isinstance(written, list):
        return
    for index, text in enumerate(written):
        with suppress(ValueError, TypeError, AttributeError):
            if message := _wrong(view, read_path(text).steps[0]):
                validator.fault((*where, index), message)


def _wrong(view: View, first: str) -> str:
    if view.masking and first in view.masking.fixed:
        return f"{first} says which {view.record} it is, and where it came from: no failure record is of use without it"
    known = sorted({view.payload, *view.keys} - (view.masking.fixed if view.masking else frozenset()))
    if first in known:
        return ""
    meant = nearest(first, known)
    mend = f"did you mean {meant}?" if meant else f"what can be hidden begins with {', '.join(known)}"
    return f"no {view.record} has a field {printable(first)}, so this hides nothing; {mend}"


def on_redaction(connector: Connector, opening: Opening, path: str = REDACT) -> Iterator[Fault]:
    """What a queue gives up is deleted, so what its failure record does not show is gone."""
    told = opening.on_failure or opening.dead_letter
    if opening.settings.redact and told and connector.traits.redelivers:
        yield Fault(
            path,
            "what it hides is lost when a record is given up: the source has it no more, and the failure record cannot "
            "be replayed whole; to keep it, leave redact out and send to a destination that is encrypted, or leave the "
            "failure destination out",
        )
