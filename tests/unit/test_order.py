"""The checker of histories against histories made by hand: what must be refused, and what must not.

Each refusal names the one breach that its history has, so a check that is left out is seen.
"""

from __future__ import annotations

import math

import pytest

from headrace.testing.history import Attempt, Fate, Kill, Outage, Reported, Stopped, attempts, check
from headrace.testing.order import Order, check_order, fates


class Story:
    """A history told in calls: `call(0, "1 2x 3?")` is one call at second 0 with three numbers of a group.

    x: listed in the answer; !: raised; ?: no end is known. A call takes a second, and its process is 1, unless said.
    """

    def __init__(self) -> None:
        self.history: list[Attempt] = []
        self._counts: dict[int, int] = {}

    def call(
        self, at: float, numbers: str, *, group: str = "g", took: float = 1, pid: int = 1, count: int = 0
    ) -> Story:
        calls = len({one.call for one in self.history})
        for word in numbers.split():
            number, mark = int(word.rstrip("x!?")), word[-1]
            self._counts[number] = count or self._counts.get(number, 0) + 1
            end = {"x": "listed", "!": "raised", "?": ""}.get(mark, "done")
            self.history.append(
                Attempt(
                    number=number,
                    group=group,
                    message_id=f"m{number}",
                    count=self._counts[number],
                    pid=pid,
                    call=f"c{calls}",
                    begun=at,
                    end=end,
                    ended=at + took if end else math.inf,
                )
            )
        return self

    def judged(self, *, sent: int = 3, strict: bool = True, timeout: float = 10, dead=(), causes=()) -> Order:
        groups = {"g": range(1, sent + 1)}
        return check_order(self.history, groups, strict=strict, timeout=timeout, dead=dead, causes=causes)


def kinds(order: Order) -> list[str]:
    return sorted({one.kind for one in order.disorder})


GOOD = {
    "one call": Story().call(0, "1 2 3"),
    "one after the other": Story().call(0, "1").call(2, "2").call(4, "3"),
    "listed with all that follows": Story().call(0, "1 2x 3x").call(5, "2 3"),
    "raised": Story().call(0, "1! 2!").call(5, "1 2").call(7, "3"),
    "comes back in smaller calls": Story().call(0, "1! 2! 3!").call(5, "1").call(7, "2 3"),
    "past its time-out, begun again when it had ended": Story().call(0, "1", took=20).call(21, "1").call(23, "2 3"),
}


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "aws"])
@pytest.mark.parametrize("story", GOOD.values(), ids=GOOD)
def test_a_good_history_holds(story, strict) -> None:
    order = story.judged(strict=strict)
    assert order.holds, order


BAD = {
    "a later number first": (Story().call(0, "2").call(2, "1").call(4, "3"), ["behind", "overtaken"]),
    "past a failed one": (Story().call(0, "1x").call(2, "2").call(4, "1").call(6, "3"), ["behind", "overtaken"]),
    "while the one before is handled": (Story().call(0, "1", took=3).call(2, "2 3"), ["overlap", "overtaken"]),
    "beside itself": (Story().call(0, "1! 2!", took=3).call(2, "1 2").call(4, "3"), ["overlap"]),
    "beside a thread past its time-out": (Story().call(0, "1", took=20).call(12, "1").call(22, "2 3"), ["overlap"]),
    "an old delivery": (Story().call(0, "1!").call(2, "1", count=1).call(4, "2 3"), ["stale"]),
    "jumbled": (Story().call(0, "2 1 3"), ["jumbled"]),
}


@pytest.mark.parametrize(("story", "breaches"), BAD.values(), ids=BAD)
def test_each_breach_of_order_is_named(story, breaches) -> None:
    order = story.judged()
    assert not order.found.lost
    assert not order.found.unexplained
    assert kinds(order) == breaches
    assert not order.holds


def test_groups_do_not_mind_each_other() -> None:
    story = Story().call(0, "2", group="other", took=9).call(1, "1").call(3, "3")
    order = check_order(story.history, {"g": [1, 3], "other": [2]}, strict=True, timeout=10)
    assert order.holds, order
    assert order.turns == 3


def test_what_follows_a_failure_in_its_turn_comes_again_in_strict_mode_only() -> None:
    deleted, returned = Story().call(0, "1x 2 3").call(5, "1"), Story().call(0, "1x 2 3").call(5, "1 2 3")
    assert deleted.judged(strict=False).holds
    assert returned.judged(strict=True).holds
    assert deleted.judged(strict=True).found.lost == {2, 3}
    refused = returned.judged(strict=False)
    assert {before.number for before, _ in refused.found.unexplained} == {2, 3}
    assert kinds(refused) == []  # 2 and 3 are not behind: they stand in one turn with 1, as they did


def test_a_deleted_number_that_comes_again_later_is_behind() -> None:
    order = Story().call(0, "1x 2").call(5, "1").call(7, "3").call(9, "2").judged(strict=False)
    assert kinds(order) == ["behind"]
    assert [before.number for before, _ in order.found.unexplained] == [2]


def test_a_failed_number_that_never_comes_again_is_lost() -> None:
    assert Story().call(0, "1 2 3x").judged().found.lost == {3}
    assert Story().call(0, "1 2").judged().found.lost == {3}
    assert Story().call(0, "1 2").call(2, "3", took=11).judged().found.lost == {3}


