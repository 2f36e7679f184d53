"""The topics of a config's mappings, made where they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.config import Config
from headrace_connectors.testbed.plan import told_of, topics_of

if TYPE_CHECKING:
    from headrace_connectors.testbed.cluster import Cluster

PARTITIONS: Final = 2
"""Of a mapping's topic: so many shards a stream has. A retry topic has one, and so has a topic of failures."""


def make(config: Config, cluster: Cluster) -> None:
    """Make them, and wait for their leaders.

    Raises:
        ServerUnavailable: the cluster does not make them.
    """
    wanted = dict.fromkeys(told_of(config), 1)
    for one in topics_of(config).values():
        wanted |= dict.fromkeys(one.all(), 1) | {one.main: PARTITIONS}
    cluster.make_topics(wanted)
