from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.clock import MalformedTime, format_time, parse_any_time, parse_time, to_datetime

FIRST_NS = -62_135_596_800 * 10**9  # year 1
LAST_NS = 253_402_300_800 * 10**9 - 1  # year 9999

times = st.integers(FIRST_NS, LAST_NS)


@given(times)
def test_what_is_written_is_read(time_ns):
    text = format_time(time_ns)
    assert parse_time(text) == parse_any_time(text) == time_ns
    assert len(text) == 30


@given(times, times)
def test_comparing_texts_compares_moments(one, two):
    assert (format_time(one) < format_time(two)) == (one < two)


def test_a_time_is_written_as_rfc_3339_with_nine_digits():
    assert format_time(1_795_214_681_123_456_789) == "2026-11-20T22:44:41.123456789Z"
    assert format_time(0) == "1970-01-01T00:00:00.000000000Z"
    assert format_time(-1) == "1969-12-31T23:59:59.999999999Z"


@pytest.mark.parametrize("time_ns", [FIRST_NS - 1, LAST_NS + 1, 3 * 10**20, -(10**20)])
def test_a_time_that_could_not_be_read_back_is_not_written(time_ns):
    with pytest.raises(MalformedTime, match="between the years 1 and 9999"):
        format_time(time_ns)


@pytest.mark.parametrize(
    "text", ["", "2026-11-20T22:44:41Z", "2026-13-20T22:44:41.123456789Z", "2026-11-20T22:44:41.123456789", "x" * 30]
)
def test_another_form_is_malformed(text):
    with pytest.raises(MalformedTime):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", "2026-11-20T00:00:00.000000000Z"),
        ("2026-11-20T22:44", "2026-11-20T22:44:00.000000000Z"),
        ("2026-11-20 22:44:01Z", "2026-11-20T22:44:01.000000000Z"),
        ("2026-11-20T22:44:01.5", "2026-11-20T22:44:01.500000000Z"),
        ("2026-11-20T22:44:01.000000001+01:30", "2026-11-20T21:14:01.000000001Z"),
        ("1795214641", "2026-11-20T22:44:01.000000000Z"),
        (" 1795214641.25 ", "2026-11-20T22:44:01.250000000Z"),
    ],
)
def test_people_write_times_in_many_ways(text, expected):
    assert format_time(parse_any_time(text)) == expected


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30", "2026-11-20T25:00", "", "-5", "2026-11-20T22:44:01.1234567890"]
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(MalformedTime):
        parse_any_time(text)


def test_a_datetime_is_exact_to_the_microsecond():
    moment = to_datetime(parse_time("2026-11-20T22:44:41.123456789Z"))
    assert moment == datetime(2026, 11, 20, 22, 44, 41, 123456, tzinfo=UTC)
