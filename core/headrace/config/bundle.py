"""Several files, or a folder of them, as one config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headrace.config.document import Document, read
from headrace.config.places import Places, Where, dotted, printable
from headrace.errors import ConfigError, Fault

MERGED: Final = ("functions", "mappings", "destinations")
"""Blocks whose names may be spread over files; every other stands in one file, or is the same in each."""


@dataclass(slots=True)
class Bundle:
    """What the files say together. `folders`: of the file that names each block, and each function and mapping."""

    base: Path
    value: dict[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    folders: dict[Where, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, path: Path, document: Document) -> None:
        """Take *document* in; what is given already is a fault that names both places."""
        value = document.value or {}
        refused = set(self._clashes(value))
        for where in refused:
            message = f"given twice, first at {self.places.place(where)}; remove one"
            self.faults.append(Fault(dotted(where), message, document.places.place(where)))
        for top, block in value.items():
            mine = self.value.setdefault(top, {} if _is_merged(top, block) else block)
            if _is_merged(top, block) and isinstance(mine, dict):
                mine.update((name, one) for name, one in block.items() if (top, name) not in refused)
        for top in value:
            self.folders.setdefault((top,), path.parent)
        for top in MERGED:
            if isinstance(named := value.get(top), dict):
                self.folders |= {(top, name): path.parent for name in named if (top, name) not in refused}
        self.places.adopt(document.places, refused)

    def _clashes(self, value: Mapping[str, Any]) -> Iterator[Where]:
        for top in value.keys() & self.value.keys():
            mine, theirs = self.value[top], value[top]
            if _is_merged(top, mine) and _is_merged(top, theirs):
                yield from ((top, name) for name in theirs.keys() & mine.keys())
            elif mine != theirs:
                yield (top,)


def gather(paths: Sequence[Path], environ: Mapping[str, str]) -> Bundle:
    """The files in *paths* as one.

    Raises:
        ConfigError: one of them cannot be read to its end, so that nothing can be said of the whole.
    """
    faults: list[Fault] = []
    documents = {path: read(path, environ) for path in _files(paths, faults)}
    faults += [fault for document in documents.values() for fault in document.faults]
    if not documents and not faults:
        faults.append(Fault("", "no config file was given"))
    if not documents or any(document.value is None for document in documents.values()):
        raise ConfigError(faults)
    bundle = Bundle(next(iter(documents)).absolute().parent, faults=faults)
    for path, document in documents.items():
        bundle.add(path.absolute(), document)
    return bundle


def _files(paths: Iterable[Path], faults: list[Fault]) -> Iterator[Path]:
    for path in dict.fromkeys(paths):
        if not path.is_dir():
            yield path
            continue
        try:
            found = sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml"} and one.is_file())
        except OSError as error:
            faults.append(Fault("", f"the folder cannot be read: {error.strerror}", printable(str(path))))
            continue
        if not found:
            faults.append(Fault("", "the folder holds no .yaml or .yml file", printable(str(path))))
        yield from found


def _is_merged(top: str, block: Any) -> bool:
    return top in MERGED and isinstance(block, dict)
