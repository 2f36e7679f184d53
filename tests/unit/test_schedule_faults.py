"""What is said of expressions that mean nothing: every fault, with its column and its mend."""

import random

import pytest

from headrace.errors import ConfigError
from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.days import Month
from headrace_connectors.schedule.expression import parse

BOTH, RULE, SCHEDULER = ("rule", "scheduler"), ("rule",), ("scheduler",)

SET_TOO = "day-of-week: day-of-month is set, too; write ? in that of the two that is not to count"

CRON = [  # I…: the numbers of the reference
    ("I81", "cron(0 1 ? * ? *)", BOTH, ["column 14: day-of-week: both day fields are ?"]),
    ("I82", "cron(0 12 * * ?)", RULE, ["column 16: the year is missing: a rule has six fields"]),
    ("I83", "cron(0 0 12 * * ? *)", BOTH, ["column 19: six fields are needed, not 7; write minutes hours"]),
    ("I85", "cron(60 * * * ? *)", BOTH, ["column 6: minutes: 60 is out of range; write 0-59"]),
    ("I87", "cron(0 12 0 * ? *)", BOTH, ["column 11: day-of-month: 0 is out of range; write 1-31"]),
    ("I89", "cron(0 12 * 13 ? *)", BOTH, ["column 13: month: 13 is out of range; write 1-12 or JAN-DEC"]),
    ("I91", "cron(0 12 ? * 8 *)", BOTH, ["column 15: day-of-week: 8 is out of range; write 1-7 or SUN-SAT"]),
    ("I93", "cron(0 12 * * ? 2200)", BOTH, ["column 17: year: 2200 is out of range; write 1970-2199"]),
    ("I95", "cron(0 0 ? * 3#6 *)", BOTH, ["column 16: day-of-week: 6 is out of range; write 1-5, or 3L"]),
    ("I97", "cron(7 20 * * NOT *)", BOTH, ["column 15: day-of-week: 'NOT' is no value", f"column 15: {SET_TOO}"]),
    ("I99", "cron(INVALID)", BOTH, ["column 13: six fields are needed, not 1"]),
    ("I101", "cron(0/0 * * * ? *)", BOTH, ["column 8: minutes: '0' is no step; it is a whole number, 1 or more"]),
    ("I103", "cron(0 0 W * ? *)", BOTH, ["column 10: day-of-month: W needs its day, as in 15W"]),
    ("I105", "cron(0 0 1-5W * ? *)", BOTH, ["column 10: day-of-month: '1-5W' is no day"]),
    ("I107", "cron(0 12 ? * MONDAY *)", BOTH, ["column 15: day-of-week: 'MONDAY' is no value; did you mean MON?"]),
    ("I109", "cron(5- * * * ? *)", BOTH, ["column 6: minutes: '5-' is no range; write both ends"]),
    ("I111", "cron(0 0 ? * 5W *)", BOTH, ["column 14: day-of-week: W stands only in day-of-month"]),
    ("both days", "cron(0 12 * * * *)", BOTH, [f"column 15: {SET_TOO}"]),
    ("no field", "cron()", BOTH, ["column 6: six fields are needed, not 0"]),
    ("four", "cron(0 12 * ?)", SCHEDULER, ["column 14: six fields are needed, not 4"]),
    ("hour", "cron(0 24 * * ? *)", BOTH, ["column 8: hours: 24 is out of range; write 0-23"]),
    ("day", "cron(0 0 32 * ? *)", BOTH, ["column 10: day-of-month: 32 is out of range"]),
    ("month", "cron(0 0 1 0 ? *)", BOTH, ["column 12: month: 0 is out of range"]),
    ("weekday", "cron(0 0 ? * 0 *)", BOTH, ["column 14: day-of-week: 0 is out of range"]),
    ("year", "cron(0 0 * * ? 1969)", BOTH, ["column 16: year: 1969 is out of range"]),
    ("years wrap", "cron(0 0 * * ? 2005-2002)", BOTH, ["column 16: year: the range ends before it begins"]),
    ("negative", "cron(-5 * * * ? *)", BOTH, ["column 6: minutes: '-5' is no range"]),
    ("* in a range", "cron(*-5 5-* * * ? *)", BOTH, ["column 6: minutes: '*-5'", "column 10: hours: '5-*'"]),
    ("* in a list", "cron(*,5 * * * ? *)", BOTH, ["column 6: minutes: * is the whole field"]),
    ("comma", "cron(5,,6, * * * ? *)", BOTH, ["column 8: minutes: a value is missing", "column 11: minutes: a value"]),
    ("? elsewhere", "cron(? * * ? ? ?)", BOTH, ["column 6: minutes: ?", "column 12: month: ?", "column 16: year: ?"]),
    ("? in a list", "cron(0 0 ?,5 * ? *)", BOTH, ["column 10: day-of-month: ? stands alone"]),
    ("? and a step", "cron(0 0 ?/5 * ? *)", BOTH, ["column 10: day-of-month: ? stands alone"]),
    ("step in week", "cron(0 0 ? * MON/2 *)", BOTH, ["column 14: day-of-week: / has no meaning in day-of-week"]),
    ("step in week", "cron(0 0 ? * */2 *)", BOTH, ["column 14: day-of-week: / has no meaning in day-of-week"]),
    (
        "no step",
        "cron(0/ */x 1/-1 5/1.5 ? *)",
        BOTH,
        ["column 8: min", "column 11: hours", "column 15: d", "column 20: m"],
    ),
    ("no start", "cron(/5 * * * ? *)", BOTH, ["column 6: minutes: the step has no beginning; write * before it"]),
    ("L-3", "cron(0 0 L-3 * ? *)", BOTH, ["column 10: day-of-month: 'L-3' is no day"]),
    ("L in a list", "cron(0 0 L,15 * ? *)", BOTH, ["column 10: day-of-month: 'L,15' is no day"]),
    ("WL", "cron(0 0 WL * ? *)", BOTH, ["column 10: day-of-month: 'WL' is no day"]),
    ("32W", "cron(0 0 32W * ? *)", BOTH, ["column 10: day-of-month: 32 is out of range"]),
    ("0W", "cron(0 0 0W * ? *)", BOTH, ["column 10: day-of-month: 0 is out of range"]),
    ("15w", "cron(0 0 15w * ? *)", BOTH, ["column 10: day-of-month: '15w' is no day; L and W are capital letters"]),
    ("15W/2", "cron(0 0 15W/2 * ? *)", BOTH, ["column 10: day-of-month: '15W/2' is no day"]),
    ("# in month", "cron(0 0 3#1 * ? *)", BOTH, ["column 10: day-of-month: # stands only in day-of-week"]),
    ("two #", "cron(0 0 ? * 2#1,3#2 *)", BOTH, ["column 14: day-of-week: '2#1,3#2' is no day; #"]),
    ("#0", "cron(0 0 ? * 2#0 *)", BOTH, ["column 16: day-of-week: 0 is out of range; write 1-5"]),
    ("8#1", "cron(0 0 ? * 8#1 *)", BOTH, ["column 14: day-of-week: 8 is out of range"]),
    ("#", "cron(0 0 ? * # *)", BOTH, ["column 14: day-of-week: '#' is no day"]),
    ("L and #", "cron(0 0 ? * FRIL#2 *)", BOTH, ["column 14: day-of-week: 'FRIL' is no value; did you mean FRI?"]),
    ("L in a list", "cron(0 0 ? * 2L,6L *)", BOTH, ["column 14: day-of-week: '2L,6L' is no day; L"]),
    ("L of a range", "cron(0 0 ? * 2-6L *)", BOTH, ["column 14: day-of-week: '2-6L' is no day; L"]),
    ("8L", "cron(0 0 ? * 8L *)", BOTH, ["column 14: day-of-week: 8 is out of range"]),
    ("fril", "cron(0 0 ? * fril *)", BOTH, ["column 14: day-of-week: 'fril' is no day; L, a capital letter"]),
    (
        "L elsewhere",
        "cron(L 0 * L ? L)",
        BOTH,
        ["column 6: minutes: 'L'", "column 12: month: 'L'", "column 16: year: 'L'"],
    ),
    ("month name", "cron(0 0 1 Janu ? *)", BOTH, ["column 12: month: 'Janu' is no value; did you mean JAN?"]),
    ("name elsewhere", "cron(MON 0 1 MON ? *)", BOTH, ["column 6: minutes: 'MON'", "column 14: month: 'MON'"]),
    ("no-break space", "cron(0\u00a00 * * ? *)", RULE, ["column 17: the year is missing"]),
    ("other digits", "cron(\u0663 0 * * ? *)", BOTH, ["column 6: minutes: '\u0663' is no value"]),
    ("other letters", "cron(0 0 ? * \u017fun *)", BOTH, ["column 14: day-of-week: '\u017fun' is no value"]),
    ("blanks", "cron( 0 0 * * ? *)", BOTH, ["column 6: a blank stands behind ( or before )"]),
    ("blanks", "cron(0 0 * * ? * )", BOTH, ["column 6: a blank stands behind ( or before )"]),
    ("blanks", "cron(0 0 * * ? *) ", BOTH, ["column 18: a blank stands before or behind the expression"]),
    ("blanks", "\tcron(0 0 * * ? *)", BOTH, ["column 1: a blank stands before or behind the expression"]),
    (
        "all at once",
        "cron(60 24 32 13 8 1)",
        BOTH,
        ["column 6", "column 9", "column 12", "column 15", "column 18", "column 20", "column 18"],
    ),
]
OTHERS = [
    ("nothing", "", BOTH, ["column 1: an expression has 1 to 256 characters, and this one 0"]),
    ("too long", f"cron({'0,' * 130}0 0 * * ? *)", BOTH, ["column 1: an expression has 1 to 256 characters"]),
    ("bare", "0 12 * * ? *", BOTH, ["column 1: the form is cron(…), rate(…) or at(…); write cron(0 12 * * ? *)"]),
    ("Unix", "0 12 * * 1-5", BOTH, ["column 1: the form is cron(…), rate(…) or at(…); write cron(…) with ? in"]),
    ("another", "every(5 minutes)", BOTH, ["column 1: the form is cron(…), rate(…) or at(…), as"]),
    ("capitals", "Cron(0 12 * * ? *)", BOTH, ["column 1: Cron is written in small letters"]),
    ("open", "cron(0 12 * * ? *", BOTH, ["column 18: the ) at the end is missing"]),
    ("behind", "rate(5 minutes)s", BOTH, ["column 16: something stands behind the )"]),
    (
        "R6",
        "rate(1 minutes)",
        RULE,
        ["column 8: unit: in a rule 1 and minutes do not go together; write rate(1 minute)"],
    ),
    ("R6", "rate(1 hours)", RULE, ["column 8: unit: "]),
    ("R6", "rate(1 days)", RULE, ["column 8: unit: "]),
    ("R7", "rate(10 minute)", RULE, ["column 9: unit: "]),
    ("R7", "rate(10 hour)", RULE, ["column 9: unit: "]),
    ("R7", "rate(10 day)", RULE, ["column 9: unit: "]),
    ("R8", "rate(0 minutes)", BOTH, ["column 6: value: '0' is no whole number, 1 or more"]),
    ("R8", "rate(10 MINUTES)", BOTH, ["column 9: unit: 'MINUTES' is no unit; did you mean minutes?"]),
    ("R9", "rate()", BOTH, ["column 6: '' is no rate; write a value, a blank and a unit"]),
    ("R9", "rate(10)", BOTH, ["column 6: '10' is no rate"]),
    ("R9", "rate(10 seconds)", BOTH, ["column 9: unit: 'seconds' is no unit; units are minutes, hours and days"]),
    ("R9", "rate(10 years)", BOTH, ["column 9: unit: 'years' is no unit"]),
    ("R9", "rate(10 minutess)", BOTH, ["column 9: unit: 'minutess' is no unit; did you mean minutes?"]),
    ("R9", "rate(foo minutes)", BOTH, ["column 6: value: 'foo' is no whole number"]),
    ("R9", "rate(-10 minutes)", BOTH, ["column 6: value: '-10' is no whole number"]),
    ("R9", "rate( 10 minutes )", BOTH, ["column 6: a blank stands behind ("]),
    ("R9", " rate(10 minutes)", BOTH, ["column 1: a blank stands before or behind the expression"]),
    ("R10", "rate(1.5 hours)", BOTH, ["column 6: value: '1.5' is no whole number"]),
    ("two blanks", "rate(10  minutes)", BOTH, ["column 9: unit: "]),
    ("A5", "at(2026-06-01T10:00:00Z)", SCHEDULER, ["column 4: '2026-06-01T10:00:00Z' is no time; write yyyy-mm-ddThh"]),
    ("A6", "at(2026-06-01)", SCHEDULER, ["column 4: '2026-06-01' is no time; write yyyy-mm-ddThh:mm:ss"]),
    ("A7", "at(2026-02-30T00:00:00)", SCHEDULER, ["column 4: 2026-02-30T00:00:00 is no time that there is"]),
    ("A8", "at(2026-06-01 10:00:00)", SCHEDULER, ["column 4: '2026-06-01 10:00:00' is no time"]),
    ("hour 24", "at(2026-06-01T24:00:00)", SCHEDULER, ["column 4: 2026-06-01T24:00:00 is no time that there is"]),
    ("year", "at(2200-01-01T00:00:00)", SCHEDULER, ["column 4: year: 2200 is out of range; write 1970-2199"]),
    ("year 0", "at(0000-01-01T00:00:00)", SCHEDULER, ["column 4: 0000-01-01T00:00:00 is no time that there is"]),
    ("in a rule", "at(2026-06-01T10:00:00)", RULE, ["column 1: at(…) is of the dialect scheduler"]),
]
CASES = [(name, text, dialect, told) for name, text, dialects, told in CRON + OTHERS for dialect in dialects]


