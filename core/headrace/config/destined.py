"""A mapping's failure destination, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headrace.config.places import Where, child
from headrace.config.salvage import Part
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.plugins import DestinationKind, Destined

ON_FAILURE: Final = ("destination_config", "on_failure", "destination")
"""The way to it within its mapping."""


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as it was written: its kind, and its options, which may have faults."""

    kind: DestinationKind
    options: Part[Any]

    @property
    def whole(self) -> Destined | None:
        options = self.options.whole
        return None if options is None else Destined(kind=self.kind, options=options)

    def models(self) -> list[Destined]:
        """All that it may be."""
        return [Destined(kind=self.kind, options=one) for one in self.options.models()]


def written(mapping: Mapping[str, Any]) -> Any:
    """What stands there; None where nothing does, or where what is around it is wrong."""
    value: Any = mapping
    for step in ON_FAILURE:
        value = child(value, step)
    return value


def destined(validator: Validator, kinds: Sequence[DestinationKind], value: Any, where: Where) -> Target | None:
    """*value* as a destination, with its faults told; None if not even its kind is known."""
    if isinstance(value, str):
        return _of_text(validator, kinds, value, where)
    if not isinstance(value, dict):
        validator.fault(where, f"{not_a_mapping(value, 'must be a mapping')}: {_forms(kinds)}")
        return None
    word = value.get("type")
    kind = next((kind for kind in kinds if kind.type == word), None)
    if kind is None:
        validator.fault((*where, "type"), no_such_type(word, [kind.type for kind in kinds], "destination"))
        return None
    options = {key: one for key, one in value.items() if key != "type"}
    return Target(kind, validator.part(kind.options, options, where))


def _of_text(validator: Validator, kinds: Sequence[DestinationKind], text: str, where: Where) -> Target | None:
    for kind in kinds:
        if (options := kind.text(text)) is not None:
            return Target(kind, validator.part(kind.options, dict(options), where))
    validator.fault(where, f"no kind of destination takes this text; write {_forms(kinds)}")
    return None


def _forms(kinds: Sequence[DestinationKind]) -> str:
    """What may be written there."""
    texts = [kind.text_form for kind in kinds if kind.text_form]
    return " or ".join([f"{{type: {' | '.join(kind.type for kind in kinds)}, …}}", *texts])
