"""What changed between two moments, what was done, and the versions of artifacts."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import sessionfs
from sessionfs.travel.changelog import _FIRST_STRETCH


@pytest.fixture
def session(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True, background_sync=False) as store:
        yield store.sessions.create(id="s")


def now(session):
    return session.at("now")


def kinds(changes):
    return {change.path: change.kind for change in changes}


# Differences


def test_a_difference_says_what_became_of_each_path(session):
    artifacts = session.artifacts
    for path in ("same", "content", "tags", "gone", "moved", "dir/inner", "dir/deep/inner", "taken"):
        artifacts.put(path, path.encode())
    artifacts.make_symlink("link", "same")
    before = now(session)
    artifacts.put("content", b"other")
    artifacts.tag("tags", add=["t"])
    artifacts.delete("gone")
    artifacts.rename("moved", "to/there")
    artifacts.rename("dir", "folder")
    artifacts.put("folder/deep/inner", b"changed on the way")
    artifacts.put("new", b"new")
    artifacts.delete("link")
    artifacts.make_symlink("link", "elsewhere")
    artifacts.delete("taken")
    artifacts.put("taken/now", b"a directory")
    found = session.diff(before)
    assert kinds(found) == {
        "content": "modified",
        "tags": "modified",
        "gone": "deleted",
        "to": "added",
        "to/there": "renamed",
        "folder": "renamed",
        "folder/deep/inner": "renamed",
        "new": "added",
        "link": "modified",
        "taken": "modified",
        "taken/now": "added",
    }
    by_path = {change.path: change for change in found}
    assert by_path["content"].fields == ("oid",) and by_path["tags"].fields == ("tags",)
    assert by_path["folder"].renamed_from == "dir" and by_path["folder/deep/inner"].fields == ("oid",)
    assert by_path["folder/deep/inner"].before.path == "dir/deep/inner"
    assert by_path["content"].before.read_bytes() == b"content" and by_path["content"].after.read_bytes() == b"other"
    assert by_path["gone"].after is None and by_path["new"].before is None
    assert by_path["taken"].before.kind == "file" and by_path["taken"].after.kind == "directory"
    assert kinds(session.diff("now", before)) == {  # the other way round
        "content": "modified", "tags": "modified", "gone": "added", "to": "deleted", "moved": "renamed",
        "dir": "renamed", "dir/deep/inner": "renamed", "new": "deleted", "link": "modified", "taken": "modified",
        "taken/now": "deleted",
    }  # fmt: skip


def test_times_ids_and_versions_alone_are_no_difference(session):
    session.artifacts.put("a", b"1")
    before = now(session)
    session.artifacts.put("a", b"2")
    session.artifacts.put("a", b"1")
    session.artifacts.update("a", mtime_ns=5)
    assert not session.diff(before)
    session.artifacts.update("a", mode=0o600)
    assert session.diff(before).artifacts[0].fields == ("mode",)


def test_only_the_paths_that_were_asked_for_are_compared(session):
    before = now(session)
    for path in ("a", "d/e/x", "d/y", "dx"):
        session.artifacts.put(path, b"")
    session.state["k"] = 1
    assert list(kinds(session.diff(before, paths=["d/e", "a", "d/e/x", "nowhere"]))) == ["a", "d/e", "d/e/x"]
    assert not session.diff(before, paths=["d/e"]).state and session.diff(before).state


def test_a_change_through_another_name_in_an_untouched_directory_is_seen(session):
    session.artifacts.put("d/one", b"1")
    session.artifacts.link("d/one", "two")
    session.save()
    before = now(session)
    session.artifacts.put("two", b"2")
    session.save()
    assert set(kinds(session.diff(before))) == {"d/one", "two"}


def test_state_is_compared_by_its_values(session):
    session.state.update({"same": [1], "changed": 1, "gone": None, "long": "x" * 10_000})
    before = now(session)
    session.state.update({"same": [1], "changed": {"a": 1}, "new": False, "long": "y" * 10_000})
    del session.state["gone"]
    changes = {change.key: (change.kind, change.before, change.after) for change in session.diff(before).state}
    assert changes == {
        "changed": ("modified", 1, {"a": 1}),
        "gone": ("deleted", None, None),
        "long": ("modified", "x" * 10_000, "y" * 10_000),
        "new": ("added", None, False),
    }


def test_sessions_can_be_compared(session):
    other = session.store.sessions.create(id="other")
    session.artifacts.put("a", b"1")
    other.artifacts.put("a", b"2")
    assert kinds(session.diff(now(session), other)) == {"a": "modified"}
    assert not session.diff(now(other), other)


def test_a_patch_makes_one_moment_of_the_other(session, tmp_path):
    artifacts = session.artifacts
    artifacts.put("keep/a b.txt", b"".join(b"%d\n" % number for number in range(50)))
    artifacts.put("end.txt", b"no newline")
    artifacts.put("größe\\\t.txt", b"x\n")
    artifacts.put("gone.txt", b"1\n2\n")
    artifacts.put("moved.txt", b"1\n2\n3\n4\n")
    artifacts.put("run.sh", b"#!/bin/sh\n", mode=0o644)
    artifacts.put("kind", b"a file\n")
    artifacts.make_symlink("link", "end.txt")
    before = now(session)
    copy_out(before, tmp_path / "tree")
    artifacts.put("keep/a b.txt", b"".join(b"%d\n" % number for number in range(60) if number % 9))
    artifacts.put("end.txt", b"no newline\nyet\n")
    artifacts.put("größe\\\t.txt", b"y\n")
    artifacts.delete("gone.txt")
    artifacts.rename("moved.txt", "there/moved.txt")
    artifacts.put("there/moved.txt", b"1\n2\n3\n5")
    artifacts.update("run.sh", mode=0o755, tags=["tool"])
    artifacts.delete("kind")
    artifacts.make_symlink("kind", "end.txt")
    artifacts.delete("link")
    artifacts.make_symlink("link", "run.sh")
    artifacts.put("new/empty", b"")
    copy_out(now(session), tmp_path / "expected")
    patch = session.diff(before).unified()
    subprocess.run(["git", "apply", "-p1"], input=patch, cwd=tmp_path / "tree", check=True, timeout=30)
    subprocess.run(["diff", "-r", "--no-dereference", "tree", "expected"], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "tree/run.sh").stat().st_mode & 0o777 == 0o755
    assert b'# run.sh: tags [] -> ["tool"]\n' in patch


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch(1) is not installed")
def test_patch_understands_names_with_spaces(session, tmp_path):
    artifacts = session.artifacts
    artifacts.put("a b/changed once", b"1\n")
    artifacts.put("gone now", b"2\n")
    artifacts.put("größe \t", b"3\n")
    before = now(session)
    copy_out(before, tmp_path / "tree")
    artifacts.put("a b/changed once", b"one\n")
    artifacts.delete("gone now")
    artifacts.put("größe \t", b"three\n")
    artifacts.put("new one", b"4\n")
    copy_out(now(session), tmp_path / "expected")
    patch = session.diff(before).unified()
    subprocess.run(["patch", "-p1"], input=patch, cwd=tmp_path / "tree", check=True, timeout=30)
    subprocess.run(["diff", "-r", "tree", "expected"], cwd=tmp_path, check=True, timeout=30)
    assert b"\n--- a/a b/changed once\t\n+++ b/a b/changed once\t\n" in patch


def copy_out(view, target):
    for artifact in view.artifacts.list():
        place = target / artifact.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if artifact.target is not None:
            place.symlink_to(artifact.target)
        else:
            place.write_bytes(artifact.read_bytes())
            place.chmod(artifact.mode)


def test_what_is_no_text_is_counted_in_bytes(session):
    session.artifacts.put("a", b"1\n2\n")
    before = now(session)
    session.artifacts.put("a", b"1\n2\n\0")
    (change,) = session.diff(before)
    assert change.count() == (None, None, 4, 5)
    assert b"Binary files a/a and b/a differ" in change.unified()
    session.artifacts.put("a", b"0\n2\n3\n")
    (change,) = session.diff(before)
    assert change.count() == (2, 1, 4, 6) and change.count(limit_bytes=5) == (None, None, 4, 6)


# Operations


def done(session, *arguments, **options):
    return [
        (operation.seq, *operation.notes, *(f"{change.kind} {change.path}" for change in operation))
        for operation in session.operations(*arguments, **options)
    ]


def test_what_was_done_is_told_operation_by_operation(session):
    session.artifacts.put("d/a", b"1\n")
    session.state["k"] = 1
    session.record("tool.invoked", {"x": 1})
    session.save()
    session.checkpoints.create("here")
    session.update(name="n", tags=["t"])
    session.artifacts.put("d/b", b"2\n")
    session.artifacts.delete("d", recursive=True)
    session.fail("no luck")
    assert done(session) == [
        (10, "failed: no luck"),
        (9, "deleted d", "deleted d/a", "deleted d/b"),
        (8, "added d/b"),
        (7, "updated name, tags"),
        (6, "checkpoint here"),
        (3,),
        (2, "added d", "added d/a"),
        (0, "created"),
    ]
    operations = {operation.seq: operation for operation in session.operations()}
    state = next(operation for operation in operations.values() if operation.state)
    assert [(change.key, change.kind, change.after) for change in state.state] == [("k", "added", 1)]
    assert operations[2].first_seq == 1 and operations[2].record_count == 2


def test_an_operation_of_several_records_is_one(session):
    session.artifacts.put("a", b"1\n2\n")
    with session.operation():
        session.artifacts.put("a", b"1\n2\n3\n")
        session.artifacts.put("temporary", b"x")
        session.artifacts.rename("temporary", "a")
        session.artifacts.put("b", b"b")
        session.artifacts.put("c", b"c")
        session.artifacts.delete("c")
    (operation, *_) = session.operations()
    assert kinds(operation) == {"a": "modified", "b": "added"} and operation.record_count == 6
    assert operation.artifacts[0].count() == (1, 2, 4, 1)


def test_operations_are_read_back_through_a_long_log(session):
    for number in range(2 * _FIRST_STRETCH):
        session.artifacts.put(f"f{number % 3}", b"%d" % number)
    with session.operation():
        for number in range(_FIRST_STRETCH + 20):
            session.artifacts.put("many", b"%d" % number)
    operations = list(session.operations())
    assert operations[0].record_count == _FIRST_STRETCH + 20 and operations[0].artifacts[0].kind == "added"
    seqs = [operation.seq for operation in operations]
    assert seqs == sorted(seqs, reverse=True) and len(operations) == 2 + 2 * _FIRST_STRETCH
    assert [operation.artifacts[0].before.read_text() for operation in operations[1:5]] == ["496", "495", "494", "493"]


def test_the_history_of_one_artifact_goes_back_through_its_renames(session):
    artifacts = session.artifacts
    artifacts.put("notes/draft", b"1")
    artifacts.put("other", b"")
    artifacts.put("notes/draft", b"2")
    artifacts.rename("notes/draft", "notes/final")
    artifacts.put("notes/draft", b"another one")
    artifacts.rename("notes", "texts")
    artifacts.put("texts/final", b"3")
    told = [change for _, *changes in done(session, "texts/final") for change in changes]
    assert told == [
        "modified texts/final",
        "renamed texts",
        "renamed notes/final",
        "modified notes/draft",
        "added notes",
        "added notes/draft",
    ]
    assert done(session, "nowhere") == []
    assert [change for _, *changes in done(session, "texts", until=3) for change in changes] == []


def test_the_past_of_the_past(session):
    for number in range(5):
        session.artifacts.put("a", b"%d" % number)
    assert [operation.seq for operation in session.operations(until=3)] == [3, 2, 1, 0]
    with pytest.raises(sessionfs.NotFound):
        list(session.operations(until=9))


# Versions


def test_every_version_can_be_read(session):
    for number in range(3):
        session.artifacts.put("a", b"%d" % number)
    versions = session.versions("a")
    assert [(version.number, version.id, version.read_bytes()) for version in versions] == [
        (1, "s:1", b"0"), (2, "s:2", b"1"), (3, "s:3", b"2"),
    ]  # fmt: skip
    assert versions[0].size == 1 and versions[0].time < versions[1].time and versions[0].actor.startswith("uid:")


def numbers(session, path):
    return [(version.number, version.read_bytes()) for version in session.versions(path)]


def test_numbers_go_on_as_the_tree_counts_them(session):
    artifacts = session.artifacts
    for number in range(3):
        artifacts.put("report", b"r%d" % number)
    artifacts.put("temporary", b"t")
    artifacts.rename("temporary", "report")  # as editors save
    assert numbers(session, "report") == [(1, b"r0"), (2, b"r1"), (3, b"r2"), (4, b"t")]
    artifacts.rename("report", "d/elsewhere")
    assert numbers(session, "d/elsewhere")[-1] == (4, b"t") == (artifacts["d/elsewhere"].version, b"t")
    with pytest.raises(sessionfs.NotFound):
        session.versions("report")
    artifacts.put("report", b"again")
    assert numbers(session, "report") == [(1, b"again")]
    for number in range(6):
        artifacts.put("busy", b"b%d" % number)
    artifacts.rename("busy", "d/elsewhere")
    assert numbers(session, "d/elsewhere") == [(1, b"r0"), (2, b"r1"), (3, b"r2"), (4, b"t"), (5, b"b4"), (6, b"b5")]
    assert artifacts["d/elsewhere"].version == 6


def test_reading_that_was_broken_off_goes_on_where_it_was(session):
    """What a record says may lie in an object, and that may be missing for a while."""
    for number in range(2):
        session.artifacts.put("a", b"%d" % number)
    session.artifacts.put("a", b"2", metadata={"long": "x" * 70_000})
    core = session.core
    oid = next(record.data_oid for _, record in core.records() if record.data_oid is not None)
    path = next(file.path for file in core.objects.list() if file.oid == oid)
    os.rename(path, f"{path}-away")
    for _ in range(2):
        with pytest.raises(sessionfs.NotFound):
            session.versions("a")
    os.rename(f"{path}-away", path)
    assert numbers(session, "a") == [(1, b"0"), (2, b"1"), (3, b"2")]


def test_names_of_one_inode_and_what_was_deleted_keep_their_versions(session):
    artifacts = session.artifacts
    artifacts.put("d/one", b"1")
    artifacts.link("d/one", "two")
    artifacts.put("two", b"2")
    assert numbers(session, "d/one") == numbers(session, "two") == [(1, b"1"), (2, b"2")]
    artifacts.delete("d", recursive=True)
    assert numbers(session, "d/one") == [(1, b"1"), (2, b"2")]
    artifacts.put("d/other", b"o")
    assert numbers(session, "d/one") == [(1, b"1"), (2, b"2")]
    artifacts.put("d/one", b"new")
    assert numbers(session, "d/one") == [(1, b"new")]
    with pytest.raises(sessionfs.NotFound, match="never a file 'd'"):
        session.versions("d")
    with pytest.raises(sessionfs.NotFound, match="never a file 'nowhere'"):
        session.versions("nowhere")


def test_exchanged_artifacts_take_their_versions_along(session):
    session.artifacts.put("a", b"a1")
    session.artifacts.put("a", b"a2")
    session.artifacts.put("b", b"b1")
    session.core.artifacts.exchange("a", "b")
    assert numbers(session, "a") == [(1, b"b1")] and numbers(session, "b") == [(1, b"a1"), (2, b"a2")]


def test_a_fork_knows_the_versions_from_before_it_began(session):
    for number in range(3):
        session.artifacts.put("a", b"%d" % number)
    child = session.fork(id="child")
    child.artifacts.put("a", b"of the child")
    expected = [(1, b"0"), (2, b"1"), (3, b"2"), (4, b"of the child")]
    assert numbers(child, "a") == expected
    assert child.versions("a")[0].id == "s:1" and child.versions("a")[-1].id.startswith("child:")
    session.delete()
    again = sessionfs.open(session.store.path, background_sync=False).sessions["child"]
    assert numbers(again, "a") == expected[2:]


def test_times_of_directories_are_no_changes_of_an_operation_that_did_something_else(session):
    session.artifacts.put("d/a", b"")
    session.artifacts.put("d/b", b"")
    session.artifacts.delete("d/a")
    session.undo()
    (undone, *_) = session.operations()
    assert kinds(undone) == {"d/a": "added"}
    session.artifacts.update("d", mtime_ns=5)
    (touched, *_) = session.operations()
    assert kinds(touched) == {"d": "modified"}
