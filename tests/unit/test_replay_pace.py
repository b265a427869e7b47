"""When the next event is due."""

from __future__ import annotations

import pytest

from sessionfs.replay import BadSpeed, Pace

SECOND = 1_000_000_000


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self):
        self.now_ns = 5 * SECOND

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


def test_recorded_time_passes_at_the_speed(clock):
    pace = Pace(clock, speed=2)
    assert pace.wait_ns(10 * SECOND) == 5 * SECOND and not pace.is_running
    clock.now_ns += 100 * SECOND  # it stands still until it is told to run
    pace.run()
    assert pace.wait_ns(10 * SECOND) == 5 * SECOND
    clock.now_ns += 3 * SECOND
    assert pace.wait_ns(10 * SECOND) == 2 * SECOND
    clock.now_ns += 10 * SECOND
    assert pace.wait_ns(10 * SECOND) == 0


def test_a_new_speed_counts_from_now_on(clock):
    pace = Pace(clock)
    pace.run()
    clock.now_ns += 4 * SECOND
    pace.speed = 0.5
    assert pace.wait_ns(10 * SECOND) == 12 * SECOND
    pace.speed = 10
    assert pace.wait_ns(10 * SECOND) == 600_000_000


def test_holding_keeps_what_has_passed(clock):
    pace = Pace(clock)
    pace.run()
    clock.now_ns += SECOND
    pace.hold()
    clock.now_ns += 50 * SECOND
    pace.run()
    assert pace.wait_ns(3 * SECOND) == 2 * SECOND
    pace.begin_anew()
    assert pace.wait_ns(3 * SECOND) == 3 * SECOND


def test_who_comes_late_does_not_stay_late(clock):
    pace = Pace(clock)
    pace.run()
    clock.now_ns += 5 * SECOND
    pace.arrive(2 * SECOND)
    assert pace.wait_ns(4 * SECOND) == SECOND
    pace.arrive(4 * SECOND)  # before it was due, as when somebody steps
    assert pace.wait_ns(SECOND) == SECOND


def test_long_gaps_can_be_cut_short(clock):
    pace = Pace(clock, speed=2, max_gap_seconds=4)
    pace.run()
    assert pace.wait_ns(3600 * SECOND) == 2 * SECOND
    assert pace.wait_ns(SECOND) == SECOND // 2
    assert Pace(clock, max_gap_seconds=0).wait_ns(SECOND) == 0


@pytest.mark.parametrize("speed", [0, 0.09, 10.1, -1, float("nan"), float("inf"), "1", True, None])
def test_what_is_no_speed_is_refused(clock, speed):
    with pytest.raises(BadSpeed, match="no speed"):
        Pace(clock, speed=speed)
    pace = Pace(clock)
    with pytest.raises(BadSpeed):
        pace.speed = speed
    assert pace.speed == 1


@pytest.mark.parametrize("gap", [-1, float("nan"), float("inf"), "1", True])
def test_what_is_no_longest_gap_is_refused(clock, gap):
    with pytest.raises(BadSpeed, match="no longest gap"):
        Pace(clock, max_gap_seconds=gap)
