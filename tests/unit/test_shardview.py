"""What the ledger's rows are to people: every state with its reason, and an owner's own words."""

from __future__ import annotations

import pytest

from headrace.doing import Words, words
from headrace.ledger import Graph, Row
from headrace.service.shardview import ShardView, shard_views

ME = "box:1:aa"
NOW = 1000.0


def told(state: str, reason: str = "", since: float = 7.0) -> str:
    return Words(state=state, reason=reason, since=since, behind=3.5, held=12).text()


def view(*others: Row, paused: bool = False, **row: object) -> ShardView:
    given = {"shard": "s", "position": "5", **row}
    return shard_views(Graph(identity="i", generation="g", paused=paused, rows=(*others, Row(**given))), NOW)[-1]  # type: ignore[arg-type]


def held(**row: object) -> dict[str, object]:
    return {"owner": ME, "left": 4.0, **row}


@pytest.mark.parametrize(
    ("row", "state", "reason"),
    [
        (held(state=told("polling")), "reading", ""),
        (held(), "reading", "just taken"),
        (held(state="?"), "reading", "just taken"),
        (held(state=told("handling", "10 records, attempt 1")), "handling", "10 records, attempt 1"),
        (held(state=told("retrying", "batch at 5, attempt 3 next")), "retrying", "batch at 5, attempt 3 next"),
        (held(state=told("throttled", "why")), "throttled", "why"),
        (held(state=told("polling"), asked="box:2:bb"), "reading", "to be handed over to box:2:bb"),
        (held(state=told("polling"), crashes=2), "reading", "2 owners lost in a row at this position"),
        ({}, "no owner", "let go, or never taken"),
        ({"owner": ME, "left": -3.2}, "no owner", f"{ME} was lost 3 s ago"),
        ({"owner": ME, "left": 0.0}, "no owner", f"{ME} was lost"),
        (
            {"owner": ME, "left": -3.2, "crashes": 1},
            "no owner",
            f"{ME} was lost 3 s ago; 1 owner lost in a row at this position",
        ),
        ({"ended": True}, "ended", ""),
        ({"ended": True, "owner": ME, "left": 4.0, "crashes": 3}, "ended", ""),
    ],
)
def test_every_state_has_its_reason(row: dict[str, object], state: str, reason: str) -> None:
    """Mutation: words that are shown of an owner that is gone; `just taken` in the place of what it tells."""
    shown = view(**row)
    assert (shown.state, shown.reason) == (state, reason)


@pytest.mark.parametrize(
    ("row", "since"),
    [
        ({"idle": 60.0}, 940.0),
        ({"idle": 60.0, "ended": True, "owner": ME, "left": -50.0}, 940.0),
        ({"idle": 60.0, "owner": ME, "left": -50.0}, 950.0),
        ({"owner": ME, "left": 0.0}, 0.0),
        ({"ended": True}, 0.0),
        (held(idle=60.0), 0.0),
    ],
)
def test_every_state_has_its_time(row: dict[str, object], since: float) -> None:
    """Mutations: a time of its owner's words alone; when it was let go, of one whose owner was lost later."""
    assert view(**row).since == since
    assert view(paused=True, **row).since == since


def test_what_an_owner_tells_and_what_nobody_knows() -> None:
    """Mutation: the owner, lag or words of a lease that has expired."""
    shown = view(**held(state=told("handling"), epoch=9))
    assert (shown.owner, shown.since, shown.lag_seconds, shown.held, shown.epoch) == (ME, 7.0, 3.5, 12, 9)
    assert (shown.position, shown.lag_records) == ("5", None)
    gone = view(owner=ME, left=-1.0, state=told("handling"))
    assert (gone.owner, gone.since, gone.lag_seconds, gone.held) == (None, NOW - 1, None, 0)


def test_a_child_names_the_parents_that_it_waits_for() -> None:
    """Mutation: parents that have ended, or gone, among them."""
    done, reading = Row(shard="a", position="1", ended=True), Row(shard="b", position="1")
    shown = view(done, reading, parents=("a", "b", "gone"))
    assert (shown.state, shown.reason) == ("waiting", "for parent b")
    assert view(done, parents=("a", "gone")).state == "no owner"


def test_paused() -> None:
    """An owner that still works is told of, or a pause would seem not to work. Mutation: `paused` shown while held."""
    assert view(paused=True).state == "paused"
    assert view(Row(shard="b", position="1"), paused=True, parents=("b",)).state == "paused"
    assert view(paused=True, ended=True).state == "ended"
    at_work = view(paused=True, **held(state=told("handling", "7 records")))
    assert at_work.state == "handling"
    assert at_work.reason == "7 records; to be paused: finishes what it has at its handler"


def test_words_there_and_back() -> None:
    said = Words(state="handling", reason="é; 1", since=1.5, behind=None, held=3)
    assert words(said.text()) == said


@pytest.mark.parametrize(
    "odd",
    [
        *("", "?", "{}", "[]", "null", "3", '["a"]', '["a", "b", "soon", null, 0]', '["a", "b", 1, "x", 0]'),
        *('["a", "b", 1, null, null]', '["a", "b", 1, null, 0, "newer"]', '["a", "b", 1, null, Infinity]'),
        '{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}',
    ],
)
def test_odd_words_are_none(odd: str) -> None:
    """Of a newer headrace, or of nobody. Mutation: a lag that is no number, and breaks the table."""
    assert words(odd) is None
