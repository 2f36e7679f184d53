"""A catalog with one connector, `ticks`: schedules whose expressions are `headrace.testing.Every`'s. For tests.

`source: {type: ticks, schedules: {NAME: {schedule_expression: "every(30, 0.1)"}}}`: each 30 s, a tenth past. The
rest is the schedule source's own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headrace.plugins import Catalog
from headrace.testing import Every
from headrace_connectors.schedule.registration import read_by

connector = replace(read_by(Every.read), type="ticks")

catalog = Catalog(connectors=[connector])


def install(folder: Path) -> None:
    """Make *folder* an import path on which this catalog is an installed package."""
    info = folder / "headrace_ticks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace-ticks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headrace.catalogs]\nticks = support.ticks:catalog\n")
