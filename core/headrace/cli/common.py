"""What several commands share: reading the config, saying what is wrong with it, printing tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.config import Config, load
from headrace.errors import ConfigError, Fault
from headrace.functions import Function
from headrace.functions.loading import load_functions
from headrace.plugins import Catalog, discover
from headrace.region import region

if TYPE_CHECKING:
    from rich.console import Console

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - its only name

WIDE = 200
"""Columns of a table that no terminal limits."""


def complain(faults: Iterable[Fault], word: str = "") -> None:
    """One line each on standard error."""
    for fault in faults:
        print(f"{word}{fault}", file=sys.stderr)


def console() -> Console:
    """Standard output; wide enough for whole values where it is not a terminal."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a command's start, and most print no table

    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False)


def catalog() -> Catalog:
    """Every connector that is installed.

    Raises:
        ConfigError: an installed catalog is broken.
    """
    try:
        return discover()
    except Exception as error:
        message = f"an installed catalog of connectors cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigError([Fault("", message)]) from error


def read(files: Sequence[Path], known: Catalog | None = None, *, warn: bool = True) -> Config:
    """The config in *files*; its warnings are printed, unless what is to be seen is something else (*warn*).

    Raises:
        ConfigError: with every fault.
    """
    config = load(files, known or catalog())
    if warn:
        complain(config.warnings, "warning: ")
    return config


def functions(config: Config, names: Collection[str]) -> dict[str, Function]:
    """Those functions of *config*, loaded.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    wanted = {name: one for name, one in config.functions.items() if name in names}
    try:
        return load_functions(wanted, config.base, region(config.sections.values()))
    except ConfigError as error:
        raise ConfigError([_placed(config, fault) for fault in error.faults]) from None


def one_of(word: str, name: str, known: Collection[str]) -> str:
    """*name*, when it is known.

    Raises:
        ConfigError: it is not, with what may be meant.
    """
    if name in known:
        return name
    close = get_close_matches(name, known, 1)
    mend = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}" if known else "there is none"
    raise ConfigError([Fault("", f"there is no {word} {name!r}; {mend}")])


def config_file(parser: argparse.ArgumentParser, **more: Any) -> None:
    parser.add_argument("files", metavar="FILE", type=Path, help="config file, or a folder of them", **more)


def _placed(config: Config, fault: Fault) -> Fault:
    place = fault.place or config.places.place(tuple(fault.path.split(".")))
    return Fault(fault.path, fault.message, place)
