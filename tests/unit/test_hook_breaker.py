"""The circuit breaker of a hook: a pure function of what its calls came to, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessionfs.clock import NS_PER_SECOND, format_time
from sessionfs.store.hook_history import (
    CLOSED,
    FAIL,
    OPEN_NS,
    Breaker,
    HookHistory,
    Ran,
    Skipped,
    after_call,
    note_ran,
    note_skipped,
)

START_NS = 1_795_214_641 * NS_PER_SECOND

GOOD, FAILED, SLOW = (False, False), (True, False), (False, True)


def after(*calls: tuple[bool, bool], start: Breaker = CLOSED, now_ns: int = START_NS) -> Breaker:
    breaker = start
    for failed, slow in calls:
        breaker = after_call(breaker, failed=failed, slow=slow, now_ns=now_ns)
    return breaker


def test_three_failures_open_it_and_two_do_not():
    assert not after(FAILED, FAILED).is_open(START_NS)
    assert after(FAILED, FAILED, FAILED).is_open(START_NS)


def test_two_slow_calls_open_it_and_one_does_not():
    assert not after(SLOW).is_open(START_NS)
    assert after(SLOW, SLOW).is_open(START_NS)
    assert after(SLOW, FAILED, SLOW).is_open(START_NS)


def test_a_good_call_ends_the_row():
    assert after(FAILED, FAILED, GOOD, FAILED, FAILED).state(START_NS) == "closed"
    assert after(SLOW, GOOD, SLOW).state(START_NS) == "closed"


def test_it_is_open_for_fifteen_seconds_and_then_tries():
    opened = after(FAILED, FAILED, FAILED)
    assert opened.state(START_NS + OPEN_NS - 1) == "open"
    assert opened.state(START_NS + OPEN_NS) == "trying"
    assert opened.until_ns == START_NS + 15 * NS_PER_SECOND


def test_two_good_calls_close_it_and_one_bad_one_opens_it_again():
    later = START_NS + OPEN_NS
    trying = after(FAILED, FAILED, FAILED)
    once = after(GOOD, start=trying, now_ns=later)
    assert once.state(later) == "trying"
    assert after(GOOD, start=once, now_ns=later) == CLOSED
    for bad in (FAILED, SLOW):
        again = after(bad, start=once, now_ns=later)
        assert again.state(later) == "open" and again.until_ns == later + OPEN_NS
        # What went well before counts no more.
        assert after(GOOD, start=again, now_ns=later + OPEN_NS).state(later + OPEN_NS) == "trying"


def test_histories_count_and_keep_the_breaker():
    histories: dict[str, HookHistory] = {}
    time = format_time(START_NS)

    def ran(result: str, duration_ns: int) -> None:
        data = Ran(hook="h", point="state.change", phase="pre", result=result, duration_ns=duration_ns)
        note_ran(histories, data, time)

    for result, duration_ns in (("continue", 5), ("veto", 9), (FAIL, 1), (FAIL, 1), (FAIL, 1)):
        ran(result, duration_ns)
    note_skipped(histories, Skipped(hook="h", point="state.change", phase="pre", until=time))
    (history,) = histories.values()
    counts = (history.calls, history.failures, history.vetoes, history.skipped)
    assert counts == (5, 3, 1, 1)
    assert (history.total_ns, history.longest_ns, history.last_result, history.last_at) == (17, 9, FAIL, time)
    assert history.breaker.is_open(START_NS)


@given(st.lists(st.sampled_from([GOOD, FAILED, SLOW]), max_size=30), st.integers(0, 3))
def test_it_opens_only_after_enough_bad_calls_since_a_good_one(calls, seconds):
    breaker, row = CLOSED, []
    for number, (failed, slow) in enumerate(calls):
        now_ns = START_NS + number * seconds * NS_PER_SECOND
        if breaker.is_open(now_ns):
            continue  # it is not called
        was_trying = breaker.state(now_ns) == "trying"
        breaker = after_call(breaker, failed=failed, slow=slow, now_ns=now_ns)
        row = [] if (failed, slow) == GOOD else [*row, (failed, slow)]
        bad = was_trying and bool(row)
        enough = row.count(FAILED) >= 3 or row.count(SLOW) >= 2
        assert breaker.is_open(now_ns) == (bad or enough)
        if breaker.is_open(now_ns):
            row = []
