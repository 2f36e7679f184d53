"""The sources that come with headrace, and their pollers for use as a library."""

from headrace_connectors.sqs.poller import SqsPoller

__all__ = ["SqsPoller"]
