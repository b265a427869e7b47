"""What a session does when something it rests on is damaged or runs out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import sessionfs
from sessionfs.fsck import check
from sessionfs.store.store import Store


@pytest.fixture
def path(tmp_path):
    Store.create(str(tmp_path / "s"))
    return str(tmp_path / "s")


def _session_with_trees(path):
    session = sessionfs.open(path, background_sync=False).sessions.create(id="x")
    for number in range(20):
        session.artifacts.put(f"d{number % 3}/e/{number}", f"content {number}")
    session.artifacts.tag("d0/e/0", add=["t"])
    session.save()
    return session


def _damage(path, kind, *, remove):
    files = [file for file in Store(path).objects.list() if file.kind == kind]
    assert files
    for file in files:
        if remove:
            os.unlink(file.path)
        else:
            os.chmod(file.path, 0o644)
            with open(file.path, "r+b") as opened:
                opened.write(b"garbage!")


@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("kind", ["tree", "snapshot"])
def test_a_lost_tree_or_snapshot_is_read_from_the_log(path, kind, remove):
    expected = [artifact.to_dict() for artifact in _session_with_trees(path).artifacts.list()]
    _damage(path, kind, remove=remove)
    session = sessionfs.open(path, background_sync=False).sessions["x"]
    assert [artifact.to_dict() for artifact in session.artifacts.list()] == expected


def test_a_tree_that_was_lost_is_put_back(path):
    _session_with_trees(path)
    _damage(path, "tree", remove=True)
    assert any(fault.kind == "missing-object" for fault in check(Store(path)))
    sessionfs.open(path, background_sync=False).sessions["x"].artifacts.list()
    assert list(check(Store(path))) == []


def test_a_directory_whose_tree_is_beyond_help_is_not_half_deleted(path):
    _session_with_trees(path)
    store = Store(path)
    log = store.layout.log("x")
    _damage(path, "tree", remove=True)
    with open(log, "r+b") as file:  # and the log is damaged too
        file.seek(200)
        file.write(b"#")
    session = Store(path).session("x")
    size = os.path.getsize(log)
    with pytest.raises(sessionfs.Corrupt):
        session.artifacts.delete("d0", recursive=True)
    assert os.path.getsize(log) == size


class _FailingDisk:
    """The real disk, until it is full for files that are appended to."""

    def __init__(self, disk):
        self._disk = disk
        self.is_full = False

    def __getattr__(self, name):
        return getattr(self._disk, name)

    def write(self, fd, data):
        import errno
        import fcntl

        if self.is_full and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._disk.write(fd, data)


def test_a_change_of_several_records_is_made_whole_or_not_at_all(path):
    from sessionfs.durable import OsDisk

    disk = _FailingDisk(OsDisk())
    store = Store(path, disk=disk)
    session = store.create_session(session_id="x")
    stored = store.objects.put_bytes(b"content")
    session.artifacts.put("a/b", stored)
    disk.is_full = True
    for change in (
        lambda: session.artifacts.put("new/deep/c", stored),
        lambda: session.artifacts.copy("a", "copied/to"),
        lambda: session.artifacts.rename("a", "moved/to", make_parents=True),
    ):
        with pytest.raises(sessionfs.Conflict):
            change()
    assert [node.path for _, node in session.tree.walk()] == ["a", "a/b"]
    assert [node.path for _, node in Store(path).session("x").tree.walk()] == ["a", "a/b"]
    disk.is_full = False
    session.artifacts.copy("a", "copied/to")
    assert [node.path for _, node in Store(path).session("x").tree.walk()] == [
        "a", "a/b", "copied", "copied/to", "copied/to/b",
    ]  # fmt: skip


@pytest.mark.parametrize("type", ["session.completed", "artifact.stored", "state.changed", "nonsense", ""])
def test_callers_cannot_record_what_only_a_change_may_say(path, type):
    session = sessionfs.open(path, background_sync=False).sessions.create()
    with pytest.raises(sessionfs.InvalidInput, match=r"tool\.invoked"):
        session.record(type, {})
    assert session.event_count == 1


def test_an_event_holds_json(path):
    session = sessionfs.open(path, background_sync=False).sessions.create()
    with pytest.raises(sessionfs.InvalidInput):
        session.record("custom.x", {"a": object()})
    with pytest.raises(sessionfs.InvalidInput, match="no field 'colour'"):
        session.update(colour="red")
    session.record("custom.large", {"text": "x" * 200_000})
    assert session.event_count == 2 and list(check(Store(path))) == []


def test_a_session_that_was_deleted_stays_gone_for_whoever_holds_it(path):
    session = Store(path).create_session(session_id="x")
    Store(path).delete_session("x")
    for _ in range(2):
        with pytest.raises(sessionfs.NotFound):
            session.refresh()
    for _ in range(2):
        with pytest.raises(sessionfs.NotFound):
            session.values.set("k", 1)


def _flip(path, text, replacement):
    with open(path, "r+b") as file:
        file.seek(file.read().index(text))
        file.write(replacement)


def test_a_damaged_last_record_is_damage_and_is_not_cut_off(path):
    store = Store(path)
    session = store.create_session(session_id="x")
    session.values.set("k", "first")
    session.values.set("k", "second")
    log = store.layout.log("x")
    size = os.path.getsize(log)
    _flip(log, b"second", b"secord")
    session = Store(path).session("x")
    assert session.fold.state.get("k") == "first"
    with pytest.raises(sessionfs.Corrupt, match="record 2"):
        session.values.set("k", "third")
    assert os.path.getsize(log) == size
    assert [fault.kind for fault in check(Store(path))] == ["damaged-log"]


def test_one_session_that_cannot_be_read_does_not_hide_the_others(path):
    store = Store(path)
    for name in ("a", "b"):
        store.create_session(session_id=name)
    _flip(store.layout.log("a"), b"created", b"creat!d")
    Path(path, "sessions/stray").touch()
    infos = {info.id: info for info in Store(path).sessions()}
    assert sorted(infos) == ["a", "b"]
    assert infos["b"].damage is None and "record 0" in infos["a"].damage
    with pytest.raises(sessionfs.Corrupt):
        Store(path).session("a").values.set("k", 1)


def test_a_record_that_cannot_have_happened_leaves_what_came_before_it_readable(path):
    store = Store(path)
    session = store.create_session(session_id="x")
    session.artifacts.put("a", store.objects.put_bytes(b"1"))
    with session.writing():
        session.append("custom.fine", {})
        session.log.append(session.clock, [session.draft("artifact.deleted", {"path": "never there"})], actor="me")
    again = Store(path).session("x")
    assert [node.path for _, node in again.tree.walk()] == ["a"]
    assert "cannot be applied" in again.info().damage
    with pytest.raises(sessionfs.Corrupt):
        again.artifacts.delete("a")
    assert [fault.kind for fault in check(Store(path))] == ["inconsistent-log"]


def test_what_is_not_unicode_is_refused_before_anything_is_made(path):
    store = Store(path)
    with pytest.raises(sessionfs.InvalidInput):
        store.create_session(session_id="x", description="\udcff")
    assert store.session_ids() == []
    session = store.create_session(session_id="x")
    with pytest.raises(sessionfs.InvalidInput):
        session.artifacts.put("a", store.objects.put_bytes(b"1"), description="\udcff")
    assert session.info().event_count == 1
