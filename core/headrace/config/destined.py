"""A mapping's failure destination, from what was written to what can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace.config.places import Where, child
from headrace.config.wording import Validator, no_such_type, not_a_mapping
from headrace.plugins import DestinationKind, Destined

ON_FAILURE: Final = ("destination_config", "on_failure", "destination")
"""The way to it within its mapping."""


def written(mapping: Mapping[str, Any]) -> Any:
    """What stands there; None where nothing does, or where what is around it is wrong."""
    value: Any = mapping
    for step in ON_FAILURE:
        value = child(value, step)
    return value


def destined(validator: Validator, kinds: Sequence[DestinationKind], value: Any, where: Where) -> Destined | None:
    """*value* as a destination; None, and the faults with the validator, if it is none."""
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
    found = validator.model(kind.options, options, where)
    return None if found is None else Destined(kind=kind, options=found)


def _of_text(validator: Validator, kinds: Sequence[DestinationKind], text: str, where: Where) -> Destined | None:
    for kind in kinds:
        if (options := kind.text(text)) is not None:
            found = validator.model(kind.options, dict(options), where)
            return None if found is None else Destined(kind=kind, options=found)
    validator.fault(where, f"no kind of destination takes this text; write {_forms(kinds)}")
    return None


def _forms(kinds: Sequence[DestinationKind]) -> str:
    """What may be written there."""
    texts = [kind.text_form for kind in kinds if kind.text_form]
    return " or ".join([f"{{type: {' | '.join(kind.type for kind in kinds)}, …}}", *texts])
