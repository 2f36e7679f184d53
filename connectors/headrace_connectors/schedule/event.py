"""The Scheduled Event, which a handler gets where no input is configured: of either dialect, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.instants import utc

GROUP = "default"
"""The group of a schedule that names none, as Scheduler's."""


def arn(dialect: Dialect, name: str, *, region: str, account: str) -> str:
    """The ARN that a rule or a schedule of that name has; a name as GROUP/NAME is in that group."""
    if dialect == "rule":
        return f"arn:aws:events:{region}:{account}:rule/{name}"
    return f"arn:aws:scheduler:{region}:{account}:schedule/{name if '/' in name else f'{GROUP}/{name}'}"


def scheduled_event(
    dialect: Dialect, name: str, at: datetime, event_id: UUID, *, region: str, account: str
) -> dict[str, Any]:
    """The event of the occurrence that was planned for *at*, however late it comes.

    Scheduler's `detail` is a text (seen in a handler's recorded event), a rule's is an object.
    """
    detail: Any = {} if dialect == "rule" else "{}"
    return {
        "version": "0",
        "id": str(event_id),
        "detail-type": "Scheduled Event",
        "source": "aws.events" if dialect == "rule" else "aws.scheduler",
        "account": account,
        "time": utc(at),
        "region": region,
        "resources": [arn(dialect, name, region=region, account=account)],
        "detail": detail,
    }
