"""The hops of a message in X-Ray's tracing header, which services of AWS hand on where nothing else comes along. Pure.

EventBridge gives that of an entry to the rule's targets, and S3 that of a PutObject to whom its notifications go; a
queue shows it as AWSTraceHeader (EventBridge User Guide, integration with X-Ray; X-Ray Developer Guide, Amazon S3).
An application may add fields of its own to it (Application Load Balancers, request tracing).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from headrace.destination import Message
from headrace_connectors.attributes import counted

ATTRIBUTE: Final = "AWSTraceHeader"
"""What a message of SQS has it as, among its system attributes."""

FIELD: Final = "HeadraceHops"


def trace_of(message: Message) -> str:
    """Of a trace that is the message's own, and the same whenever it is sent again; empty where none has counted yet.

    Whether it is sampled is left to whom it comes to.
    """
    if not message.hops:
        return ""
    own = sha256(message.id.encode(errors="surrogatepass")).hexdigest()[:24]
    return f"Root=1-{int(message.at):08x}-{own};{FIELD}={message.hops}"


def hops_in(trace: str) -> int:
    """The hops that a tracing header says, whoever has added to it on its way."""
    fields = [part.strip().partition("=") for part in trace.split(";")]
    return max([counted(value) for name, _, value in fields if name == FIELD], default=0)
