"""A server in a process of its own, on 127.0.0.1, that ends with the process that started it.

    with ApacheKafka(prepare(cache)) as server: ...     # server.port; stop(), start() again on the same ports and data

Calls block, for seconds where a server is slow to start; from a running loop use `asyncio.to_thread`. An orderly end
stops the process by its id; nothing else does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from headrace.clock import SYSTEM
from headrace.errors import ServerUnavailable

LOOPBACK = "127.0.0.1"
PATIENCE = 0.02
"""Seconds between two questions to a server that does not answer yet."""
TAIL = 2000
"""As many characters of a server's log are told when it does not start."""

_WATCHED = 'exec 3<&0; (read -r word <&3 || kill -KILL $$) & exec "$@" </dev/null 3<&-'
"""What starts a server: beside it waits a shell for one line from us, and kills the server when the line's other end is
gone, however we ended. PR_SET_PDEATHSIG would do it without that shell, but only on Linux, and it is sent when the
*thread* that started the server ends."""


@contextlib.contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Free ports, all different, that the system gives to nobody meanwhile; who knows a number may listen there.

    So on Linux, for servers that set SO_REUSEADDR, as all of ours do: a port that is bound, and where nobody listens,
    is theirs too. Elsewhere such a port is a taken one: they are let go of at once, and another may be given one.
    """
    with contextlib.ExitStack() as held:
        holders = [held.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((LOOPBACK, 0))
        ports = [holder.getsockname()[1] for holder in holders]
        if any(map(taken, ports)):
            held.close()
        yield ports


def taken(port: int) -> bool:
    """Whether another listens there."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return True
    return False


class Server:
    """One process with one port or several. Subclasses say what to run, and how to know that it answers.

    `folder` is where it keeps its data and its log: one that is given outlives us, another is deleted at the end of the
    `with` block. `port` is the first one's number; without one a free one is taken. Ports and data stay the same when
    it is started again; a port that was free is held until the end of the block (`held_ports`), the server up or down.
    One that nobody holds any more is killed.
    """

    name = ""
    start_timeout = 120.0
    """Seconds. Far more than it takes: one that dies is told at once, and a busy machine is slow."""
    not_inherited: Sequence[str] = ("AWS_", "PYTHON")
    """Environment variables of ours that begin so are not the server's business."""

    def __init__(self, *, folder: Path | None = None, port: int = 0, listeners: Sequence[str] = ("main",)) -> None:
        self._given = folder and folder.absolute()
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._held = contextlib.ExitStack()
        self._asked = {listeners[0]: port} if port else {}
        self.ports: dict[str, int] = dict.fromkeys(listeners, 0)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def argv(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def probe(self) -> None:
        """One call as a user makes it; OSError while the server is not ready."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        if self._given:
            return self._given
        self._own = self._own or tempfile.TemporaryDirectory(prefix=f"headrace-{self.name.replace(' ', '-')}-")
        return Path(self._own.name)

    @property
    def port(self) -> int:
        return next(iter(self.ports.values()))

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> Self:
        """Start, or start again; returns when the server has answered a call.

        Raises:
            ServerUnavailable: it did not, and why: a port is taken, or what it said.
        """
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        if self.port:
            self._launch(self.ports)
            return self
        attempts = 1 if self._asked else 3  # where ports cannot be held, another may be first
        for left in reversed(range(attempts)):
            ports = {**dict(zip(self.ports, self._free_ports(), strict=True)), **self._asked}
            try:
                self._launch(ports)
            except BaseException as error:  # a server that never started leaves nothing
                lost = isinstance(error, ServerUnavailable) and any(map(taken, ports.values()))
                self._let_go()
                if not left or not lost:
                    raise
            else:
                break
        return self

    def _free_ports(self) -> list[int]:
        return self._held.enter_context(held_ports(len(self.ports)))

    def _launch(self, ports: dict[str, int]) -> None:
        before, self.ports = self.ports, ports
        try:
            self._refuse_taken()
            self._run()
        except BaseException:
            self.kill()
            self.ports = before
            raise

    def _refuse_taken(self) -> None:
        for port in self.ports.values():
            if taken(port):
                raise ServerUnavailable(
                    f"{self.name}: port {port} on {LOOPBACK} is taken; end what listens there, or choose another port"
                )

    def _run(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(tuple(self.not_inherited))}
        self.folder.mkdir(parents=True, exist_ok=True)
        self._line, theirs = socket.socketpair()
        with self.log.open("ab") as output, theirs:
            began = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - what runs is our subclass's word
                ["/bin/sh", "-c", _WATCHED, self.name, *self.argv()],
                env={**kept, **self.environment()},
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop it in order
            )
        self._until_it_answers(began)

    def _until_it_answers(self, began: int) -> None:
        process, deadline = self._running(), SYSTEM.boot() + self.start_timeout
        while True:
            try:
                return self.probe()
            except OSError as error:
                reason = str(error)
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                if SYSTEM.boot() < deadline:
                    continue
                what = f"did not answer within {self.start_timeout:.0f} s ({reason})"
            else:
                what = f"ended with status {status}"
            raise ServerUnavailable(f"{self.name} on port {self.port} {what}; it said:\n{self._tail(began)}")

    def _tail(self, began: int) -> str:
        with self.log.open("rb") as log:
            log.seek(began)
            return log.read().decode(errors="replace")[-TAIL:].strip() or "(it said nothing)"

    def stop(self, timeout: float = 10) -> None:
        """SIGTERM, and SIGKILL when that has not ended it in time. Stopping what is not running is fine."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL: nothing is saved, open connections are reset by the kernel."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def _reap(self) -> None:
        """Wait for the end of the process, and for that of its watcher, which must not kill who has that id next."""
        process, line = self._running(), self._line
        process.wait()
        self._process = self._line = None
        if line is not None:
            with line, contextlib.suppress(OSError):
                line.sendall(b"done\n")
                line.recv(1)

    def pause(self) -> None:
        """SIGSTOP: the port accepts, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._let_go()

    def _let_go(self) -> None:
        self._held.close()
        if self._own is not None:
            self._own.cleanup()
            self._own = None
