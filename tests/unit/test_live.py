"""What a person watches."""

import asyncio
import io

import pytest
import structlog
from rich.console import Console

from headrace.service import live, status


def view(**changes):
    counts = status.total(()) | changes.pop("counts", {})
    base = status.disabled("orders", "memory", "f")
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    return status.MappingView(
        **{**fields, "enabled": True, "state": "polling", "reason": "", "counts": counts, **changes}
    )


def drawn(table):
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_a_row_for_each_mapping_that_runs():
    views = [
        view(
            counts={"polled": 12000, "succeeded": 11000, "failed": 30, "retried": 20, "returned": 10},
            dead_lettered=4,
            in_flight=5,
            age=status.Quantiles(p50=0.25, p99=90.0),
        ),
        view(mapping="off", enabled=False),
    ]
    lines = drawn(live.Progress(lambda: views).table()).splitlines()[1:]
    first, second, row = (line.split() for line in lines)
    assert first == ["dead-", "in", "records", "p50", "p99"]
    assert " ".join(second) == "mapping received succeeded failed retried returned lettered flight /s age age"
    assert " ".join(row) == "orders 12,000 11,000 30 20 10 4 5 0 250 ms 1.5 min"


def test_a_narrow_terminal_gets_whole_numbers():
    out = io.StringIO()
    console = Console(file=out, width=80)
    many = dict.fromkeys(status.COUNTS, 12_345_678)
    console.print(live.Progress(lambda: [view(counts=many, dead_lettered=1234)]).table(80))
    assert out.getvalue().count("12,345,678") == 4
    assert "…" not in out.getvalue()


def test_what_does_not_poll_is_said_below_and_markup_in_it_is_text():
    table = live.Progress(lambda: [view(state="failed", reason="[/bold] no"), view(mapping="clicks")]).table()
    assert "orders: failed: [/bold] no" in drawn(table)
    assert "clicks: polling" not in drawn(table)


def test_the_last_table_stays_while_the_loop_changes_things():
    views = [[view()]]

    def look():
        if not views:
            raise RuntimeError("dictionary changed size during iteration")
        return views.pop()

    progress = live.Progress(look)
    shown = progress.table()
    assert progress.table() is shown


def test_the_rate_is_that_of_the_last_seconds():
    rate = live.Rate()
    assert rate.at(100.0, 0) == 0.0
    assert rate.at(101.0, 500) == 500.0
    assert rate.at(150.0, 500) == pytest.approx(0, abs=11)
    assert rate.at(160.0, 500) == 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"),
        (0.0123, "12 ms"),
        (1, "1.0 s"),
        (59.9, "59.9 s"),
        (90, "1.5 min"),
        (7200, "2.0 h"),
        (129600, "1.5 d"),
    ],
)
def test_durations(value, text):
    assert live.seconds(value) == text


async def test_lines_of_progress_elsewhere():
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(live.report_progress(live.Progress(lambda: [view(dead_lettered=1)]), 0.01))
        while not lines:
            await asyncio.sleep(0.01)
        task.cancel()
    assert lines[0]["event"] == "mapping.progress"
    assert (lines[0]["mapping"], lines[0]["received"], lines[0]["dead_lettered"]) == ("orders", 0, 1)


def test_standard_error_is_drawn_above_the_table():
    """The table's terminal gets it, and it is left whole afterwards."""
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True)
    with live.LiveTable(live.Progress(lambda: [view()]), console):
        print("from a handler")  # noqa: T201
    assert "from a handler" in out.getvalue()
    assert out.getvalue().rstrip().endswith("\x1b[?25h")
