"""What kind of failure records are given up for: the words that rules of destinations, and replays, choose by. Pure."""

from __future__ import annotations

from typing import Final

from headrace.destination import FailureClass
from headrace.outgoing import Outgoing
from headrace.policy import EXPIRED, UNREADABLE
from headrace.verdict import Kind

_OF_TYPE: Final = {
    "Sandbox.Timedout": FailureClass.TIMEOUT,
    "Function.ResponseSizeTooLarge": FailureClass.TOO_LARGE,
    "Runtime.MarshalError": FailureClass.BAD_ANSWER,
    "Unrenderable": FailureClass.UNDECODABLE,
}
"""By the type of Lambda's error (lambda-semantics 9.3), and of ours."""


def classify(gone: Outgoing) -> FailureClass:
    """The class of records that were given up: why first, else how their last call ended."""
    if gone.reason in _OF_REASON:
        return _OF_REASON[gone.reason]
    if gone.outcome is None:
        return FailureClass.HANDLER_ERROR
    failure = gone.outcome.answer.failure
    if failure is not None:
        return _OF_TYPE.get(failure.type, FailureClass.HANDLER_ERROR)
    bad = gone.outcome.verdict.kind is Kind.BAD_ANSWER
    return FailureClass.BAD_ANSWER if bad else FailureClass.HANDLER_ERROR


_OF_REASON: Final = {EXPIRED: FailureClass.EXPIRED, UNREADABLE: FailureClass.UNDECODABLE}
