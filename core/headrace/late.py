"""What stands in a registration by its name, and is imported when it is first called.

Every command reads the registrations of every source, destination and store that is installed. What those talk with
(a client library takes up to half a second to import) is needed only where one of that kind is really opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any


@dataclass(frozen=True, slots=True)
class Late:
    """Is called as the function or class that *name* means: `package.module:name`, as entry points are written."""

    name: str

    def load(self) -> Any:
        return resolve_name(self.name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.load()(*arguments, **named)
