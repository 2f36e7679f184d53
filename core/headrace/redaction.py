"""What leaves of a mapping whose config has `redact`: events with *** in them, and errors that do not quote the rest.

Every text about a batch comes of how its call ended; so that is cleaned once, right after the call, and log lines,
states and records are made of what is left. Nothing is looked at while calls succeed, but for records that tell of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from headrace.masking import ANY, MASK, Mask, Masking, Path, Secrets
from headrace.model import Answer, Event, Failure, Record, Render
from headrace.observe import Log
from headrace.outgoing import Outcome, ids_of
from headrace.verdict import STATE, Verdict

Judge: TypeAlias = Callable[[Answer], Verdict]

_OURS: Final = {"requestId"}
"""What no user wrote in the payload of an error."""

_BLIND: Final = (
    "a payload is not JSON, or no event can show the record: all of it is hidden, and so are errors about it"
)


@dataclass(frozen=True, slots=True)
class Redacted:
    """Some records as they may leave, what was hidden of them, and the paths that led to it."""

    event: Event | str
    secrets: Secrets = field(default_factory=Secrets)
    paths: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Redaction:
    """Of one lane.

    *windowed*: a state goes from batch to batch, and nobody knows what of earlier ones is in it.
    """

    paths: Sequence[Path]
    masking: Masking
    render: Render
    log: Log
    windowed: bool = False
    _told: bool = field(default=False, init=False)

    @property
    def hides_key(self) -> bool:
        """Whether a path leads to what records are ordered by, or into it, or to what it is part of."""
        key = self.masking.key.split(".")
        return any(all(a in {b, ANY} for a, b in zip(path.steps, key, strict=False)) for path in self.paths)

    def of(self, records: Sequence[Record]) -> Redacted:
        """*records* as their source's event. What no event can show, or the connector cannot hide, is hidden whole."""
        mask = Mask(self.paths)
        try:
            event: Event | str = self.masking.mask(self.render(records), mask)
        except Exception:  # noqa: BLE001 - whatever it is, nothing leaves
            mask = Mask(self.paths)
            event = mask.nothing()
        secrets = mask.secrets
        if secrets.blind and not self._told:
            self._told = True
            self.log.warning("redaction.blind", ids=ids_of(records), why=_BLIND)
        return Redacted(event, secrets, mask.paths)

    def outcome(self, records: Sequence[Record], outcome: Outcome, judge: Judge) -> Outcome:
        """*outcome*, of a call with *records*, in words that quote nothing of them; *judge* reads an answer anew."""
        answer, verdict = outcome.answer, outcome.verdict
        if verdict.failure is None:
            return outcome
        secrets = self.of(records).secrets
        if answer.failure is not None:
            failure = self._clean(secrets, answer.failure)
            return Outcome(replace(answer, failure=failure), replace(verdict, failure=failure))
        said = verdict.failure
        if not self._unknown(secrets):  # it may have cut off what it quotes: so it is said anew, of a clean answer
            said = judge(replace(answer, value=secrets.value(answer.value))).failure or said
        return Outcome(answer, replace(verdict, failure=self._clean(secrets, said)))

    def answered(self, secrets: Secrets, value: Any) -> Any:
        """What a function returned, as it may leave."""
        value = secrets.value(value)
        return {**value, STATE: MASK} if self.windowed and isinstance(value, dict) and STATE in value else value

    def kept(self, records: Sequence[Record], value: Any) -> Any:
        """What a function returned, as it may lie in the store. The state of a window lies there anyway."""
        clean = self.of(records).secrets.value(value)
        if not (self.windowed and isinstance(value, dict) and STATE in value):
            return clean
        return {**(clean if isinstance(clean, dict) else {}), STATE: value[STATE]}

    def _unknown(self, secrets: Secrets) -> bool:
        return secrets.blind or self.windowed

    def _clean(self, secrets: Secrets, failure: Failure) -> Failure:
        """The type alone stays where nobody knows what an error may quote, and where the code stood."""
        stack, own = list(failure.stack), failure.payload or {}
        few = secrets.among([failure.type, failure.message, stack, {**own, "requestId": ""}])
        message = MASK if self._unknown(secrets) else few.text(failure.message)
        payload = {name: one if name in _OURS else few.value(one) for name, one in own.items()}
        if "errorMessage" in payload:
            payload["errorMessage"] = message
        return Failure(
            type=few.text(failure.type),
            message=message,
            stack=tuple(few.value(stack)),
            payload=payload if failure.payload is not None else None,
        )
