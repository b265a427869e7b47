"""Power cuts: the real code on a disk that keeps only what was synced.

Each scenario runs again and again, and the power is cut before each of its calls; then everything that such a cut
may leave is looked at. Then once more with one sync left out: the same checks must fail, or they prove nothing.
"""

from __future__ import annotations

import pytest
from bench import check_promises, check_wholeness, run
from disks import SYNCS, every_cut
from hypothesis import given
from hypothesis import strategies as st
from scenarios import DAMAGED, REPEATABLE, SCENARIOS, records_that_name_objects, use_a_session

from sessionfs.durable import Mode
from sessionfs.errors import Error

CUTS = 40

LOST = (AssertionError, Error, FileNotFoundError)


def check_all_cuts(scenario, **watch):
    calls = len(run(scenario)[0].calls)
    for stop_at in range(calls + 1):
        watched, bench = run(scenario, stop_at=stop_at, **watch)
        for left in every_cut(watched.inner, CUTS):
            check_promises(left, bench.promises)
            if scenario not in DAMAGED:
                check_wholeness(left)


def check_cuts_after_sync(scenario, **watch):
    watched, bench = run(synced(scenario), Mode.RELAXED, **watch)
    for left in every_cut(watched.inner, CUTS):
        check_promises(left, bench.promises)
        check_wholeness(left)


def check_cuts_after_a_kill(scenario, mode, **watch):
    """One process is killed at each of its calls, another does the same and is promised it, then comes the cut."""
    for killed_at in range(len(run(scenario, Mode.RELAXED)[0].calls)):
        watched, _ = run(scenario, Mode.RELAXED, stop_at=killed_at)
        watched, bench = run(synced(scenario), mode, disk=watched.inner.process_crash(), **watch)
        for left in every_cut(watched.inner, CUTS):
            check_promises(left, bench.promises)


def synced(scenario):
    def then_sync(bench):
        scenario(bench)
        bench.unsynced.sync()

    return then_sync


def syncs(mode):
    """Every call that syncs something for the first time, and every sync of new data."""
    return list(_syncs(mode))


def _syncs(mode):
    for scenario in SCENARIOS:
        seen = set()
        calls = run(synced(scenario), mode)[0].calls
        for number, call in enumerate(calls):
            by_itself = mode is Mode.FULL and call[0] == "fsync" and "/objects/" in call[1]  # so it was synced before
            # What is removed next is synced next, in the same directory.
            by_the_next = calls[number + 1 : number + 2] and calls[number + 1][0] == "unlink"
            # What is in the place of a damaged object may be damaged for as long as nobody is promised it.
            by_the_name = scenario in DAMAGED and calls[number + 1 : number + 2] == [("name_temporary", call[1])]
            if call[0] in SYNCS and call not in seen and not by_itself and not by_the_next and not by_the_name:
                yield pytest.param(scenario, number, id=f"{scenario.__name__}-{number}-{call[0]}")
            if call[0] != "fdatasync" and call[1] != "a temporary file":
                seen.add(call)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_full_mode_keeps_what_it_acknowledged_and_leaves_nothing_by_halves(scenario):
    check_all_cuts(scenario)


@pytest.mark.parametrize(("scenario", "number"), syncs(Mode.FULL))
def test_every_sync_of_full_mode_is_needed(scenario, number):
    with pytest.raises(LOST):
        check_all_cuts(scenario, leave_out=number)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_process_crash_takes_nothing_that_was_acknowledged_in_either_mode(scenario, mode):
    for stop_at in range(len(run(scenario, mode)[0].calls) + 1):
        watched, bench = run(scenario, mode, stop_at=stop_at)
        left = watched.inner.process_crash()
        check_promises(left, bench.promises)
        if scenario not in DAMAGED:
            check_wholeness(left)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_relaxed_mode_keeps_what_was_acknowledged_before_a_sync(scenario):
    check_cuts_after_sync(scenario)


@pytest.mark.parametrize(("scenario", "number"), syncs(Mode.RELAXED))
def test_every_sync_of_relaxed_mode_is_needed(scenario, number):
    with pytest.raises(LOST):
        check_cuts_after_sync(scenario, leave_out=number)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("scenario", REPEATABLE)
def test_what_a_killed_process_left_unsynced_is_synced_by_the_next(scenario, mode):
    check_cuts_after_a_kill(scenario, mode)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", [name for name in SYNCS if name != "sync_filesystem"])  # that is for whole stores
def test_syncs_of_what_a_killed_process_left_are_needed(name, mode):
    with pytest.raises(LOST):
        check_cuts_after_a_kill(records_that_name_objects, mode, leave_out_all=name)


@given(st.data())
def test_any_cut_of_a_session_in_full_mode_leaves_it_whole(data):
    calls = len(run(use_a_session)[0].calls)
    watched, bench = run(use_a_session, stop_at=data.draw(st.integers(0, calls)))
    left = watched.inner.power_cut(lambda count: data.draw(st.integers(0, count - 1)))
    check_promises(left, bench.promises)
    check_wholeness(left)
