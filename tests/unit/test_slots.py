from __future__ import annotations

from headrace.slots import Slots


def test_a_failure_halves_down_to_one():
    slots = Slots(10)
    limits = []
    for _ in range(5):
        slots.failed(slots.ticket())
        limits.append(slots.limit)
    assert limits == [5, 2, 1, 1, 1]


def test_failures_of_one_wave_halve_once():
    """Mutation: halving per failure, with which ten invocations of one outage fall to 1 at once."""
    slots = Slots(16)
    wave = [slots.ticket() for _ in range(16)]
    for ticket in wave:
        slots.failed(ticket)
    assert slots.limit == 8
    slots.failed(slots.ticket())
    assert slots.limit == 4


def test_places_come_back_one_by_one_and_not_past_the_most():
    slots = Slots(4)
    slots.failed(slots.ticket())
    assert slots.limit == 2
    limits = []
    for _ in range(8):
        slots.succeeded()
        limits.append(slots.limit)
    assert limits == [2, 3, 3, 3, 4, 4, 4, 4]


def test_a_failure_breaks_the_row_of_successes():
    slots = Slots(4)
    old = slots.ticket()
    slots.failed(slots.ticket())
    slots.succeeded()
    slots.failed(old)
    assert slots.limit == 2
    slots.succeeded()
    assert slots.limit == 2
    slots.succeeded()
    assert slots.limit == 3


def test_a_hung_call_takes_no_place_that_the_halving_left():
    """Catches: two hung calls that stop a lane of ten for good."""
    slots = Slots(10)
    for hung in range(1, 5):
        slots.failed(slots.ticket())
        slots.hung = hung
    assert slots.limit == 1
    assert slots.places == 5
    slots.hung = 10
    assert slots.places == 10
