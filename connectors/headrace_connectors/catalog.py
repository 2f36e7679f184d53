"""What this package brings: one line a connector."""

from __future__ import annotations

from headrace.plugins import Catalog
from headrace_connectors.aws import AwsSettings
from headrace_connectors.sqs.source import sqs

catalog = Catalog(connectors=[sqs], sections={"aws": AwsSettings})
