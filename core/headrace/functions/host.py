"""The process of one function: loads its handler, and carries out the calls that the service sends.

    python -m headrace.functions.host LINE PARENT

LINE is the descriptor of a socket to the service, PARENT its process id.
"""

from __future__ import annotations

import asyncio
import ctypes
import io
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, cast

from headrace.errors import Fault
from headrace.functions import payloads
from headrace.functions.function import Call, Function
from headrace.functions.messages import Answered, Begin, Cancel, Ended, Loaded, Program, Refused, pack, read, receive
from headrace.functions.together import load_together, locate_all
from headrace.model import Answer

_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG, of Linux' prctl."""


def main(line: socket.socket, parent: int) -> None:
    _end_with(parent)
    for stop in (signal.SIGINT, signal.SIGTERM):  # the service says when it is time; a handler of ours, unlike SIG_IGN,
        signal.signal(stop, lambda *_: None)  # is not inherited by what the user's code starts
    line.set_inheritable(False)  # nor is the line: at its end the service sees that this process has died
    os.register_at_fork(after_in_child=line.close)
    for stream in (sys.stdout, sys.stderr):
        cast("io.TextIOWrapper", stream).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    program = cast("Program", receive(line))
    sys.path[:] = program.path
    faults: list[Fault] = []
    found = locate_all({program.name: program.settings}, program.base, faults)
    functions = load_together(dict.fromkeys(found, program.settings), program.base, program.region, faults)
    if faults:
        line.sendall(pack(Refused(faults)))
        return
    [function] = functions.values()
    line.sendall(pack(Loaded(function.version)))
    with asyncio.Runner() as runner:
        try:
            runner.run(_Host(function).serve(line))
        except BaseException as error:  # noqa: BLE001 - the handler stopped the loop, or a task of its own ended it
            print(f"function {program.name}: its event loop was ended: {error!r}", file=sys.__stderr__, flush=True)
            os._exit(1)  # nothing is tidied up: what is cancelled on the way would be told as if it had ended


class _Host:
    def __init__(self, function: Function) -> None:
        self._function = function
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._open: set[int] = set()

    async def serve(self, line: socket.socket) -> None:
        """Until the service closes the line, or is gone."""
        reader, self._writer = await asyncio.open_connection(sock=line)
        while (message := await read(reader)) is not None:
            if isinstance(message, Begin):
                self._begin(message)
                await asyncio.sleep(0)  # its answer is waited for before it can be cancelled
            elif isinstance(message, Cancel) and message.number in self._tasks:
                self._tasks[message.number].cancel()
        if self._open:
            os._exit(0)  # nobody waits for what is under way, and it must not go on
        self._writer.close()
        await self._function.close()

    def _begin(self, message: Begin) -> None:
        number, until = message.number, message.until
        call = self._function.begin(message.event, message.delivery, lambda: until, request_id=message.request_id)
        self._open.add(number)
        task = self._tasks[number] = asyncio.create_task(self._answer(number, call, message.request_id))
        task.add_done_callback(lambda _: self._tasks.pop(number))

    async def _answer(self, number: int, call: Call, request_id: str) -> None:
        told = False
        try:
            answer = await call.answer(self._function.timeout)
            with suppress(Exception):  # whatever the user has made of it
                sys.stdout.flush()
            told = call.ended
            self._writer.write(_answered(number, replace(answer, lingering=None), told, request_id))
        finally:
            if told:
                self._open.discard(number)
            elif call.ended:
                self._ended(number)
            else:
                call.when_ended(partial(self._ended, number))

    def _ended(self, number: int) -> None:
        self._open.discard(number)
        self._writer.write(pack(Ended(number)))


def _answered(number: int, answer: Answer, ended: bool, request_id: str) -> bytes:  # noqa: FBT001 - as in Answered
    try:
        return pack(Answered(number, answer, ended))
    except Exception as error:  # noqa: BLE001 - what was returned is nested too deeply
        failure = payloads.unmarshalled(error, request_id)
        return pack(Answered(number, replace(answer, value=None, failure=failure), ended))


def _end_with(parent: int) -> None:
    """A process that outlived the service would have its records handled twice.

    Linux ends it at once, even while C code holds the interpreter; elsewhere the end of the line says so.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