def test_a_dead_letter_lets_others_pass_once_it_is_dead() -> None:
    dead = Story().call(0, "1!").call(2, "1!").call(4, "2 3")
    assert dead.judged(dead={1}).holds
    assert kinds(dead.judged()) == ["overtaken"]
    risen = Story().call(0, "1!").call(2, "2 3").call(4, "1!")
    assert kinds(risen.judged(dead={1})) == ["behind"]


def test_a_number_that_nobody_sent_is_a_stranger() -> None:
    order = Story().call(0, "1 2 3").call(2, "4").judged()
    assert order.found.strangers == {4}
    assert not order.holds


def test_a_kill_explains_what_was_at_the_handler_and_what_was_just_done() -> None:
    at_the_handler = Story().call(0, "1 2? 3?").call(5, "2 3", pid=2)
    just_done = Story().call(0, "1 2").call(5, "1 2", pid=2).call(7, "3", pid=2)
    for story in (at_the_handler, just_done):
        assert not story.judged().holds
        order = story.judged(causes=[Kill(1, 1.5)])
        assert order.holds, order
        assert order.found.causes == {"kill": 2}


def test_a_kill_does_not_explain_what_another_process_did_nor_what_was_settled_long_ago() -> None:
    story = Story().call(0, "1 2").call(20, "1 2", pid=2).call(22, "3", pid=2)
    assert len(story.judged(causes=[Kill(2, 1.5)]).found.unexplained) == 2
    assert len(story.judged(causes=[Kill(1, 15)]).found.unexplained) == 2


def test_a_kill_excuses_no_disorder() -> None:
    story = Story().call(0, "1 2?").call(5, "2", pid=2).call(7, "1", pid=2).call(9, "3", pid=2)
    assert kinds(story.judged(causes=[Kill(1, 0.5)])) == ["behind"]
    skipped = Story().call(0, "1? 2?").call(5, "2", pid=2).call(7, "1", pid=2).call(9, "3", pid=2)
    assert kinds(skipped.judged(causes=[Kill(1, 0.5)])) == ["behind", "overtaken"]


def test_an_attempt_begun_before_a_stop_and_running_across_it_is_excused_by_name() -> None:
    story = Story().call(0, "1 2", took=9).call(5, "1 2", pid=2).call(7, "3", pid=2)
    assert kinds(story.judged()) == ["overlap"]
    order = story.judged(causes=[Stopped(1, 0.5)])
    assert order.holds, order
    assert order.excused == {"begun before the stop": 1}
    assert order.found.causes == {"begun before the stop": 2}


def test_an_attempt_begun_after_the_stop_is_not_excused() -> None:
    late = Story().call(5, "1 2", pid=2, count=2).call(7, "3", pid=2).call(9, "1 2", count=1)
    order = late.judged(causes=[Stopped(1, 0.5)])
    assert kinds(order) == ["behind", "stale"]
    assert len(order.found.unexplained) == 2
    other = Story().call(0, "1 2", took=9).call(5, "1 2", pid=2).call(7, "3", pid=2)
    assert kinds(other.judged(causes=[Stopped(2, 0.5)])) == ["overlap"]


def test_an_outage_explains_what_was_in_hand() -> None:
    story = Story().call(0, "1 2").call(12, "1 2").call(14, "3")
    assert story.judged(causes=[Outage(0.5, 9)]).holds
    assert not story.judged(causes=[Outage(10, 11)]).holds


def test_a_report_explains_the_messages_that_it_names() -> None:
    story = Story().call(0, "1 2").call(12, "1 2").call(14, "3")
    assert story.judged(causes=[Reported(frozenset({"m1", "m2"}), "delete given up")]).holds
    assert len(story.judged(causes=[Reported(frozenset({"m1"}), "delete given up")]).found.unexplained) == 1


def test_fates() -> None:
    story = Story().call(0, "1 2x 3 4?").call(5, "5", took=11).call(30, "6!")
    strict, aws = (fates(story.history, strict=mode, timeout=10) for mode in (True, False))
    settled, returns, unknown = Fate.SETTLED, Fate.RETURNS, Fate.UNKNOWN
    assert [strict(one) for one in story.history] == [settled, returns, returns, unknown, returns, returns]
    assert [aws(one) for one in story.history] == [settled, returns, settled, unknown, returns, returns]


def test_lines_are_read_as_handlers_write_them() -> None:
    begun = '{"phase": "begun", "n": 7, "group": "g1", "id": "m", "rc": 2, "pid": 4, "call": "c", "at": 1.5}'
    later = begun.replace('"m"', '"o"').replace("7", "8").replace("1.5", "1.25")
    ended = '{"phase": "listed", "n": 7, "id": "m", "call": "c", "at": 2.5}'
    eight, seven = attempts([begun, later, ended])
    assert (seven.number, seven.group, seven.count, seven.end, seven.ended) == (7, "g1", 2, "listed", 2.5)
    assert (eight.number, eight.end, eight.ended) == (8, "", math.inf)


def test_without_groups_only_loss_and_repeats_are_looked_at() -> None:
    story = Story().call(0, "2").call(0, "1x").call(3, "1").call(4, "2")
    found = check(story.history, [1, 2, 3], unsure=[4])
    assert found.lost == {3}
    assert [before.number for before, _ in found.unexplained] == [2]
    assert found.causes == {"failed": 1}
