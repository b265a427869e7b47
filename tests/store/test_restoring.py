"""Going back: restore, undo and redo, from Python."""

from __future__ import annotations

import contextvars
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ongoing import Ongoing

import sessionfs
from sessionfs.fsck import check
from sessionfs.hooks import Cancel, Modify
from sessionfs.store import operation
from sessionfs.store.operation import grouped


@pytest.fixture
def store(tmp_path):
    return sessionfs.open(tmp_path / "s", create=True, background_sync=False)


@pytest.fixture
def session(store):
    return store.sessions.create(id="q4")


def texts(session):
    return {artifact.path: artifact.read_text() for artifact in session.artifacts.list() if artifact.kind == "file"}


def kinds(done):
    return {change.name: change.kind for change in done.changes}


def types(session, start=0):
    return [event.type for event in session.events(start=start)]


def elsewhere(call, *arguments):
    """Do something as another task does, which is in no operation."""
    contextvars.Context().run(call, *arguments)


def faults(store):
    return [fault for fault in check(store.core) if fault.is_damage]


# Restoring


def test_artifacts_and_state_come_back_together_as_new_records(store, session):
    session.artifacts.put("a", "one", tags=["t"], metadata={"k": 1}, mode=0o600, mtime_ns=5)
    session.state["step"] = 1
    moment = session.event_count - 1
    before = list(session.events())
    session.artifacts.put("a", "two", tags=[], metadata={})
    session.artifacts.put("b", "new")
    session.state["step"] = 2
    session.state["other"] = []
    done = session.restore(moment)
    assert texts(session) == {"a": "one"} and session.state.to_dict() == {"step": 1}
    a = session.artifacts["a"]
    assert (a.tags, a.metadata, a.mode, a.mtime_ns, a.version) == (("t",), {"k": 1}, 0o600, 5, 3)
    assert kinds(done) == {"a": "modified", "b": "deleted", "step": "modified", "other": "deleted"}
    assert (done.kind, done.to, done.seq) == ("restore", moment, session.event_count - 1)
    assert list(session.events())[: len(before)] == before
    assert [version.number for version in session.versions("a")] == [1, 2, 3]
    assert faults(store) == []


def test_what_was_before_is_a_checkpoint(session):
    session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    done = session.restore(1)
    assert texts(session.at(done.checkpoint)) == {"a": "two"}
    session.restore(done.checkpoint)
    assert texts(session) == {"a": "two"}
    assert len(session.checkpoints) == 2


def test_a_checkpoint_that_somebody_called_the_same_is_left_alone(session):
    session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    session.checkpoints.create(f"before-restore-{session.event_count + 1}")
    done = session.restore(1)
    assert done.checkpoint.endswith("-2") and len(session.checkpoints) == 2


def test_nothing_is_written_when_nothing_is_different(session):
    session.artifacts.put("a", "one")
    count = session.event_count
    done = session.restore("now")
    assert (done.seq, done.changes, done.checkpoint) == (None, (), None)
    assert session.event_count == count and len(session.checkpoints) == 0


def test_only_the_paths_that_are_named(session):
    session.artifacts.put("dir/a", "one")
    session.artifacts.put("b", "one")
    session.state["k"] = 1
    session.artifacts.put("dir/a", "two")
    session.artifacts.put("dir/c", "two")
    session.artifacts.put("b", "two")
    session.state["k"] = 2
    moment = 4
    done = session.restore(moment, ["dir"])
    assert texts(session) == {"dir/a": "one", "b": "two"} and session.state["k"] == 2
    assert kinds(done) == {"dir/a": "modified", "dir/c": "deleted"}
    session.artifacts.delete("dir", recursive=True)
    session.restore(moment, "dir/a")
    assert texts(session) == {"dir/a": "one", "b": "two"}
    session.artifacts.delete("dir", recursive=True)
    session.artifacts.put("dir", "a file now")
    with pytest.raises(sessionfs.InvalidInput, match="'dir' is now a file"):
        session.restore(moment, ["dir/a"])
    with pytest.raises(sessionfs.NotFound, match="'nope'"):
        session.restore(moment, ["b", "nope"])
    with pytest.raises(sessionfs.InvalidInput):
        session.restore(moment, ["../b"])
    assert texts(session) == {"dir": "a file now", "b": "two"}


