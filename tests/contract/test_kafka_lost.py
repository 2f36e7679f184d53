"""A member that lost its partitions joins again: it claims none of them, which are another's by now."""

from __future__ import annotations

from contextlib import ExitStack

from kafka.admin import MemberToRemove

from support.kafka import Cluster
from support.kafka_members import member, until


def test_what_was_lost_is_not_claimed_when_it_joins_again(apache_kafka: Cluster) -> None:
    """Claimed by two, a partition is given to one while the other is still to let it go. kafka-python alone: it keeps
    by itself what it claims. Mutation: an assignor that is not told of the loss.
    """
    topic, group = apache_kafka.topic(4), apache_kafka.group()
    with ExitStack() as stack:
        one = stack.enter_context(member(apache_kafka.bootstrap_servers, group, [topic]))
        until(lambda: len(one.ours) == 4)
        coordinator = one.client._consumer._coordinator  # type: ignore[attr-defined]
        (assignor,) = coordinator._assignors.values()
        assert assignor.metadata([topic]).owned_partitions
        one.hold.clear()  # it does not join again before it is looked at
        with apache_kafka.admin() as admin:
            admin.remove_group_members(group, [MemberToRemove(member_id=coordinator._generation.member_id)])
        until(lambda: one.told[-1][0] == "lost")
        assert not assignor.metadata([topic]).owned_partitions
        one.hold.set()
        until(lambda: len(one.ours) == 4)
        assert len(assignor.metadata([topic]).owned_partitions) == 1, "of one topic, its four"
