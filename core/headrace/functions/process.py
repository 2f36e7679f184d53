"""The process of one function, as the service holds it: started, spoken to, ended. What it prints is printed here."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO, Final

from headrace.clock import SYSTEM
from headrace.functions.messages import Answered, Begin, Cancel, Ended, First, Program, pack, read, receive
from headrace.model import Answer

ENDING: Final = 2.0
"""Seconds that it has to end by itself when it is told to: Lambda's, of an environment that is shut down."""

LAST_WORDS: Final = 0.5
"""Seconds that are spent on what it has printed: what it has started itself may hold its output for ever."""

OFTEN: Final = 0.01
"""Seconds between two looks whether it has."""

_PROGRAM: Final = "headrace.functions.host"


@dataclass(frozen=True, slots=True)
class Died:
    """The process has, with *status* as `subprocess.Popen.returncode` has it, under so many calls."""

    status: int
    calls: int


@dataclass(frozen=True, slots=True)
class Running:
    """A call in the process: its answer, or how the process died before one; and that its handler has ended."""

    answer: asyncio.Future[Answer | Died]
    ended: asyncio.Future[None]


class Process:
    """Begun at once, with *environment*; `first` or `open` says whether it takes calls."""

    def __init__(self, program: Program, environment: Mapping[str, str]) -> None:
        """Raises OSError: no descriptor, process or thread is left."""
        self.gone = False
        self.status: int | None = None
        self.loading = 0.0
        """Seconds that it took at most to load the handler, where `first` waited for that."""
        self._begun = SYSTEM.boot()
        self._ending = False
        self._calls: dict[int, Running] = {}
        self._first: First | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._printing: list[Thread] = []
        self._line, theirs = socket.socketpair()
        with ExitStack() as undo:
            undo.callback(self._line.close)
            with theirs:
                self._process = _popen(theirs.fileno(), environment)
            undo.enter_context(self._process)  # which closes its pipes
            undo.callback(self.kill)
            streams = (self._process.stdout, "stdout"), (self._process.stderr, "stderr")
            self._printing += [_print(pipe, name) for pipe, name in streams if pipe is not None]
            undo.pop_all()
        with suppress(ConnectionError):  # it died at once: what it says first is nothing
            self._line.sendall(pack(program))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def opened(self) -> bool:
        """Whether it takes calls. One that has died since the loop last looked must not be taken to die of the next."""
        return self._reading is not None and not self._ending and self._process.poll() is None

    def first(self) -> First | None:
        """What it says first, waited for without a loop; None when it ended without a word."""
        self._first = receive(self._line)
        self.loading = SYSTEM.boot() - self._begun
        if self._first is None:
            self.status = self._process.wait()
        return self._first

    async def open(self) -> First | None:
        """The same on the loop; it takes calls from now on."""
        reader, self._writer = await asyncio.open_connection(sock=self._line)
        self._first = self._first or await read(reader)
        if self._first is None:
            await self._ended()
        else:
            self._reading = asyncio.create_task(self._read(reader))
        return self._first

    def begin(self, message: Begin) -> Running:
        """Raises what pickling raises: the event cannot be handed over."""
        if self._writer is None:
            raise RuntimeError("it was not opened")
        loop = asyncio.get_running_loop()
        data = pack(message)
        running = self._calls[message.number] = Running(loop.create_future(), loop.create_future())
        self._writer.write(data)
        return running

    def cancel(self, number: int) -> None:
        if number in self._calls and self._writer is not None:
            self._writer.write(pack(Cancel(number)))

    async def look(self) -> None:
        """See whether it has died: what it has started itself may hold our line."""
        if self._ending or self._process.poll() is not None:
            if self._reading is not None:  # what it said before is heard first
                await asyncio.wait((self._reading,), timeout=LAST_WORDS)
                self._reading.cancel()
            await self._ended()

    def end(self) -> None:
        """Kill it; those who wait for its calls are told when it is gone."""
        self._ending = True
        self._process.kill()

    async def close(self) -> None:
        """It ends now, and calls that are under way end with it."""
        if self._writer is None:
            self._line.close()
        else:
            self._writer.close()
        await self._ended()
        if self._reading is not None:
            await asyncio.wait((self._reading,))
        deadline = SYSTEM.boot() + LAST_WORDS
        while self._prints and SYSTEM.boot() < deadline:  # noqa: ASYNC110 - a thread tells no loop of its end
            await asyncio.sleep(OFTEN)

    def kill(self) -> None:
        """Where no loop runs."""
        self._process.kill()
        self.status = self._process.wait()
        self._line.close()
        for thread in self._printing:
            thread.join(LAST_WORDS)

    @property
    def _prints(self) -> bool:
        return any(thread.is_alive() for thread in self._printing)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while (message := await read(reader)) is not None:
            match message:
                case Answered(number, answer, ended):
                    if not (first := self._calls[number].answer).done():
                        first.set_result(answer)
                    if ended:
                        self._end(number)
                case Ended(number):
                    self._end(number)
        await self._ended()

    def _end(self, number: int) -> None:
        self._calls.pop(number).ended.set_result(None)

    async def _ended(self) -> None:
        """No more comes from it: see to it that it is gone, and tell those who wait."""
        self._ending = True
        deadline = SYSTEM.boot() + ENDING
        while (status := self._process.poll()) is None:
            if SYSTEM.boot() >= deadline:
                self._process.kill()
            await asyncio.sleep(OFTEN)
        self.gone, self.status = True, status
        died = Died(status, len(self._calls))
        for number, running in list(self._calls.items()):
            if not running.answer.done():
                running.answer.set_result(died)
            self._end(number)


def _popen(line: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", _PROGRAM, str(line), str(os.getpid())],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[line],
        start_new_session=True,  # Ctrl-C in a terminal is for us; calls are let finish
    )


def _print(pipe: IO[bytes], name: str) -> Thread:
    """Line by line to our own stream of that *name*, as it is at each line: a live table may have taken it over."""

    def copy() -> None:
        with pipe:
            for line in pipe:
                with suppress(
                    OSError, ValueError, AttributeError
                ):  # ours is closed, or none: it must not wait for that
                    stream = getattr(sys, name)
                    stream.write(line.decode(errors="replace"))
                    stream.flush()

    thread = Thread(target=copy, name=f"headrace-{name}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    return thread