def test_a_directory_that_was_renamed_goes_back_in_one_record(session):
    with session.operation():
        for number in range(300):
            session.artifacts.put(f"dir/{number // 100}/{number}", str(number))
    inos = {path: session.core.tree.find(path).ino for path in session.artifacts}
    count = session.event_count
    session.artifacts.rename("dir", "elsewhere/deep")
    done = session.undo()
    assert kinds(done) == {"dir": "renamed", "elsewhere": "deleted"}
    assert types(session, count + 2) == [
        "session.saved", "artifact.renamed", "artifact.deleted", "artifact.updated", "session.restored",
    ]  # fmt: skip
    assert {path: session.core.tree.find(path).ino for path in session.artifacts} == inos


def test_what_changed_places_changes_places(session):
    session.artifacts.put("a", "a")
    session.artifacts.put("b", "b")
    session.core.artifacts.exchange("a", "b")
    count = session.event_count
    session.undo()
    assert texts(session) == {"a": "a", "b": "b"}
    assert types(session, count).count("artifact.renamed") == 1


def test_a_deleted_file_goes_on_with_its_versions(session):
    for content in ("one", "two"):
        session.artifacts.put("a", content)
    ino = session.core.tree.find("a").ino
    created = session.artifacts["a"].created_at
    session.artifacts.delete("a")
    session.undo()
    artifact = session.artifacts["a"]
    assert (artifact.version, artifact.created_at, session.core.tree.find("a").ino) == (3, created, ino)
    first, second, third = session.versions("a")
    assert (first.number, third.number) == (1, 3) and first.oid != second.oid == third.oid


def test_no_content_is_written(store, session):
    session.artifacts.put("a", os.urandom(100_000))
    session.artifacts.delete("a")
    before = set(blobs(store.path))
    session.undo()
    session.redo()
    session.restore(1)
    assert set(blobs(store.path)) == before


def blobs(path):
    for above, _, names in os.walk(f"{path}/objects"):
        yield from (f"{above}/{name}" for name in names if not name.endswith((".tree", ".snapshot")))


@pytest.mark.parametrize("status", ["suspended", "completed", "failed", "archived"])
def test_a_session_that_is_not_active_is_left_as_it_is(session, status):
    session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    for step in {"archived": ["completed", "archived"]}.get(status, [status]):
        session.core.set_status(step)
    count = session.event_count
    for call in (lambda: session.restore(1), session.undo, session.redo, lambda: session.restore(99)):
        with pytest.raises(sessionfs.Denied, match=status):
            call()
    assert session.event_count == count and len(session.checkpoints) == 0


def test_a_limit_is_not_exceeded_by_going_back(tmp_path, session):
    for number in range(5):
        session.artifacts.put(f"{number}", "x" * 10)
    for number in range(4):
        session.artifacts.delete(f"{number}")
    (tmp_path / "s" / "config.toml").write_text("[limits]\nmax_artifacts_per_session = 3\n")
    limited = sessionfs.open(tmp_path / "s", background_sync=False).sessions["q4"]
    count = limited.event_count
    with pytest.raises(sessionfs.Conflict, match="max_artifacts_per_session"):
        limited.restore(5)
    assert limited.event_count == count and len(limited.checkpoints) == 0
    limited.undo(2)
    assert len(limited.artifacts) == 3


def test_whatever_is_cut_off_it_is_done_whole_or_not_at_all(tmp_path, store, session):
    session.artifacts.put("d/a", "one")
    session.state["k"] = 1
    session.artifacts.put("d/a", "two")
    session.artifacts.rename("d", "e")
    session.artifacts.put("e/b", "new")
    session.state["k"] = 2
    log = f"{store.path}/sessions/q4/log"
    start = os.path.getsize(log)
    expected = texts(session), session.state.to_dict()
    session.restore(3)
    with open(log, "rb") as file:
        content = file.read()
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10 and place >= start]
    assert len(ends) > 6
    for end in [start, *ends[:-1], *(end - 7 for end in ends), *range(ends[-3], ends[-2], 31)]:
        with open(log, "wb") as file:
            file.write(content[:end])
        again = sessionfs.open(store.path, background_sync=False).sessions["q4"]
        assert (texts(again), again.state.to_dict()) == expected, end
        assert [fault.kind for fault in check(again.store.core) if fault.is_damage] == []
        again.artifacts.put("after", "goes on")
        assert again.restore(3).seq is not None


