"""One destination, from what was written to what can be opened: a block, or the ARN that stands for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.config.places import Where
from headrace.config.salvage import Part
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.plugins import DestinationKind, Destined


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as it was written: its kind, its options, which may have faults, and where it stands."""

    kind: DestinationKind
    options: Part[Any]
    path: str

    @property
    def whole(self) -> Destined | None:
        options = self.options.whole
        return None if options is None else Destined(kind=self.kind, options=options, path=self.path)

    def models(self) -> list[Destined]:
        """All that it may be."""
        return [Destined(kind=self.kind, options=one, path=self.path) for one in self.options.models()]


def destined(
    validator: Validator,
    kinds: Sequence[DestinationKind],
    value: Any,
    where: Where,
    path: str,
    *,
    by_name: bool = False,
) -> Target | None:
    """*value* as a destination, with its faults told; None if not even its kind is known.

    *by_name*: a name might have stood there, too.
    """
    forms = _forms(kinds, by_name=by_name)
    if isinstance(value, str):
        for taker in kinds:
            if (meant := taker.text(value)) is not None:
                return Target(taker, validator.part(taker.options, dict(meant), where), path)
        validator.fault(where, f"no kind of destination takes this text; write {forms}")
        return None
    if not isinstance(value, dict):
        validator.fault(where, f"{not_a_mapping(value, 'must be a mapping')}: {forms}")
        return None
    word = value.get("type")
    kind = next((kind for kind in kinds if kind.type == word), None)
    if kind is None:
        validator.fault((*where, "type"), no_such_type(word, [kind.type for kind in kinds], "destination"))
        return None
    options = {key: one for key, one in value.items() if key != "type"}
    return Target(kind, validator.part(kind.options, options, where), path)


def _forms(kinds: Sequence[DestinationKind], *, by_name: bool) -> str:
    """What may be written there."""
    texts = [kind.text_form for kind in kinds if kind.text_form] + ["a name of destinations:"] * by_name
    return " or ".join([f"{{type: {' | '.join(kind.type for kind in kinds)}, …}}", *texts])
