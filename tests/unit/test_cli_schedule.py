"""`headrace schedule explain`, as a program and a person see it. Nothing of it raises a traceback."""

import json

import pytest

from headrace.cli import commands
from support.command import project

FROM = ("--from", "2026-01-01T00:00:00Z")


@pytest.fixture
def explain(capsys):
    def run(*words: str) -> tuple[int, str, str]:
        status = commands.carry_out(["schedule", "explain", *words], None)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def following(explain):
    def run(*words: str) -> list[str]:
        status, out, err = explain(*words, "--json")
        assert (status, err) == (0, "")
        answer = json.loads(out)
        assert list(answer) == ["next"]
        return answer["next"]

    return run


def test_json_has_the_next_occurrences_in_utc(following):
    """Mutations, each tried: local times; a dialect that is not the scheduler's by default."""
    assert following("cron(0 12 * * ?)", *FROM, "--count", "2") == ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"]
    berlin = following("cron(0 12 * * ? *)", *FROM, "--count", "1", "--timezone", "Europe/Berlin")
    assert berlin == ["2026-01-01T11:00:00Z"]
    assert len(following("cron(0 12 * * ? *)")) == 5


def test_from_is_exclusive_and_may_be_written_in_any_way(following):
    for noon in ("2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00", "1767268800"):
        assert following("cron(0 12 * * ? *)", "--from", noon, "--count", "1") == ["2026-01-02T12:00:00Z"]


def test_a_rate_is_that_of_a_schedule_made_then(following):
    """R1 and R2 of the vectors. Mutation, tried: a rate counted from 1970."""
    assert following("rate(5 minutes)", "--from", "2026-01-01T00:02:30Z", "--count", "2") == [
        "2026-01-01T00:02:30Z",
        "2026-01-01T00:07:30Z",
    ]
    rule = following("rate(1 hour)", "--dialect", "rule", "--from", "2026-01-01T10:17:05Z", "--count", "2")
    assert rule == ["2026-01-01T11:17:05Z", "2026-01-01T12:17:05Z"]
    dates = ("--start-date", "2026-01-01T10:00:00Z", "--end-date", "2026-01-01T12:30:00Z")
    assert following("rate(1 hour)", *FROM, *dates) == [f"2026-01-01T{hour}:00:00Z" for hour in (10, 11, 12)]


@pytest.mark.parametrize("text", ["cron(0 0 30 2 ? *)", "cron(0 0 * * ? 2005)", "at(2025-01-01T00:00:00)"])
def test_what_never_fires_is_valid(explain, following, text):
    assert following(text, *FROM) == []
    status, out, err = explain(text, *FROM)
    assert (status, err) == (0, "")
    assert "fire" in out.splitlines()[1]


def test_people_get_the_meaning_and_both_times(explain):
    status, out, err = explain(
        "cron(30 2 * * ? *)", "--timezone", "America/New_York", "--from", "1772884800", "--count", "2"
    )
    assert (status, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "At 02:30 every day, America/New_York time.",
        "",
        "local time                       UTC",
        "Sunday 2026-03-08 02:30:00       -                     does not exist, as clocks go from 02:00 to 03:00",
        "Monday 2026-03-09 02:30:00 EDT   2026-03-09T06:30:00Z",
        "Tuesday 2026-03-10 02:30:00 EDT  2026-03-10T06:30:00Z",
    ]


def test_all_faults_are_told_at_once(explain):
    """Mutation, tried: the first alone."""
    options = ("--timezone", "Europe/Berln", "--from", "yesterday", "--end-date", "1e300", "--count", "0")
    status, out, err = explain("cron(60 0 32 * ? *)", *options, "--json")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "column 6: minutes: 60 is out of range; write 0-59",
        "column 11: day-of-month: 32 is out of range; write 1-31",
        "--timezone: there is no time zone 'Europe/Berln'; did you mean Europe/Berlin?",
        "--from: 'yesterday' is no time; write Unix seconds, or a time as 2026-01-31T12:00:00Z",
        "--end-date: '1e300' is no time; write Unix seconds, or a time as 2026-01-31T12:00:00Z",
        "--count: '0' is no whole number from 1 to 100,000",
    ]


def test_a_rule_has_neither_zone_nor_dates(explain, following):
    status, _, err = explain(
        *("cron(0 12 * * ? *)", "--dialect", "rule", "--timezone", "Europe/Berlin", "--start-date", "0"),
    )
    assert status == 2
    assert err.splitlines() == [
        "--timezone: a rule's times are in UTC; leave it out, or take --dialect scheduler",
        "--start-date: a rule has no dates; leave it out, or take --dialect scheduler",
    ]
    assert following("cron(0 12 * * ? *)", *FROM, "--dialect", "rule", "--timezone", "UTC", "--count", "1")


@pytest.mark.parametrize("count", ["-1", "1.5", "", "100001", "9" * 5000, "²", "three"])
def test_a_count_that_is_none(explain, count):
    status, _, err = explain("rate(1 day)", f"--count={count}")
    assert status == 2
    assert err.startswith("--count: ")


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "-1e10", "nan"]
)
def test_no_time_ends_in_a_traceback(explain, moment):
    for option in ("--from", "--start-date", "--end-date"):
        for text in ("rate(1 day)", "cron(0 0 * * ? *)", "at(2026-01-01T00:00:00)"):
            status, out, err = explain(text, f"{option}={moment}", "--timezone", "America/New_York")
            assert (status, bool(out)) in {(0, True), (2, False)}, err


def test_a_dialect_that_is_none(explain):
    status, _, err = explain("rate(1 day)", "--dialect", "quartz")
    assert status == 2
    assert "quartz" in err


def test_zones_are_there_where_the_machine_has_none(tmp_path, monkeypatch):
    """Slim images and Windows. Mutation, tried: without the package tzdata."""
    monkeypatch.setenv("PYTHONTZPATH", "")
    with project(tmp_path) as made:
        done = made.run("schedule", "explain", "cron(0 12 * * ? *)", "--timezone", "Asia/Tokyo", *FROM, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["next"][0] == "2026-01-01T03:00:00Z"
