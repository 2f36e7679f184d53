"""The command `headrace`: reads the arguments, carries out one command, and turns what went wrong into an exit status.

Exit status: 0 as asked; 1 not; 2 what was written cannot be run. Signals are taken over before anything heavy is
imported, so the imports stand inside of `main`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from headrace.service.signals import Signals

INTERRUPTED = 130
"""The shell's status for a command that was ended by Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out *argv*; without it, this process's own arguments, and its signals are ours."""
    signals = Signals() if argv is None else None
    runs = argv is None and sys.argv[1:2] == ["run"]
    try:
        if runs and signals is not None:
            signals.install()
        from headrace.cli import commands  # noqa: PLC0415 - after the signals

        status = commands.carry_out(sys.argv[1:] if argv is None else argv, signals)
        sys.stdout.flush()
    except KeyboardInterrupt:  # nothing was begun yet, or nothing that needs draining
        if not runs:
            return INTERRUPTED
        # Not a return: an interpreter that was interrupted inside of exec(), as dataclasses use it, remembers that, and
        # kills itself with SIGINT at its end, although the exception was caught.
        os._exit(0)
    except BrokenPipeError:  # who reads our output has gone
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
