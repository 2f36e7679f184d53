"""What it means when a stream's server refuses a call, and what a person is told of it. Pure."""

from __future__ import annotations

from enum import StrEnum

from headrace.errors import SourceUnavailable
from headrace_connectors.aws import AwsError


class Refusal(StrEnum):
    """Each has its own answer; the value is the state of the shard's condition.

    `EXPIRED` and `INVALID`: the iterator is of no use any more, ask for another from the same position; `TRIMMED`: the
    records after the position are gone; `GONE`: the whole shard is; the others wait, with back-off.
    """

    EXPIRED = "iterator expired"
    INVALID = "invalid"
    TRIMMED = "trimmed"
    GONE = "gone"
    THROTTLED = "throttled"
    DENIED = "denied"
    MISSING = "missing"
    KEY = "key unavailable"
    UNAVAILABLE = "unavailable"


class Refused(SourceUnavailable):
    """A refusal that a connector has understood by itself, where the server's code does not say it."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        self.refusal = refusal
        super().__init__(message)


_CODES = {
    "ExpiredIteratorException": Refusal.EXPIRED,
    "InvalidArgumentException": Refusal.INVALID,
    "KMSThrottlingException": Refusal.THROTTLED,
    "ValidationException": Refusal.INVALID,
    "TrimmedDataAccessException": Refusal.TRIMMED,
    "LimitExceededException": Refusal.THROTTLED,
    "ProvisionedThroughputExceededException": Refusal.THROTTLED,
    "RequestLimitExceeded": Refusal.THROTTLED,
    "Throttling": Refusal.THROTTLED,
    "ThrottlingException": Refusal.THROTTLED,
    "TooManyRequestsException": Refusal.THROTTLED,
    "AccessDenied": Refusal.DENIED,
    "AccessDeniedException": Refusal.DENIED,
    "ExpiredToken": Refusal.DENIED,
    "ExpiredTokenException": Refusal.DENIED,
    "InvalidClientTokenId": Refusal.DENIED,
    "NoCredentialsError": Refusal.DENIED,
    "UnrecognizedClientException": Refusal.DENIED,
    "ResourceNotFoundException": Refusal.MISSING,
}


FINAL = frozenset(code for code, meaning in _CODES.items() if meaning is not Refusal.DENIED)
"""Codes that stay what they are, for `aws_client`: asked again in full, a throttled call would be throttled twice.
Where access is denied, a call in full may find newer credentials.
"""


def refusal(error: Exception) -> Refusal:
    """What *error* means; what nobody knows is `UNAVAILABLE`, and tried again with the same iterator."""
    if isinstance(error, Refused):
        return error.refusal
    code = error.code.rpartition(".")[2].rpartition("#")[2] if isinstance(error, AwsError) else ""
    return _CODES.get(code, Refusal.KEY if code.startswith("KMS") else Refusal.UNAVAILABLE)
