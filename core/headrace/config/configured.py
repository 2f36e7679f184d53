"""One mapping as it was configured: what can be opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from headrace.observe import log
from headrace.plugins import Connector, Destined, Opening, Routing
from headrace.settings import MappingSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingConfig:
    """One mapping. `settings` are effective; `origin` says of each: `file`, `default` or `default of sqs`.

    `folder` is that of the file which names it, `section_folders` those of the files which have the sections.
    """

    name: str
    connector: Connector
    options: Settings
    function: str
    settings: MappingSettings
    origin: Mapping[str, str]
    folder: Path
    section_folders: Mapping[str, Path]
    on_failure: Routing | None = None
    on_success: Routing | None = None
    dead_letter: Destined | None = None

    def opening(
        self, service: str, sections: Mapping[str, BaseModel], function_timeout: float, **process: Any
    ) -> Opening:
        """What the connector is told; *process* is what else is known: `state`, `leases`, `shared`."""
        return Opening(
            service=service,
            mapping=self.name,
            settings=self.settings,
            options=self.options,
            sections=sections,
            function_timeout=function_timeout,
            log=log(mapping=self.name),
            folder=self.folder,
            section_folders=self.section_folders,
            on_failure=self.on_failure,
            on_success=self.on_success,
            dead_letter=self.dead_letter,
            **process,
        )
