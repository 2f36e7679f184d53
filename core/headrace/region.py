"""The region that stands in ARNs of what is not in AWS."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

REGION: Final = "us-east-1"


def region(sections: Iterable[object], environ: Mapping[str, str] = os.environ) -> str:
    """That of the first of a config's sections that has one, else the environment's, as AWS's own tools."""
    regions = [getattr(section, "region", None) for section in sections]
    regions += [environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    return next((str(one) for one in regions if one), REGION)
