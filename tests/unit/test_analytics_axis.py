"""The time axis of a timeline: where long stretches without anything are cut out, and where moments are on it."""

from __future__ import annotations

import pytest

from sessionfs.analytics.axis import MAX_BREAKS, Axis, Ruler, Stretch, fit_axis

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9
NOW = 1_795_214_641 * 10**9


def test_nothing_has_no_axis():
    assert fit_axis([]) is None


def test_one_moment_has_some_room():
    axis = fit_axis([(NOW, NOW)])
    assert (len(axis.stretches), axis.begin_ns) == (1, NOW)
    assert axis.shown_ns > 0
    assert Ruler(axis).place(NOW) == 0


def test_what_happens_evenly_is_not_cut():
    assert len(fit_axis([(NOW + at * MINUTE, NOW + at * MINUTE) for at in range(100)]).stretches) == 1


def test_an_event_of_1970_leaves_the_others_room():
    axis = fit_axis([(0, 0), *((NOW + at * MINUTE, NOW + at * MINUTE + 9) for at in range(50))])
    assert [stretch.begin_ns for stretch in axis.stretches] == [0, NOW]
    ruler = Ruler(axis)
    assert ruler.place(0) == 0
    assert ruler.place(NOW) < 0.1
    assert ruler.place(NOW + 49 * MINUTE) == pytest.approx(1, abs=0.02)


def test_several_nights_are_cut_though_none_is_half_of_the_time():
    axis = fit_axis([(NOW + at * DAY, NOW + at * DAY + MINUTE) for at in range(5)])
    assert len(axis.stretches) == 5
    assert axis.shown_ns == 5 * MINUTE


def test_breaks_are_a_few_at_most():
    axis = fit_axis([(NOW + at * DAY, NOW + at * DAY + MINUTE) for at in range(100)])
    assert len(axis.stretches) <= MAX_BREAKS + 1


def test_a_long_call_is_no_gap():
    assert (
        len(fit_axis([(NOW, NOW + 9 * DAY), (NOW + MINUTE, NOW + MINUTE), (NOW + 9 * DAY, NOW + 9 * DAY)]).stretches)
        == 1
    )


def test_places_and_moments_go_together():
    axis = Axis((Stretch(NOW, NOW + MINUTE), Stretch(NOW + DAY, NOW + DAY + MINUTE)))
    ruler = Ruler(axis)
    for time_ns in (NOW, NOW + MINUTE // 3, NOW + DAY, NOW + DAY + MINUTE):
        assert ruler.moment(ruler.place(time_ns)) == pytest.approx(time_ns, abs=1000)
    assert ruler.place(NOW + DAY // 2) == ruler.place(NOW + MINUTE)  # what is cut out is where it begins
    assert ruler.place(NOW - DAY) == 0
    assert ruler.place(NOW + 9 * DAY) == pytest.approx(1)
    assert sorted(map(ruler.place, range(NOW, NOW + DAY, DAY // 99))) == list(
        map(ruler.place, range(NOW, NOW + DAY, DAY // 99))
    )
