"""Asking the service that runs with a config, over HTTP."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from headrace.config import Config
from headrace.settings import host_and_port

PATIENCE: Final = 10.0
"""Seconds that the service may take to answer."""


class NoAnswer(Exception):  # noqa: N818 - it says why there is none
    """Why there is no answer, for people."""


def ask(config: Config) -> dict[str, Any]:
    """What `/v1/mappings` answers.

    Raises:
        NoAnswer: nothing of that name answers there.
    """
    if config.service.listen is None:
        raise NoAnswer("service.listen is null: this service cannot be asked")
    host, port = host_and_port(config.service.listen)
    if not port:
        taken = "the service logged the one it took (http.listening)"
        raise NoAnswer(f"service.listen has port 0: {taken}; write a fixed one, as 127.0.0.1:8480")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/v1/mappings")
        answer = json.loads(connection.getresponse().read())
    except OSError as error:
        raise NoAnswer(f"nothing answers at {host}:{port} ({error}); is the service running?") from None
    except (HTTPException, ValueError):
        raise NoAnswer(f"what answers at {host}:{port} is not headrace") from None
    finally:
        connection.close()
    if not isinstance(answer, dict) or "service" not in answer or "mappings" not in answer:
        raise NoAnswer(f"what answers at {host}:{port} is not headrace")
    if answer["service"] != config.service.name:
        raise NoAnswer(f"the service at {host}:{port} is {answer['service']!r}, not {config.service.name!r}")
    return answer
