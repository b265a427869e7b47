"""Reading events on the real disk, and whether a log is whole."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs.errors import Corrupt, Denied, InvalidInput, NotFound
from sessionfs.events import reading
from sessionfs.events.event import LostData
from sessionfs.events.query import Query
from sessionfs.events.reading import read, read_all
from sessionfs.events.whole import verify
from sessionfs.locks import NoLocks
from sessionfs.log import CorruptLog
from sessionfs.store.store import Store


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True, background_sync=False) as store:
        yield store


@pytest.fixture
def session(store):
    return store.sessions.create(id="s")


def fill(session, count, size=100):
    """Record *count* events, each about *size* bytes or more."""
    with session.core.writing():
        for number in range(count):
            session.record(
                f"custom.kind{number % 3}", {"n": number, "text": "x" * random.Random(number).randrange(size)}
            )


def log_of(store, session="s"):
    return Path(store.path, "sessions", session, "log")


def seqs(events):
    return [event.seq for event in events]


# Reading


def test_every_type_is_recorded_where_it_happens(store):
    session = store.sessions.create(id="all")
    session.update(name="x")
    session.artifacts.put("a", b"x")
    session.artifacts.update("a", tags=["t"])
    session.artifacts.rename("a", "b")
    session.artifacts.delete("b")
    session.state["k"] = 1
    session.save()
    session.suspend()
    session.resume()
    session.agent_executed("planner", "in", "out", duration_ns=5, input_tokens=3, output_tokens=4, model="m")
    session.tool_invoked("grep", {"pattern": "x"}, ["y"], duration_ns=7)
    session.workflow_started("w")
    session.workflow_completed("w")
    session.error("E1", "no")
    session.warning("hm", code=7)
    session.record("custom.mine", {"a": 1})
    session.complete()
    session.archive()
    other = store.sessions.create(id="bad")
    other.fail("because")
    assert [event.type for event in session.events()] == [
        "session.created", "session.updated", "artifact.stored", "artifact.updated", "artifact.renamed",
        "artifact.deleted", "state.changed", "session.saved", "session.suspended", "session.resumed", "agent.executed",
        "tool.invoked", "workflow.started", "workflow.completed", "error.occurred", "warning.raised", "custom.mine",
        "session.completed", "session.archived",
    ]  # fmt: skip
    assert next(other.events("session.failed")).data["reason"] == "because"
    data = {event.type: event.data for event in session.events()}
    assert data["agent.executed"] == {
        "gen_ai.agent.id": "planner",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "input": "in",
        "output": "out",
        "duration_ns": 5,
    }
    assert data["tool.invoked"] == {
        "gen_ai.tool.name": "grep",
        "gen_ai.tool.call.arguments": {"pattern": "x"},
        "gen_ai.tool.call.result": ["y"],
        "duration_ns": 7,
    }
    assert data["error.occurred"] == {"code": "E1", "message": "no"}
    assert data["warning.raised"] == {"message": "hm", "code": 7}


def test_an_event_says_all_that_its_record_does(session):
    session.record(
        "custom.x", {"a": [None, "ü"]}, correlation_id="c", cause="s:0", trace=f"00-{'1' * 32}-{'2' * 16}-01"
    )
    (event,) = session.events("custom.*")
    assert (event.id, event.seq, event.session, event.type) == ("s:1", 1, "s", "custom.x")
    assert event.actor.startswith("uid:") and event.operation == 1
    assert (event.correlation_id, event.cause, event.trace) == ("c", "s:0", f"00-{'1' * 32}-{'2' * 16}-01")
    assert event.data == {"a": [None, "ü"]} and event.chain == session.log_head()
    assert event.at.isoformat(timespec="seconds")[:19] == event.time[:19]
    assert list(event.to_dict()) == [
        "session", "seq", "time", "type", "actor", "correlation_id", "cause", "trace", "data", "chain"
    ]  # fmt: skip
    assert event == next(session.events(start=1)) and event != next(session.events())


@pytest.mark.parametrize("size", [10, 61_000, 70_000, 3_000_000])
def test_payloads_of_any_size_come_back_whole(session, size):
    value = {"text": "é" * (size // 2), "none": None}
    seq = session.record("custom.large", value)
    assert next(session.events(start=seq)).data == value
    assert seqs(session.events(text="ÉÉÉ")) == [seq]
    assert session.verify_log().is_whole


@pytest.mark.parametrize("count", [0, 1, 5, 400])
def test_reading_back_is_reading_on_reversed(session, count):
    fill(session, count, size=2_000)  # of 400, several pages
    forward = list(session.events())
    assert seqs(forward) == list(range(session.event_count))
    assert list(session.events(reverse=True)) == forward[::-1]
    assert list(session.events(reverse=True, limit=3)) == forward[::-1][:3]


def test_lines_as_long_as_a_page_are_read_both_ways(session):
    for size in (61_300, 10, 61_400, 61_400, 3):
        session.record("custom.x", {"text": "x" * size})
    assert max(map(len, log_of(session.store).read_bytes().splitlines())) > 61_000
    assert seqs(session.events()) == seqs(session.events(reverse=True))[::-1] == list(range(6))
    assert seqs(session.events(start=2, end=5, reverse=True)) == [4, 3, 2]


def test_ranges_of_numbers_and_times(session):
    fill(session, 300)
    times = [event.time_ns for event in session.events()]
    assert seqs(session.events(start=10, end=13)) == [10, 11, 12]
    assert seqs(session.events(start=299)) == [299, 300]
    assert seqs(session.events(end=2)) == [0, 1]
    assert seqs(session.events(start=301)) == seqs(session.events(start=7, end=7)) == seqs(session.events(end=0)) == []
    assert seqs(session.events(start=10**17)) == []
    assert seqs(session.events(since=times[100], until=times[103])) == [
        number for number, time in enumerate(times) if times[100] <= time < times[103]
    ]
    assert seqs(session.events(since=times[-1] + 1)) == seqs(session.events(until=times[0])) == []
    assert seqs(session.events(since="1999-01-01", until="2999-01-01", reverse=True, limit=1)) == [300]
    assert seqs(session.events(since=session.created_at, limit=1)) == [0]


def test_reading_the_last_events_does_not_read_the_log(store, session, monkeypatch):
    fill(session, 3_000)
    session.save()
    read_bytes = 0
    disk, real = store.core.disk, store.core.disk.pread

    def counted(fd, length, offset):
        nonlocal read_bytes
        data = real(fd, length, offset)
        read_bytes += len(data)
        return data

    monkeypatch.setattr(disk, "pread", counted, raising=False)
    size = log_of(store).stat().st_size
    count = session.event_count
    assert seqs(read(store.core, "s", Query(reverse=True, limit=2))) == [count - 1, count - 2]
    assert seqs(read(store.core, "s", Query(start=count - 2))) == [count - 2, count - 1]
    assert size > 400_000 and read_bytes < size // 2


def test_an_iterator_sees_what_there_was_when_it_began(session):
    fill(session, 5)
    events = session.events()
    next(events)
    session.record("custom.later")
    assert len(list(events)) == 5


def test_what_an_append_left_half_written_is_not_read(store, session):
    with session.core.writing():
        session.core.append_all([("custom.a", {}), ("custom.b", {}), ("custom.c", {})])
    whole = log_of(store).read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (b"".join(lines[:2]), b"".join(lines[:3]), whole[:-1], whole + b"\0" * 50, whole + b'{"seq":4'):
        log_of(store).write_bytes(cut)
        expected = [0, 1, 2, 3] if cut.startswith(whole) else [0]
        fresh = Store(store.path)
        assert seqs(read(fresh, "s")) == seqs(read(fresh, "s", Query(reverse=True)))[::-1] == expected
        assert not verify(fresh, "s").is_whole


@pytest.mark.parametrize("cut", ["within a line", "between two lines"])
def test_a_log_that_is_being_written_is_whole(store, session, cut, monkeypatch):
    """Its length is taken in the middle of an append; the writer has the lock meanwhile."""
    with session.core.writing():
        session.core.append_all([("custom.a", {}), ("custom.b", {})])
    whole = log_of(store).read_bytes()
    half = whole[:-10] if cut == "within a line" else b"".join(whole.splitlines(keepends=True)[:2])
    log_of(store).write_bytes(half)
    disk, lock = store.core.disk, store.core.disk.lock_shared

    def when_it_is_written(fd, what):
        log_of(store).write_bytes(whole)
        lock(fd, what)

    monkeypatch.setattr(disk, "lock_shared", when_it_is_written, raising=False)
    found = verify(store.core, "s")
    assert found.is_whole and found.count == 3


@pytest.mark.parametrize("refused", [NoLocks("none here"), OSError(errno.EROFS, "Read-only file system")])
def test_a_torn_log_is_verified_where_nothing_can_be_locked(store, session, refused, monkeypatch):
    def refuse(fd, what):
        raise refused

    with open(log_of(store), "ab") as log:
        log.write(b'{"seq":')
    monkeypatch.setattr(store.core.disk, "lock_shared", refuse, raising=False)
    found = verify(store.core, "s")
    assert not found.is_whole and found.count == 1


def test_following_goes_on_with_what_happens_and_misses_nothing(store, session):
    fill(session, 10)
    events = session.events("custom.*", follow=True)
    assert seqs(next(events) for _ in range(10)) == list(range(1, 11))
    before = threading.active_count()
    writer = threading.Thread(target=lambda: [session.record("custom.later", {"n": n}) for n in range(700)])
    writer.start()
    assert [next(events).data["n"] for _ in range(700)] == list(range(700))  # across the snapshots that come meanwhile
    writer.join()
    assert threading.active_count() == before
    session.record("custom.last")
    session.delete()
    assert [event.type for event in events] == ["custom.last"]


@pytest.mark.parametrize("place", ["before", "at the start", "in the middle"])
def test_following_goes_on_in_the_trash(store, session, place):
    fill(session, 1_000, size=400)
    whole = list(session.events(start=3))
    events = session.events(start=3, follow=True)
    begun = [next(events) for _ in range({"before": 0, "at the start": 1, "in the middle": 700}[place])]
    if place == "before":
        session.delete()
        with pytest.raises(NotFound):
            next(events)
        return
    session.delete()
    store.sessions.create(id="s")
    followed = begun + list(events)
    assert followed[:-1] == whole and followed[-1].type == "session.deleted"


@pytest.mark.parametrize("bad", [{"end": 5}, {"until": 0}, {"limit": 3}, {"reverse": True}])
def test_what_ends_cannot_be_followed(session, bad):
    with pytest.raises(InvalidInput, match="follow"):
        session.events(follow=True, **bad)


# All sessions


def test_the_events_of_all_sessions_are_in_the_order_of_their_times(store):
    sessions = [store.sessions.create(id=f"s{number}") for number in range(4)]
    for number in range(60):
        random.Random(number).choice(sessions).record("custom.x", {"n": number})
    found = [event.data["n"] for event in store.events("custom.*")]
    assert found == list(range(60))
    assert [event.data["n"] for event in store.events("custom.*", reverse=True, limit=5)] == [59, 58, 57, 56, 55]
    only = [event.session for event in store.events(sessions=[sessions[1], "s2"])]
    assert set(only) == {"s1", "s2"}


def test_more_sessions_than_descriptors(store):
    for number in range(60):
        store.core.create_session(session_id=f"s{number}")
    store.core.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, hard))
    try:
        assert len(list(store.events())) == 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_session_that_is_deleted_meanwhile_is_read_to_its_end(store, session):
    other = store.sessions.create(id="other")
    fill(session, 1_000, size=400)
    every = list(store.events())
    events = store.events()
    begun = [next(events) for _ in range(10)]
    session.delete()
    assert begun + list(events) == every
    assert list(store.events()) == list(other.events())


@pytest.mark.parametrize("query", [Query(), Query(start=1), Query(reverse=True)])
def test_a_log_that_is_replaced_meanwhile_is_read_on_in_the_trash(store, session, query):
    fill(session, 1_000, size=400)
    whole = list(read(store.core, "s", query))
    for count in (1, 2):
        events = read(store.core, "s", query)
        assert [next(events) for _ in range(count)] == whole[:count]
        place = store.sessions.delete("s")
        fill(store.sessions.create(id="s"), 1_000, size=300)
        if count == 1:
            assert list(events) == whole[1:]
            whole = list(read(store.core, "s", query))
        else:
            shutil.rmtree(place)
            with pytest.raises(NotFound):
                list(events)


def lose_data(session):
    """Record an event whose data lie in an object, and lose that."""
    session.record("custom.large", {"text": "x" * 100_000})
    oid = list(session.events())[-1].record.data_oid
    for path in Path(session.store.core.layout.objects, oid[:2]).glob(f"{oid[2:]}*"):
        path.unlink()


def test_an_event_whose_data_are_lost_does_not_take_others_with_it(store, session):
    session.record("custom.x", {"text": "one"})
    lose_data(session)
    session.record("custom.x", {"text": "one"})
    store.sessions.create(id="other").record("custom.x", {"text": "one"})
    found = read_all(store.core, Query(text="one"))
    assert [next(found).id for _ in range(3)] == ["s:1", "s:3", "other:1"]
    with pytest.raises(LostData, match="s:2"):
        next(found)
    told = []
    found = read_all(store.core, Query(text="one"), on_error=lambda id, failure: told.append((id, type(failure))))
    assert seqs(found) == [1, 3, 1] and told == [("s", LostData)]


def test_damage_is_reported_after_what_is_good(store, session):
    fill(session, 20)
    store.sessions.create(id="other").record("custom.last")
    content = bytearray(log_of(store).read_bytes())
    place = content.index(b'"n":12') + 4
    content[place] ^= 1
    log_of(store).write_bytes(content)
    fresh = Store(store.path)
    for query, expected in ((Query(), range(13)), (Query(reverse=True), range(12, -1, -1))):
        found = []
        with pytest.raises(CorruptLog):
            for event in read(fresh, "s", query):
                found.append(event.seq)
        assert found == list(expected)
    assert seqs(read(fresh, "s", Query(end=5))) == [0, 1, 2, 3, 4]
    found = []
    with pytest.raises(Corrupt):
        for event in read_all(fresh):
            found.append(event)
    assert found[-1].type == "custom.last"
    assert len(found) == 15


def test_data_that_are_lost_are_named(store, session):
    seq = session.record("custom.large", {"text": "x" * 100_000})
    event = next(session.events(start=seq))
    oid = event.record.data_oid
    for name in os.listdir(os.path.join(store.path, "objects", oid[:2])):
        os.unlink(os.path.join(store.path, "objects", oid[:2], name))
    with pytest.raises(Corrupt, match=f"s:{seq}.*{oid}"):
        _ = event.data
    verdict = session.verify_log()
    assert not verdict.is_whole and oid in verdict.fault


def test_one_event_is_found_by_its_id(store, session):
    fill(session, 100)
    assert reading.find(store.core, "s:57").data["n"] == 56
    for missing in ("s:101", "other:0", "s:", "s:x", "s:057", "s:" + "1" * 5000, "../..:1", "", "s"):
        assert reading.find(store.core, missing) is None


# Recording


@pytest.mark.parametrize(
    "type", ["session.created", "artifact.stored", "custom.", "custom", "custom.a\n", "", "x", None, 5]
)
def test_types_that_callers_cannot_record(session, type):
    with pytest.raises(InvalidInput, match=r"tool\.invoked"):
        session.record(type)
    with pytest.raises(InvalidInput):
        session.record("custom." + "x" * 200)


@pytest.mark.parametrize(
    "data", [[], "text", {"x": object()}, {"x": float("nan")}, {"x": "\udc80"}, {5: {}, "x": {1, 2j}}]
)
def test_data_that_json_cannot_hold(session, data):
    with pytest.raises(InvalidInput):
        session.record("custom.x", data)
    assert session.event_count == 1


def test_a_session_that_is_not_active_records_nothing(session):
    session.complete()
    for call in (lambda: session.error(1, "x"), lambda: session.record("custom.x"), session.tool("x").__enter__):
        with pytest.raises(Denied):
            call()


def test_an_event_can_be_caused_by_another_one(session):
    with sessionfs.correlate("work"):
        session.record("custom.first")
    (first,) = session.events("custom.first")
    session.record("custom.second", cause=first)
    (second,) = session.events("custom.second")
    assert (second.cause, second.correlation_id) == (first.id, "work")


# Whole logs


def test_a_head_that_was_noted_proves_everything_up_to_it(store, session):
    fill(session, 10)
    head = session.log_head()
    fill(session, 10)
    verdict = session.verify_log(head)
    assert (verdict.is_whole, verdict.head_seq, verdict.count) == (True, 10, 21)
    lines = log_of(store).read_bytes().splitlines(keepends=True)
    log_of(store).write_bytes(b"".join(lines[:8]))  # whole by itself, and yet cut off
    fresh = Store(store.path)
    assert verify(fresh, "s").is_whole
    assert verify(fresh, "s", head=head).fault.startswith("no record has the chain")
    for bad in ("", "x" * 32, head[:-1], head.upper()):
        with pytest.raises(InvalidInput):
            verify(fresh, "s", head=bad)
    with pytest.raises(NotFound):
        verify(fresh, "nobody")


def test_a_log_that_was_written_anew_has_another_head(store, session):
    fill(session, 10)
    head = session.log_head()
    store.sessions.delete("s")
    fill(store.sessions.create(id="s"), 10)
    again = Store(store.path)
    assert verify(again, "s").is_whole
    assert not verify(again, "s", head=head).is_whole
