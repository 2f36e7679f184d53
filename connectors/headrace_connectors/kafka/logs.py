"""What the client libraries log: for whoever listens, never on standard error by itself, and without credentials."""

from __future__ import annotations

import logging
from typing import Final

from kafka.protocol.sasl import SaslAuthenticateRequest, SaslBytesRequest

LIBRDKAFKA: Final = logging.getLogger("headrace.librdkafka")
"""Where confluent_kafka's clients log: `logger=LIBRDKAFKA`, or librdkafka writes to standard error."""

_QUOTING: Final = ("kafka.admin.client", "kafka.net.connection", "kafka.protocol.parser")
"""Loggers that quote what is sent, and settings, for debugging."""


def holds_no_credentials(record: logging.LogRecord) -> bool:
    """False of a request that shows credentials, of bytes that are sent, and of a client's whole configuration."""
    if record.levelno > logging.DEBUG:
        return True
    arguments = record.args if isinstance(record.args, tuple) else (record.args,)
    shown = any(isinstance(one, SaslAuthenticateRequest | SaslBytesRequest | dict | bytearray) for one in arguments)
    return not shown


def set_up() -> None:
    """May be called any number of times: a logger takes the same filter and handler once."""
    for logger in (logging.getLogger("kafka"), LIBRDKAFKA):
        if not logger.handlers:  # or Python itself writes warnings to standard error
            logger.addHandler(logging.NullHandler())
    for name in _QUOTING:
        logging.getLogger(name).addFilter(holds_no_credentials)