# Operations


def test_records_of_one_call_are_one_operation(session):
    session.artifacts.put("deep/down/a", "a")
    assert [event.operation for event in session.events(start=1)] == [1, 1, 1]
    session.undo()
    assert list(session.artifacts) == [] and "deep" not in session.artifacts


def test_several_calls_can_be_one_operation(store, session):
    session.artifacts.put("before", "")
    other = store.sessions.create(id="other")
    with session.operation():
        session.artifacts.put("a", "")
        other.artifacts.put("x", "")
        with session.operation(), other.operation():
            session.state["k"] = 1
            other.state["k"] = 1
            other.state["l"] = 1
        session.artifacts.delete("before")
    assert {event.operation for event in session.events(start=2)} == {2}
    assert [event.operation for event in other.events(start=1)] == [1, 2, 2]
    session.undo()
    assert (list(session.artifacts), session.state.to_dict()) == (["before"], {})
    session.artifacts.put("after", "")
    session.undo()
    assert list(session.artifacts) == ["before"]


def test_another_thread_is_not_part_of_an_operation(session):
    with session.operation():
        session.artifacts.put("mine", "")
        thread = threading.Thread(target=lambda: session.artifacts.put("theirs", ""))
        thread.start()
        thread.join()
        session.artifacts.put("mine too", "")
    session.undo()
    assert list(session.artifacts) == ["theirs"]
    session.redo()
    assert list(session.artifacts) == ["mine", "mine too", "theirs"]


