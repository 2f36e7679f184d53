"""An event put on its function's queue, for `headrace invoke --async` and for a replay to it."""

from __future__ import annotations

import json
from uuid import uuid4

from headrace.asynchronous import packed, queue_of
from headrace.calls import Call
from headrace.cli.ledgers import carried_out, opened
from headrace.config import Config
from headrace.errors import ConfigError, Fault
from headrace.letters import NoLetter


def accept(config: Config, function: str, event: object, *, as_json: bool) -> int:
    """Put *event* on the queue of *function*, and print the request id that its attempts will have.

    Raises:
        ConfigError: the function has no queue, or the event is too large for one.
    """
    if queue_of(function) not in config.queues:
        mend = "give it event_invoke_config: {}, so that a service carries what is put on its queue"
        raise ConfigError([Fault(f"functions.{function}", f"is not invoked asynchronously; {mend}")])
    request_id = str(uuid4())
    try:
        call = packed(request_id, event)
    except ValueError as error:
        raise ConfigError([Fault("--event", str(error))]) from None
    return carried_out(lambda: _accepted(config, function, call, as_json=as_json))


async def _accepted(config: Config, function: str, call: Call, *, as_json: bool) -> int:
    await _put(config, function, call)
    print(json.dumps({"StatusCode": 202, "RequestId": call.id}) if as_json else f"accepted: {call.id}")
    return 0


async def put_on_queue(config: Config, function: str, request_id: str, event: object) -> None:
    """Put *event* on the queue of *function* again.

    Raises:
        NoLetter: the function has no queue, or the event is too large for one.
        LedgerError: the store cannot be used, or reached.
    """
    if queue_of(function) not in config.queues:
        raise NoLetter(f"the function {function} is not invoked asynchronously, so there is no queue: replay to it")
    try:
        call = packed(request_id, event)
    except ValueError as error:
        raise NoLetter(str(error)) from None
    await _put(config, function, call)


async def _put(config: Config, function: str, call: Call) -> None:
    async with opened(config) as ledger:
        await ledger.put(queue_of(function), [call])
