"""Events against a list of them: whatever is asked for, and whatever is done to a log."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sessionfs
from sessionfs.errors import Corrupt, NotFound
from sessionfs.events.query import Query
from sessionfs.events.reading import read, read_all
from sessionfs.events.whole import verify
from sessionfs.store.store import Store

SIZES = (0, 10, 200, 3_000, 59_000, 70_000)
WORDS = ("alpha", "Beta", "γάμμα", 'with "quotes"')


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store with two sessions, whose logs have long and short lines, appends of several records, and snapshots."""
    path = tmp_path_factory.mktemp("events") / "store"
    choose = random.Random(7)
    with sessionfs.open(path, create=True, background_sync=False) as store:
        sessions = [store.sessions.create(id=name) for name in ("one", "two")]
        for number in range(60):
            session = choose.choice(sessions)
            data = {"word": choose.choice(WORDS), "text": "x" * choose.choice(SIZES)}
            with sessionfs.correlate(choose.choice(("c1", "c2"))):
                session.record(choose.choice(("custom.a", "custom.b", "tool.invoked")), data)
                session.artifacts.put(f"{number}/{number % 7}", b"x")
            if number % 20 == 0:
                session.save()
    return path


@pytest.fixture(scope="module")
def known(path):
    """Every event, read in the simplest way."""
    return [event for name in ("one", "two") for event in read(Store(str(path)), name)]


def in_time(events):
    return sorted(events, key=lambda event: (event.time, event.session))


numbers = st.integers(0, 130)
patterns = st.sampled_from(["*", "custom.*", "custom.a", "artifact.*", "tool.invoked", "session.*"])


@given(st.data())
def test_a_query_gives_what_a_filter_over_all_would(path, known, data):
    session = data.draw(st.sampled_from(["one", "two", None]))
    moments = st.none() | st.sampled_from([event.time_ns for event in known]).map(
        lambda time: time + data.draw(st.integers(-1, 1))
    )
    start, end = (data.draw(numbers), data.draw(st.none() | numbers)) if session else (0, None)
    query = Query(
        types=tuple(data.draw(st.lists(patterns, max_size=2))),
        start=start,
        end=end,
        since_ns=data.draw(moments),
        until_ns=data.draw(moments),
        correlation=data.draw(st.sampled_from([None, "c1", "none"])),
        text=data.draw(st.sampled_from([None, "BETA", "ΓΆΜΜΑ", 'H "Q', "xxx", "nothing"])),
        reverse=data.draw(st.booleans()),
        limit=data.draw(st.none() | st.integers(0, 5)),
    )
    accepts = query.accepts()
    expected = [
        event
        for event in known
        if (session is None or event.session == session)
        and start <= event.seq < (end if end is not None else 10**9)
        and (query.since_ns is None or event.time_ns >= query.since_ns)
        and (query.until_ns is None or event.time_ns < query.until_ns)
        and (accepts is None or accepts(event))
    ]
    expected = in_time(expected)[:: -1 if query.reverse else 1][: query.limit]
    store = Store(str(path))
    found = list(read_all(store, query) if session is None else read(store, session, query))
    assert [event.id for event in found] == [event.id for event in expected]


def read_good(store):
    """Return the chains of the events before the first damage."""
    found = []
    with suppress(Corrupt, NotFound):
        for event in read(store, "one"):
            found.append(event.chain)
    return found


@given(st.data())
def test_whatever_is_done_to_a_log_is_detected(path, known, data):
    store = Store(str(path))
    log = Path(store.layout.log("one"))
    original = log.read_bytes()
    lines = original.splitlines(keepends=True)
    whole = verify(store, "one")
    assert whole.is_whole and whole.count == len(lines)
    places = st.integers(0, len(lines) - 1)
    first, second = data.draw(places), data.draw(places)
    kind = data.draw(st.sampled_from(["change", "drop", "swap", "add", "insert", "move", "cut"]))
    if kind == "change":
        offset = sum(map(len, lines[:first])) + data.draw(st.integers(0, len(lines[first]) - 1))
        changed = bytearray(original)
        changed[offset] ^= data.draw(st.integers(1, 255))
        lines = [bytes(changed)]
    elif kind == "drop":
        del lines[first]
    elif kind == "swap":
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == "add":
        lines.insert(data.draw(st.integers(0, len(lines))), lines[second])
    elif kind == "insert":
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.binary(max_size=50)) + b"\n")
    elif kind == "move":
        lines.insert(second, lines.pop(first))
    else:
        lines = [original[: data.draw(st.integers(0, len(original) - 1))]]
    changed = b"".join(lines)
    if changed in (original, b""):
        return
    try:
        log.write_bytes(changed)
        verdict = verify(Store(str(path)), "one", head=whole.chain)
        assert not verdict.is_whole
        # And what is read is a prefix of what was written.
        chains = [event.chain for event in known if event.session == "one"]
        events = read_good(Store(str(path)))
        assert events == chains[: len(events)]
    finally:
        log.write_bytes(original)
