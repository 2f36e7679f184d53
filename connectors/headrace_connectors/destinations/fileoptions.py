"""What may be written about a file as a destination, or as a claim check."""

from __future__ import annotations

from pydantic import Field

from headrace.settings import Settings
from headrace_connectors.destinations.rotation import Rotation


class FileOptions(Settings):
    """`destination: {type: file, …}`."""

    path: str = Field(
        min_length=1,
        description="JSON lines are appended; made, for its owner only, if it is missing. Relative to the config file. "
        "As a claim check: a folder, with a file for each record.",
    )
    rotate: Rotation | None = Field(
        None, description="When a new file is begun, and what becomes of the old ones. Default: never."
    )
