"""Moments of a session, as Python users name and read them; checkpoints."""

from __future__ import annotations

import itertools
import os
import re
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs import refs, travel
from sessionfs.clock import NS_PER_SECOND, to_datetime
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, checkpoints, view_at
from sessionfs.travel import view as views

README = Path(__file__).parents[2] / "README.md"

START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


class Clock:
    """A clock that tests turn."""

    def __init__(self):
        self.now_ns = START_NS

    def __call__(self):
        self.now_ns += 1_000_000
        return self.now_ns

    def pass_(self, seconds):
        self.now_ns += seconds * NS_PER_SECOND


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_store(tmp_path, clock):
    Store.create(str(tmp_path / "runs"))
    return lambda: sessionfs.Store(Store(str(tmp_path / "runs"), clock=clock))


@pytest.fixture
def session(open_store, clock):
    """A session to which something happens each minute: 0 created, 1 put, 2 state, 3 put, 4 deleted, 5 suspended."""
    session = open_store().sessions.create(id="s", name="first name")
    clock.pass_(60)
    session.artifacts.put("a.txt", b"one", tags=["t"], mtime_ns=5)
    clock.pass_(60)
    session.state["step"] = {"n": 1}
    clock.pass_(60)
    session.artifacts.put("a.txt", b"two")
    clock.pass_(60)
    session.artifacts.delete("a.txt")
    clock.pass_(60)
    session.suspend()
    return session


