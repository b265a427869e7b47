"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sessionfs.clock import NS_PER_SECOND, parse_any_time
from sessionfs.travel import BadMoment, moment_of, parse_moment, split_moment
from sessionfs.travel.mark import BadCheckpointName, check_checkpoint_name
from sessionfs.travel.moment import NOW, AfterRecord, Ago, AtCheckpoint, AtTime

SECOND = NS_PER_SECOND
TIME = parse_any_time("2026-11-20T22:44:00Z")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("5", AfterRecord(5)),
        (" 007 ", AfterRecord(7)),
        ("@{5}", AfterRecord(5)),
        ("9" * 18, AfterRecord(10**18 - 1)),
        ("now", NOW),
        ("NOW", NOW),
        ("yesterday", Ago(86_400 * SECOND)),
        ("10 minutes ago", Ago(600 * SECOND)),
        ("1 minute ago", Ago(60 * SECOND)),
        ("an hour ago", Ago(3600 * SECOND)),
        ("A Week Ago", Ago(7 * 86_400 * SECOND)),
        ("2h ago", Ago(7200 * SECOND)),
        ("90s ago", Ago(90 * SECOND)),
        ("3 secs ago", Ago(3 * SECOND)),
        ("1 hour 30 minutes ago", Ago(5400 * SECOND)),
        ("1 hour, 30 min ago", Ago(5400 * SECOND)),
        ("1 day and 2 hours ago", Ago(26 * 3600 * SECOND)),
        ("0 seconds ago", Ago(0)),
        ("2026-11-20T22:44", AtTime(TIME)),
        ("2026-11-20 22:44", AtTime(TIME)),
        ("2026-11-20t22:44:00z", AtTime(TIME)),
        ("2026-11-20T23:44+01:00", AtTime(TIME)),
        ("2026-11-20T22:44:00.000000001Z", AtTime(TIME + 1)),
        ("2026-11-20", AtTime(parse_any_time("2026-11-20"))),
        ("before-merge", AtCheckpoint("before-merge")),
        ("v1.5", AtCheckpoint("v1.5")),
        ("1.5", AtCheckpoint("1.5")),
        ("5a", AtCheckpoint("5a")),
        ("5.", AtCheckpoint("5.")),
        ("long-ago", AtCheckpoint("long-ago")),
        ("ago", AtCheckpoint("ago")),
        ("2026", AfterRecord(2026)),
        ("2026-11", AtCheckpoint("2026-11")),
    ],
)
def test_what_people_write(text, moment):
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "@{}", "-1", "+5", "\u0665", "9" * 19, "3 parsecs ago", "5 ago", "minutes ago", "1 hour x ago",
        "5 minutes ago ago", "in 5 minutes", "2026-13-01", "2026-11-20T25:00", "2026-11-20T22:44 or so", "2026-11-20T",
        "a/b", "../..", "a b", "\udcff", "a\0b", "x" * 129, "{5}", "@{5", "1000000000 seconds ago",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused_with_a_word_on_what_is(text):
    with pytest.raises(BadMoment, match=r"(?s)no moment(;|: ).*(write|no log|that exists)"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (5, AfterRecord(5)),
        ("yesterday", Ago(86_400 * SECOND)),
        (datetime(2026, 11, 20, 22, 44, tzinfo=UTC), AtTime(TIME)),
        (datetime(2026, 11, 20, 22, 44), AtTime(TIME)),
        (datetime(2026, 11, 20, 23, 44, tzinfo=timezone(timedelta(hours=1))), AtTime(TIME)),
        (datetime(2026, 11, 20, 22, 44, 0, 1, tzinfo=UTC), AtTime(TIME + 1000)),
        (AtCheckpoint("x"), AtCheckpoint("x")),
        (NOW, NOW),
    ],
)
def test_what_programs_say(value, moment):
    assert moment_of(value) == moment


@pytest.mark.parametrize("value", [-1, True, None, 1.5, b"5"])
def test_what_programs_cannot_say(value):
    with pytest.raises(BadMoment):
        moment_of(value)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("q4", ("q4", None)),
        ("@", ("@", None)),
        ("q4@{5}", ("q4", "5")),
        ("@{5}", ("@", "5")),
        ("@@{10 minutes ago}", ("@", "10 minutes ago")),
        ("Fourth quarter@{a}b}", ("Fourth quarter", "a}b")),
        ("q4@{5}x", ("q4@{5}x", None)),
        ("q4@{5", ("q4@{5", None)),
    ],
)
def test_a_session_and_its_moment_are_told_apart(text, split):
    assert split_moment(text) == split


@pytest.mark.parametrize("name", ["5", "now", "Yesterday", "2026-11-20", "", "a b", "a/b", "..", "@{x}", " x"])
def test_a_checkpoint_cannot_be_called_what_means_another_moment(name):
    with pytest.raises(BadCheckpointName, match="cannot be the name of a checkpoint"):
        check_checkpoint_name(name)
    assert check_checkpoint_name("before-merge") == "before-merge"
