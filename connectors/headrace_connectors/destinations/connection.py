"""A destination's way to AWS: as whom, and where."""

from __future__ import annotations

from headrace.errors import Fault
from headrace.plugins import Opening, Probe
from headrace_connectors.aws import AwsError, AwsSettings


def settings_of(
    options: AwsSettings, opening: Opening, *, region: str | None = None, otherwise: str | None = None
) -> AwsSettings:
    """The destination's own settings, then the *region* of its ARN, then the config's, then the region *otherwise*."""
    own = options if options.region else options.model_copy(update={"region": region})
    section = opening.sections.get("aws")
    merged = own.over(section if isinstance(section, AwsSettings) else AwsSettings())
    return merged if merged.region else merged.model_copy(update={"region": otherwise})


def not_said(path: str, error: AwsError, *, needed: bool = False) -> Probe:
    """What a failed probe says: a denial is a warning, as sending needs less rights, unless the answer is *needed*."""
    fault = Fault(path, str(error))
    return Probe(warnings=[fault]) if error.denied and not needed else Probe(faults=[fault])
