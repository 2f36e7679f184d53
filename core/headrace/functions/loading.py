"""All functions of a config: loaded together, or refused together with every fault."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias

from headrace.errors import ConfigError, Fault, FunctionUnavailable
from headrace.functions import environment, payloads
from headrace.functions.clashes import apart
from headrace.functions.function import Function
from headrace.functions.hosted import Hosted
from headrace.functions.messages import Program, Refused
from headrace.functions.process import Process
from headrace.functions.together import handler_fault, load_together, locate_all
from headrace.functionsettings import FunctionSettings

_All: TypeAlias = Mapping[str, FunctionSettings]


def load_functions(settings: _All, base: Path, region: str) -> dict[str, Function]:
    """Load every function; *base* is the folder of the config file, *region* goes into ARNs and the environment.

    The environment is set before the first import, because modules read it there. Functions that cannot share this
    process with one another get processes of their own, and are not imported here: their code would run under settings
    that are not theirs. When anything is refused, the environment and the import path are left as they were, and no
    process is left behind.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    faults: list[Fault] = []
    located = locate_all(settings, base, faults)
    reasons = apart(settings, located)
    shared = {name: settings[name] for name in located if name not in reasons}
    with environment.restored_on_error(), ExitStack() as stack:
        programs = [(_program(name, settings[name], base, region), settings[name]) for name in reasons]
        started = [(program, *_started(stack, program, one)) for program, one in programs]  # they load side by side
        functions = load_together(shared, base, region, faults)
        for program, process, start in started:
            try:
                functions[program.name] = _apart(program, process, start, reasons[program.name])
            except ConfigError as error:
                faults += error.faults
        if faults:
            raise ConfigError(faults)
        stack.pop_all()
    return {name: functions[name] for name in settings}


def _program(name: str, settings: FunctionSettings, base: Path, region: str) -> Program:
    """Who it is in AWS, the environment of its process says."""
    needed = {part: getattr(settings, part) for part in ("handler", "path", "timeout", "environment")}
    return Program(name=name, settings=FunctionSettings(**needed), base=base, region=region, path=list(sys.path))


def _started(stack: ExitStack, program: Program, settings: FunctionSettings) -> tuple[Process, Callable[[], Process]]:
    """Its process, which *stack* kills, and what makes another."""
    start = partial(Process, program, environment.of_process(settings))
    try:
        process = start()
    except OSError as error:
        why = f"needs a process of its own, and none can be started: {error}"
        raise ConfigError([Fault(f"functions.{program.name}", why)]) from None
    stack.callback(process.kill)
    return process, start


def _apart(program: Program, process: Process, start: Callable[[], Process], why: str) -> Function:
    said = process.first()
    if said is None:
        ended = FunctionUnavailable("Runtime.ExitError", payloads.ending(process.status or 0))
        raise ConfigError([handler_fault(program.name, ended, program.base)])
    if isinstance(said, Refused):
        raise ConfigError(said.faults)
    hosted = Hosted(program.name, said.version, process, start)
    return Function(program.name, hosted, timeout=program.settings.timeout, region=program.region, apart=why)