def test_a_tree_is_one_operation(session, tmp_path):
    for name in ("a", "b/c", "b/d"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    session.artifacts.put_tree(tmp_path / "tree", "in")
    session.undo()
    assert list(session.core.tree.walk()) == []
    session.redo()
    assert texts(session) == {"in/a": "in/a"[3:], "in/b/c": "b/c", "in/b/d": "b/d"}


def test_what_groups_may_be_something_else(session):
    with grouped(Ongoing()):
        session.artifacts.put("a", "")
        with session.operation():
            session.artifacts.put("b", "")
        session.artifacts.put("c", "")
    assert operation.current() is None
    session.undo()
    assert list(session.artifacts) == []


def test_an_undo_inside_an_operation_is_by_itself(session):
    session.artifacts.put("before", "")
    with session.operation():
        session.artifacts.put("a", "")
        session.undo()
        assert list(session.artifacts) == ["before"]
        session.artifacts.put("b", "")
    assert list(session.artifacts) == ["b", "before"]
    session.undo()
    assert list(session.artifacts) == ["before"]
    session.redo()
    assert list(session.artifacts) == ["b", "before"]
    session.undo(2)
    assert list(session.artifacts) == []


# Undoing


def test_undo_goes_further_back_each_time_and_redo_comes_forward(session):
    for number in range(4):
        session.artifacts.put("a", str(number))
    seen = []
    for _ in range(3):
        session.undo()
        seen.append(texts(session)["a"])
    assert seen == ["2", "1", "0"]
    for _ in range(3):
        session.redo()
        seen.append(texts(session)["a"])
    assert seen[3:] == ["1", "2", "3"]
    with pytest.raises(sessionfs.Conflict, match="nothing to redo"):
        session.redo()
    session.undo(2)
    assert texts(session)["a"] == "1"
    session.undo()
    session.redo(2)
    assert texts(session)["a"] == "3"
    with pytest.raises(sessionfs.Conflict, match="only 4"):
        session.undo(5)
    session.undo(4)
    assert texts(session) == {}
    with pytest.raises(sessionfs.Conflict, match="nothing to undo"):
        session.undo()
    session.redo()
    assert texts(session)["a"] == "3"


def test_what_is_done_after_an_undo_ends_redoing_and_can_be_undone(session):
    for content in ("one", "two"):
        session.artifacts.put("a", content)
    session.undo()
    session.artifacts.put("b", "new")
    with pytest.raises(sessionfs.Conflict, match="something else was changed"):
        session.redo()
    session.undo()
    assert texts(session) == {"a": "one"}
    session.redo()
    assert texts(session) == {"a": "one", "b": "new"}
    session.undo(2)
    assert texts(session) == {}


def test_events_saves_and_fields_are_no_operations(session):
    session.artifacts.put("a", "one")
    session.warning("look")
    session.update(name="New")
    session.save()
    session.undo()
    session.warning("again")
    assert texts(session) == {} and session.name == "New"
    session.redo()
    assert texts(session) == {"a": "one"}


def test_a_restoring_is_an_operation(session):
    session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    session.restore(1)
    session.undo()
    assert texts(session) == {"a": "two"}
    session.redo()
    assert texts(session) == {"a": "one"}
    session.undo(2)
    assert texts(session) == {"a": "one"}
    session.undo()
    assert texts(session) == {}


def test_undoing_survives_a_restart_and_another_process(store, session):
    for number in range(3):
        session.artifacts.put("a", str(number))
    script = (
        "import sys, sessionfs; session = sessionfs.open(sys.argv[1]).sessions['q4']; "
        "print([change.name for change in getattr(session, sys.argv[2])().changes])"
    )
    run = lambda word: subprocess.check_output([sys.executable, "-c", script, store.path, word], text=True)  # noqa: E731
    assert run("undo") == "['a']\n" and texts(session) == {"a": "1"}
    session.undo()
    assert run("redo") == "['a']\n" and texts(session) == {"a": "1"}
    assert run("redo") == "['a']\n" and texts(session) == {"a": "2"}


def test_what_others_did_meanwhile_stays(store, session):
    session.artifacts.put("shared", "base")
    other = sessionfs.open(store.path, background_sync=False).sessions["q4"]
    with session.operation():
        session.artifacts.put("mine/a", "a")
        elsewhere(other.artifacts.put, "theirs", "x")
        session.artifacts.put("shared", "mine")
        elsewhere(other.state.__setitem__, "k", 1)
        session.artifacts.put("mine/b", "b")
    done = session.undo()
    assert texts(session) == {"shared": "base", "theirs": "x"} and session.state["k"] == 1
    assert kinds(done) == {"mine": "deleted", "mine/a": "deleted", "mine/b": "deleted", "shared": "modified"}
    session.redo()
    assert set(texts(session)) == {"shared", "theirs", "mine/a", "mine/b"}
    session.undo(3)
    assert texts(session) == {"shared": "base"} and session.state.to_dict() == {}


def test_operations_that_went_on_at_the_same_time_are_undone_one_after_the_other(session):
    session.state["k"] = "before"
    theirs = Ongoing()
    with session.operation():
        session.state["mine"] = 1
        for key in ("one", "two"):
            with grouped(theirs):
                session.state[key] = 1
        session.state["k"] = "mine"
    assert session.undo().operations == (2,)
    assert session.state.to_dict() == {"k": "before", "one": 1, "two": 1}
    assert session.undo().operations == (3,)
    assert session.state.to_dict() == {"k": "before"}
    session.redo()
    assert session.state.to_dict() == {"k": "before", "one": 1, "two": 1}
    session.redo()
    assert session.state.to_dict() == {"k": "mine", "mine": 1, "one": 1, "two": 1}
    session.undo(3)
    assert session.state.to_dict() == {}


def test_what_was_redone_stays_when_an_operation_that_began_before_is_undone(session):
    session.state["k"] = 1
    session.undo()
    ongoing = Ongoing()
    with grouped(ongoing):
        session.record("custom.begun")
    session.redo()
    with grouped(ongoing):
        session.state["mine"] = 1
    session.undo()
    assert session.state.to_dict() == {"k": 1}


def test_what_was_merged_meanwhile_stays_merged(session):
    session.artifacts.put("a", "base")
    child = session.fork(id="child")
    ongoing = Ongoing()
    with grouped(ongoing):
        session.state["mine"] = 1
    child.artifacts.put("a", "child")
    child.merge()
    with grouped(ongoing):
        session.state["mine"] = 2
    session.undo()
    assert texts(session) == {"a": "child"} and session.state.to_dict() == {}
    session.artifacts.put("a", "changed since")
    merge = child.merge()
    assert (merge.changes, merge.conflicts) == ((), ())
    session.undo(2)
    assert texts(session) == {"a": "base"}
    assert [change.name for change in child.merge().changes] == ["a"]


def test_what_another_operation_brought_back_is_not_there_twice(store, session):
    session.artifacts.put("first", "one")
    moment = session.event_count - 1
    session.artifacts.rename("first", "second")
    session.record("custom.begun")
    ongoing = Ongoing()
    with grouped(ongoing):
        session.artifacts.delete("second")
    session.restore(moment)
    with grouped(ongoing):
        session.state["k"] = 1
    again = store.sessions[session.what_if(drop=[3]).session]
    for one in (session, again):
        count = one.event_count
        with pytest.raises(sessionfs.Conflict, match="'second' and 'first' would be one artifact of session"):
            one.undo()
        assert one.event_count == count and texts(one) == {"first": "one"}
        one.undo(2)
        assert texts(one) == {"second": "one"} and one.state.to_dict() == {}


def test_a_version_that_another_operation_stored_says_what_it_rests_on(session):
    ongoing = Ongoing()
    with grouped(ongoing):
        session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    with grouped(ongoing):
        session.state["k"] = 1
    with pytest.raises(sessionfs.Conflict, match="there is no file 'a' of which this could be the next version"):
        session.undo()
    assert texts(session) == {"a": "two"} and session.state.to_dict() == {"k": 1}


def test_what_another_operation_rests_on_is_not_taken_away(store, session):
    other = sessionfs.open(store.path, background_sync=False).sessions["q4"]
    with session.operation():
        session.artifacts.put("mine/a", "a")
        elsewhere(other.artifacts.put, "mine/theirs", "x")
        session.artifacts.put("mine/b", "b")
    count = session.event_count
    with pytest.raises(sessionfs.Conflict, match=r"record 3 \(artifact.stored\)"):
        session.undo()
    assert session.event_count == count
    session.undo(2)
    assert texts(session) == {}


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "2"])
def test_a_count_that_is_none(session, count):
    session.artifacts.put("a", "")
    for call in (session.undo, session.redo):
        with pytest.raises(sessionfs.InvalidInput):
            call(count)


