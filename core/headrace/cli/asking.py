"""Asking the service that runs with a config, over HTTP."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from headrace.config import Config
from headrace.service.endpoints import pause_path
from headrace.settings import host_and_port

PATIENCE: Final = 10.0
"""Seconds that the service may take to answer."""


class NoAnswer(Exception):  # noqa: N818 - it says why there is none
    """Why there is no answer, for people."""


class Declined(Exception):  # noqa: N818 - it says why not
    """Why the service did not do as it was told, and the mend, for people."""


def ask(config: Config) -> dict[str, Any]:
    """What `/v1/mappings` answers.

    Raises:
        NoAnswer: nothing of that name answers there.
    """
    place, _, answer = _request(config, "GET", "/v1/mappings")
    if not isinstance(answer, dict) or "service" not in answer or "mappings" not in answer:
        raise NoAnswer(f"what answers at {place} is not headrace")
    if answer["service"] != config.service.name:
        raise NoAnswer(f"the service at {place} is {answer['service']!r}, not {config.service.name!r}")
    return answer


def tell(config: Config, name: str, word: str) -> bool:
    """Have the service `pause` or `resume` the mapping *name*; false where that changed nothing.

    Raises:
        NoAnswer: nothing of that name answers there.
        Declined: it does, and will not.
    """
    ask(config)  # whether it is ours
    place, status, answer = _request(config, "POST", pause_path(name, word))
    if status == HTTPStatus.NOT_FOUND:
        raise Declined(f"the service at {place} knows no {word} of {name}: start it again with this config")
    if status != HTTPStatus.OK:
        raise Declined(f"the service at {place}: {answer.get('error', status)}")
    return bool(answer["changed"])


def _request(config: Config, method: str, path: str) -> tuple[str, int, Any]:
    """Where it was asked, the status and the JSON."""
    if config.service.listen is None:
        raise NoAnswer("service.listen is null: this service cannot be asked")
    host, port = host_and_port(config.service.listen)
    if not port:
        taken = "the service logged the one it took (http.listening)"
        raise NoAnswer(f"service.listen has port 0: {taken}; write a fixed one, as 127.0.0.1:8480")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    connection, place = HTTPConnection(host, port, timeout=PATIENCE), f"{host}:{port}"
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return place, answer.status, json.loads(answer.read())
    except OSError as error:
        raise NoAnswer(f"nothing answers at {place} ({error}); is the service running?") from None
    except (HTTPException, ValueError):
        raise NoAnswer(f"what answers at {place} is not headrace") from None
    finally:
        connection.close()