def test_the_example_of_the_readme_runs(tmp_path, capsys):
    code = re.search(r"<!-- moments -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    with sessionfs.open(tmp_path / "runs", create=True) as store:
        session = store.sessions.create(id="q4")
        session.artifacts.put("report.txt", b"All is well.\n")
        session.state["step"] = 3
        exec(code, {"session": session})
    out = capsys.readouterr().out
    assert out.startswith(
        "All is well.\n {'step': 3} active\n[('modified', 'report.txt')] [('step', 3, 4)]\ndiff --git"
    )
    assert out.endswith("[(1, b'All is well.\\n'), (2, b'Sales fell.\\n')]\n")


# Reading


def test_a_view_has_all_that_can_be_read(session):
    view = session.at(2)
    assert (view.id, view.seq, view.name, view.status, view.event_count) == ("s", 2, "first name", "active", 3)
    assert list(view.artifacts) == ["a.txt"] and len(view.artifacts) == 1 and "a.txt" in view.artifacts
    assert view.artifacts["a.txt"].read_text() == "one" and view.artifacts.read("a.txt") == b"one"
    assert view.artifacts["a.txt"].tags == ("t",) and view.artifacts["a.txt"].mtime_ns == 5
    with view.artifacts.open("a.txt", "r") as file:
        assert file.read() == "one"
    assert dict(view.state) == {"step": {"n": 1}} and view.state.list("st") == ["step"]
    assert [event.type for event in view.events()] == ["session.created", "artifact.stored", "state.changed"]
    assert [event.seq for event in view.events(reverse=True, limit=1)] == [2]
    assert view.to_dict()["artifact_count"] == view.artifact_count == 1
    assert view.updated_at == view.time and view == session.at(2) != session.at(3)


def test_a_view_stays_what_it_is(session, open_store):
    before = session.at("now")
    session.resume()
    session.artifacts.put("b.txt", b"b")
    del session.state["step"]
    assert list(before.artifacts) == [] and dict(before.state) == {"step": {"n": 1}} and before.status == "suspended"
    assert list(session.at("now").artifacts) == ["b.txt"]
    assert list(open_store().sessions["s"].at(before.seq).artifacts) == []


def test_nothing_in_a_view_can_be_changed(session):
    view = session.at(1)
    for changing in ("put", "delete", "rename", "update", "tag", "make_directory", "link"):
        assert not hasattr(view.artifacts, changing)
    for changing in ("update", "complete", "record", "save", "delete"):
        assert not hasattr(view, changing)
    with pytest.raises(sessionfs.InvalidInput):
        view.artifacts.open("a.txt", "w")
    with pytest.raises(TypeError):
        view.state["step"] = 1


@pytest.mark.parametrize(
    ("moment", "seq"),
    [
        (0, 0),
        ("4", 4),
        ("now", 5),
        ("2026-11-20T22:45:02", 1),
        ("2026-11-20T22:45:01.9Z", 1),
        ("2026-11-20T22:45", 0),
        ("2 minutes 30 seconds ago", 2),
        ("0 seconds ago", 5),
        (to_datetime(START_NS + 200 * NS_PER_SECOND), 3),
    ],
)
def test_the_last_record_before_a_moment_counts(session, moment, seq):
    assert session.at(moment).seq == seq


@pytest.mark.parametrize(
    ("moment", "error", "words"),
    [
        (6, travel.InFuture, "no record 6 yet: its last one is 5"),
        (10**17, travel.InFuture, "no record"),
        ("2026-11-20T23:00", travel.InFuture, "in the future"),
        ("9999-12-31", travel.InFuture, "in the future"),
        ("2026-11-20", travel.BeforeSession, "before session s was created"),
        ("0001-01-01", travel.BeforeSession, "its first moment is s@{0}"),
        ("6 minutes ago", travel.BeforeSession, "before session s was created"),
        ("999999 weeks ago", travel.BeforeSession, "before"),
        ("yesterday", travel.BeforeSession, "before"),
        ("before-merge", sessionfs.NotFound, "no checkpoint 'before-merge'; see: sessionfs checkpoints s"),
        ("../../HEAD", sessionfs.InvalidInput, "no moment"),
        ("", sessionfs.InvalidInput, "no moment"),
        (-1, sessionfs.InvalidInput, "no moment"),
    ],
)
def test_a_moment_that_a_session_does_not_have_is_told(session, moment, error, words):
    with pytest.raises(error, match=words):
        session.at(moment)


def test_a_deleted_session_has_no_moments(session):
    session.delete()
    with pytest.raises(sessionfs.NotFound, match="no session 's'"):
        session.at(1)


def test_what_another_process_appends_is_a_moment_too(session, open_store):
    other = open_store().sessions["s"]
    other.resume()
    other.artifacts.put("b.txt", b"b")
    assert list(session.at(7).artifacts) == ["b.txt"]


# From snapshots, and without them


def fill(session, count):
    """Make a session with snapshots of its own accord."""
    for number in range(count):
        session.artifacts.put(f"d{number % 7}/{number % 50}", b"%d" % number)
        session.state[f"k{number % 5}"] = number


def states(session, seqs):
    return {
        seq: (
            [(artifact.path, artifact.version, artifact.oid) for artifact in session.at(seq).artifacts.list()],
            dict(session.at(seq).state),
        )
        for seq in seqs
    }


@pytest.mark.parametrize("lost", ["snapshot", "tree", None])
def test_a_moment_is_the_same_with_and_without_snapshots(open_store, lost):
    store = open_store()
    session = store.sessions.create(id="s")
    fill(session, 700)
    assert [event.type for event in session.events("session.saved")], "this test needs snapshots"
    seqs = [*range(0, 1400, 93), 499, 500, 501, 1399, 1401]
    expected = states(session, seqs)
    paths = [file.path for file in store.core.objects.list() if file.kind == lost]
    assert bool(paths) == (lost is not None)
    for path in paths:
        os.unlink(path)
    assert states(open_store().sessions["s"], seqs) == expected


def test_damage_is_told_and_what_is_before_it_can_be_read(open_store, tmp_path):
    session = open_store().sessions.create(id="s")
    fill(session, 100)
    log = tmp_path / "runs/sessions/s/log"
    data = bytearray(log.read_bytes())
    lines = data.split(b"\n")
    offset = sum(len(line) + 1 for line in lines[:120])
    data[offset + 200] ^= 1
    log.write_bytes(data)
    damaged = open_store().sessions["s"]
    assert damaged.at(119).seq == 119 and damaged.at(5).artifacts["d0/0"].read_text() == "0"
    for moment in (120, 121, 150, "0 seconds ago"):
        with pytest.raises(sessionfs.Corrupt, match="record 120"):
            damaged.at(moment)
    with pytest.raises(sessionfs.Corrupt):
        view_at(session.core, AfterRecord(150))  # this process had read it when it was good


# What is kept


def test_a_moment_is_opened_once(session):
    view = session.at(2).core
    assert session.at(2).core is view and session.at("2026-11-20T22:46:02").core is view
    assert session.at(3).core is not view


def test_only_so_many_views_are_kept(open_store, monkeypatch):
    monkeypatch.setattr(views, "_kept", views._Kept())
    session = open_store().sessions.create(id="s")
    fill(session, 60)
    first = session.at(3).core
    for seq in range(4, 4 + views._MAX_VIEWS):
        assert session.at(seq).core.seq == seq
    assert len(views._kept._views) == views._MAX_VIEWS
    assert session.at(3).core is not first and session.at(3).core is session.at(3).core
    monkeypatch.setattr(views, "_MAX_ARTIFACTS", 120)
    for seq in (100, 101, 102):
        session.at(seq)
    kept = [view.tree.artifact_count for view in views._kept._views.values()]
    assert len(kept) > 1 and sum(kept) <= 120 and views._kept._artifact_count == sum(kept)


def test_many_threads_look_at_the_same_moments(open_store):
    session = open_store().sessions.create(id="s")
    fill(session, 300)
    expected = states(session, range(0, 600, 37))
    fresh = open_store().sessions["s"]
    results = []
    threads = [threading.Thread(target=lambda: results.append(states(fresh, range(0, 600, 37)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


# Checkpoints


def test_a_checkpoint_is_a_moment_with_a_name(session):
    session.resume()
    made = session.checkpoints.create("before", message="the first\nline: größer")
    session.artifacts.put("b.txt", b"b")
    assert (made.name, made.seq, made.message, made.created_by) == (
        "before", 6, "the first\nline: größer", f"uid:{os.geteuid()}",
    )  # fmt: skip
    assert session.checkpoints["before"] == made == session.checkpoints.list()[0]
    assert list(session.at("before").artifacts) == [] and session.at("before").seq == 6
    (saved,) = session.events("session.saved")
    assert saved.data == {"snapshot": made.oid, "checkpoint": "before"}


def test_earlier_moments_and_finished_sessions_can_be_named_without_changing_them(session):
    session.resume()
    session.complete()
    before = session.info()
    early = session.checkpoints.create("early", at=2)
    end = session.checkpoints.create("end")
    session.checkpoints.create("first", at="2026-11-20T22:44:30")
    assert session.info() == before and (early.seq, end.seq) == (2, 7)
    assert list(session.checkpoints) == ["first", "early", "end"]
    assert session.at("early").artifacts.read("a.txt") == b"one" and session.at("end").status == "completed"
    assert session.diff("early", 2).artifacts == []


def test_a_name_is_given_once_unless_it_is_replaced(session):
    session.checkpoints.create("x", at=1)
    with pytest.raises(sessionfs.Conflict, match="already has a checkpoint 'x'"):
        session.checkpoints.create("x", at=2)
    assert session.checkpoints["x"].seq == 1
    made = session.checkpoints.create("x", at=2, replace=True)
    assert made.seq == 2 and session.checkpoints.delete("x") == made.oid
    assert "x" not in session.checkpoints and len(session.checkpoints) == 0 and list(session.at(2).artifacts)
    with pytest.raises(sessionfs.NotFound, match="no checkpoint 'x'"):
        session.checkpoints.delete("x")
    assert session.checkpoints.create("x", at=3).seq == 3


def test_of_those_who_give_the_same_name_one_succeeds(session):
    outcomes = []

    def create(seq):
        try:
            outcomes.append(session.checkpoints.create("x", at=seq).seq)
        except sessionfs.Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=create, args=(seq,)) for seq in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str)[1:] == [None] * 3 and session.checkpoints["x"].seq in outcomes


@pytest.mark.parametrize("name", ["", "5", "now", "2026-11-20", "../x", "a b", "x" * 129])
def test_a_name_that_means_something_else_is_refused(session, name):
    before = session.info()
    with pytest.raises(sessionfs.InvalidInput, match="cannot be the name of a checkpoint"):
        session.checkpoints.create(name)
    assert name not in session.checkpoints and session.info() == before


@pytest.mark.parametrize("message", ["x" * 5000, "\udcff"])
def test_a_message_that_cannot_be_kept_is_refused_before_anything_is_written(session, message):
    session.resume()
    before = session.info()
    with pytest.raises(refs.BadMessage):
        session.checkpoints.create("x", message=message)
    assert session.info() == before and "x" not in session.checkpoints


def test_what_is_no_ref_is_no_checkpoint(session, tmp_path):
    """rsync, killed, leaves files of its own beside those that it was copying."""
    session.checkpoints.create("x", at=2)
    (tmp_path / "runs/sessions/s/refs/.x.Xy12Ab").write_bytes(b"half of")
    assert list(session.checkpoints) == ["x"]
    session.store.backup(tmp_path / "copy")
    assert list(sessionfs.open(tmp_path / "copy").sessions["s"].checkpoints) == ["x"]


def test_a_checkpoint_whose_snapshot_is_lost_is_told(session):
    made = session.checkpoints.create("x", at=2)
    os.unlink(next(file.path for file in session.store.objects.list(made.oid)))
    checkpoints._places.clear()
    with pytest.raises(sessionfs.Corrupt, match=f"snapshot {made.oid}.*missing"):
        session.at("x")
    assert session.checkpoints.delete("x") == made.oid


def test_a_checkpoint_of_what_was_cut_off_is_no_moment(session, open_store, tmp_path):
    session.resume()
    session.checkpoints.create("later", at=6)
    log = tmp_path / "runs/sessions/s/log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:5]))
    again = open_store().sessions["s"]
    with pytest.raises(sessionfs.NotFound, match="record 6 that its log lacks"):
        again.at("later")
    for number in range(4):
        again.state["other"] = number
    assert again.at(6).seq == 6
    with pytest.raises(sessionfs.NotFound, match="cut back since; delete it"):
        again.at("later")
    again.checkpoints.delete("later")


def test_a_ref_to_another_sessions_snapshot_is_no_moment(session, open_store):
    other = open_store().sessions.create(id="other")
    oid = other.save()
    core = session.core
    path = f"{session.store.path}/sessions/s/refs/wrong"
    refs.update(core.log.disk, core.clock, core.log.unsynced, core.log.mode, path, oid, actor="me")
    with pytest.raises(sessionfs.Corrupt, match="snapshot of session other"):
        session.at("wrong")


def test_views_of_a_session_that_was_made_again_are_its_own(open_store):
    store = open_store()
    for number in itertools.chain(range(2)):
        session = store.sessions.create(id="again")
        session.artifacts.put("a", b"%d" % number)
        assert session.at(1).artifacts.read("a") == b"%d" % number
        session.delete()