def test_what_it_is_told_about_is_json(session):
    session.artifacts.put("b\udcff", "")
    session.artifacts.rename("b\udcff", "c")
    done = session.undo().to_dict()
    assert done["changes"] == [{"what": "artifact", "name": r"b\xff", "kind": "renamed", "renamed_from": "c"}]
    assert (done["kind"], done["operations"]) == ("undo", (2,))


def test_two_who_undo_at_once_take_back_two(store, session):
    for number in range(20):
        session.artifacts.put(f"{number:02}", "")
    sessions = [sessionfs.open(store.path, background_sync=False).sessions["q4"] for _ in range(2)]
    threads = [threading.Thread(target=lambda one=one: [one.undo() for _ in range(5)]) for one in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(session.artifacts) == [f"{number:02}" for number in range(10)]


# Hooks


def test_hooks_are_asked_and_told_about_each_change_once(store, session):
    session.artifacts.put("a", "one")
    session.artifacts.put("moves", "m")
    session.state["k"] = 1
    session.artifacts.put("a", "two")
    session.artifacts.put("b", "new")
    session.artifacts.rename("moves", "moved")
    session.state["k"] = 2
    seen = []
    for point in ("artifact.store", "artifact.rename", "artifact.delete", "state.change", "session.fork"):
        for when in ("pre", "post"):
            store.hooks.on(f"{when}-{point}", lambda call, when=when: seen.append((when, call.action.about, call.seq)))
    session.restore(3)
    asked = [about for when, about, _ in seen if when == "pre"]
    assert sorted(asked) == ["a", "b", "k", "moved"]
    told = {about: seq for when, about, seq in seen if when == "post"}
    assert {about: session_event(session, seq) for about, seq in told.items()} == {
        "a": ("artifact.stored", "a"),
        "b": ("artifact.deleted", "b"),
        "k": ("state.changed", "k"),
        "moved": ("artifact.renamed", "moved"),
    }
    seen.clear()
    child = session.fork()
    child.artifacts.put("c", "")
    seen.clear()
    child.merge()
    assert [(when, about) for when, about, _ in seen] == [("pre", "c"), ("post", "c")]


def session_event(session, seq):
    event = next(session.events(start=seq))
    return event.type, event.data.get("path", event.data.get("key"))


def test_a_hook_that_refuses_leaves_all_as_it_is(store, session):
    for name in ("a", "b"):
        session.artifacts.put(name, "one")
    moment = session.event_count - 1
    for name in ("a", "b"):
        session.artifacts.put(name, "two")
    store.hooks.on("pre-artifact.store", lambda call: Cancel("not b") if call.action.about == "b" else None)
    with pytest.raises(sessionfs.Denied, match="not b"):
        session.restore(moment)
    assert texts(session) == {"a": "two", "b": "two"} and len(session.checkpoints) == 0
    assert {event.type for event in session.events(start=moment + 3)} <= {"hook.ran"}


def test_what_a_hook_changes_is_changed_here_too(store, session):
    session.artifacts.put("a", "one")
    session.artifacts.delete("a")
    store.hooks.on("pre-artifact.store", lambda call: Modify(tags=["seen"]))
    session.undo()
    assert session.artifacts["a"].tags == ("seen",)


def test_hooks_that_change_the_session_themselves_are_waited_for(store, session):
    session.artifacts.put("a", "one")
    session.artifacts.put("a", "two")
    rounds = []

    def change(call):
        rounds.append(call.action.about)
        if len(rounds) < 3:
            session.artifacts.put(f"new{len(rounds)}", "")

    store.hooks.on("pre-artifact.store", change)
    store.hooks.on("pre-artifact.delete", change)
    session.restore(1)
    assert rounds == ["a", "new1", "new2"] and texts(session) == {"a": "one"}


def test_the_readmes_example(store, session, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = re.search(r"<!-- returning -->\n```python\n(.*?)```", readme, re.DOTALL)[1]
    session.artifacts.put("report.txt", "before")
    session.artifacts.put("data/big.csv", "1")
    session.checkpoints.create("before")
    names = {"store": store, "session": session}
    exec(code, names)
    assert texts(session) == {"report.txt": "before", "data/big.csv": "1", "idea.txt": "Sell umbrellas.\n"}
    assert names["idea"].name == "An idea" and names["merged"].conflicts == ()
    assert "'idea.txt'" in capsys.readouterr().out


def test_only_the_newest_automatic_checkpoints_are_kept(tmp_path):
    store = sessionfs.open(tmp_path / "s", create=True, background_sync=False)
    (tmp_path / "s/config.toml").write_text("[retention]\nkeep_automatic_checkpoints = 3\n")
    store = sessionfs.open(tmp_path / "s", background_sync=False)
    session = store.sessions.create(id="one")
    session.artifacts.put("a", b"1")
    session.checkpoints.create("before-undo-2", at=0)  # somebody's own, of another moment than the name says
    session.checkpoints.create("mine")
    made = []
    for number in range(6):
        session.artifacts.put("a", b"%d" % number)
        made.append((session.undo() if number % 2 else session.restore("mine")).checkpoint)
    names = {checkpoint.name for checkpoint in session.checkpoints.values()}
    assert names == {"mine", "before-undo-2", *made[-3:]}
    assert sorted(path.name for path in (tmp_path / "s/sessions/one/refs").iterdir()) == sorted(names)
    number = int(made[0].rpartition("-")[2])
    assert session.at(number - 1).artifacts["a"].read_bytes() == b"0"