@pytest.mark.parametrize(
    ("text", "dialect", "told"), [case[1:] for case in CASES], ids=[f"{case[0]} {case[2]}" for case in CASES]
)
def test_every_fault_is_told_with_its_column_and_its_mend(text, dialect, told):
    """Mutations, each tried: columns from 0; the first fault alone; AWS's `*,5` taken for a list."""
    with pytest.raises(ConfigError) as refused:
        parse(text, dialect)
    said = str(refused.value).splitlines()
    assert len(said) == len(told)
    for line, begin in zip(said, told, strict=True):
        assert line.startswith(begin), said


@pytest.mark.parametrize(
    "text", ["rate(1 minutes)", "rate(1 hours)", "rate(1 days)", "rate(10 minute)", "rate(10 hour)", "rate(10 day)"]
)
def test_the_scheduler_takes_any_number_of_a_unit(text):
    """R6, and R7's: nothing is known that refuses these."""
    assert parse(text) == parse(text.replace("s)", ")")) == parse(text.replace(")", "s)").replace("ss)", "s)"))


def test_the_schedulers_year_may_be_left_out():
    """I82's other half. Mutation, tried: five fields for a rule, too."""
    assert parse("cron(0 12 * * ?)", "scheduler") == parse("cron(0 12 * * ? *)", "rule")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cron(0 0 ? * mon-FRI *)", "cron(0 0 ? * 2-6 *)"),
        ("cron(0 0 ? * MON-6 *)", "cron(0 0 ? * 2-6 *)"),
        ("cron(0 0 ? jan * *)", "cron(0 0 * 01 ? *)"),
        ("cron(15/65 * * * ? *)", "cron(15 * * * ? *)"),
        ("cron(0 20-2/3 * * ? *)", "cron(0 20,23,2 * * ? *)"),
        ("cron(0 0 28-3/2 * ? *)", "cron(0 0 28,30,1,3 * ? *)"),
        ("cron(1/10 * * * ? *)", "cron(1,11,21,31,41,51 * * * ? *)"),
        ("cron(5-5 * * * ? *)", "cron(5 * * * ? *)"),
        ("cron(*/20,5 * * * ? *)", "cron(0,5,20,40 * * * ? *)"),
        ("cron(0 0 ? * L *)", "cron(0 0 ? * SAT *)"),
        ("cron(0 0 ? * 6L *)", "cron(0 0 ? * FriL *)"),
        ("cron(0 0 ? * thu#05 *)", "cron(0 0 ? * 5#5 *)"),
        ("cron(0 0 * NOV/2 ? *)", "cron(0 0 * 11 ? *)"),
        ("cron(0 0 * * ? */2)", "cron(0 0 * * ? 1970/2)"),
        ("cron(0  0\t* *\n? *)", "cron(0 0 * * ? *)"),
    ],
)
def test_two_ways_to_write_the_same(one, other):
    """Mutation, tried: steps of a range that wraps begin anew at the smallest value."""

    def days(cron: Cron) -> list[tuple[int, ...]]:
        return [cron.days.of(Month(first, length)) for first in range(1, 8) for length in range(28, 32)]

    for dialect in BOTH:
        first, second = parse(one, dialect), parse(other, dialect)
        assert isinstance(first, Cron)
        assert isinstance(second, Cron)
        assert (first.minutes, first.hours, first.months, first.years, days(first)) == (
            *(second.minutes, second.hours, second.months, second.years),
            days(second),
        )


def test_whatever_is_written_is_refused_by_a_fault_and_nothing_else():
    """Damaged expressions: each means something, or is a ConfigError whose places are columns of the text."""
    rng = random.Random(6)
    valid = [text for _, text, _, _ in CRON + OTHERS] + ["rate(5 minutes)", "at(2026-06-01T10:00:00)"]
    for _ in range(4000):
        text = rng.choice(valid)
        for _ in range(rng.randint(1, 4)):
            place = rng.randint(0, len(text))
            text = (
                text[:place] + rng.choice(" ,-*/?LW#()0123456789aJANmon\x00\ud800é") + text[place + rng.randint(0, 2) :]
            )
        for dialect in BOTH:
            try:
                parse(text, dialect)
            except ConfigError as refused:
                for fault in refused.faults:
                    assert 1 <= int(fault.place.removeprefix("column ")) <= len(text) + 1
                    assert fault.message.isprintable(), fault
