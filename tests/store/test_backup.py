"""Backups, whole restores and clones: in the order of writing, only what is new, and never over something better."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from sessionfs import locks
from sessionfs.backup import whole
from sessionfs.backup.copies import backup, clone, restore_store
from sessionfs.backup.done import Outcome
from sessionfs.backup.sessions import bring
from sessionfs.backup.target import Entangled, NotEmpty, OtherStore
from sessionfs.durable import OsDisk
from sessionfs.durable.filesystem import RefusingDisk
from sessionfs.errors import NoSpace, NotFound, ReadOnlyStore
from sessionfs.fsck import check, repair
from sessionfs.retention.gc import collect
from sessionfs.retention.repack import repack
from sessionfs.store.layout import NotAStore
from sessionfs.store.store import Store, StoreExists
from sessionfs.travel.mark import make_checkpoint


@pytest.fixture(autouse=True)
def few_directories(monkeypatch):
    """Stores are made without the directories for objects, which are made when they are needed: here are many."""
    monkeypatch.setattr("sessionfs.store.layout.FAN_OUT", [])


@pytest.fixture
def store(tmp_path):
    """A store with three sessions, one of them a fork, and content in every form."""
    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"))
    one = store.create_session(session_id="one")
    put(one, "small", b"small\n")
    put(one, "large", os.urandom(1000) * 300)
    put(one, "random", os.urandom(50_000))
    append(store, one, "growing", 3)
    one.values.set("key", [1, 2])
    one.save()
    store.fork_session("one", session_id="child")
    put(store.session("child"), "own", b"of the child\n")
    put(store.create_session(session_id="other"), "x", b"of the other\n")
    return store


def put(session, path, content):
    session.artifacts.put(path, session.objects.put_bytes(content))


def append(store, session, path, count):
    """Make versions that extend each other: lists of pieces, in packs."""
    content = os.urandom(2 << 20)
    put(session, path, content)
    for number in range(count):
        node = session.tree.find(path)
        staged = store.objects.stage(node.oid)
        staged.pwrite(b"%d\n" % number * 3000, node.size)
        session.artifacts.put(path, staged.finish())
        staged.discard()


def contents(path):
    """Return all that the sessions of a store hold, every byte read and checked."""
    store = Store(str(path))
    found = {}
    for session_id in store.session_ids():
        session = store.session(session_id)
        found[session_id] = (
            {name: store.objects.read(node.oid) for name, node in session.tree.walk() if node.is_file},
            {key: session.state.get(key) for key in session.state.keys("")},
            session.log.position,
        )
    return found


def damage_in(path):
    return [fault for fault in check(Store(str(path))) if fault.is_damage]


def object_file(store, content):
    oid = store.objects.put_bytes(content).oid
    (file,) = store.objects.places(oid)
    return file


def flip(path):
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))


def test_a_backup_is_the_store_again_and_only_what_is_new_is_copied(store, tmp_path):
    first = backup(store, str(tmp_path / "b"))
    assert first.is_whole and {one.outcome for one in first.sessions} == {Outcome.NEW}
    assert contents(tmp_path / "b") == contents(tmp_path / "s") and damage_in(tmp_path / "b") == []
    again = backup(store, str(tmp_path / "b"))
    assert (again.sessions, again.object_count, again.session_count) == ((), 0, 3)
    put(store.session("one"), "new", b"new\n")
    third = backup(store, str(tmp_path / "b"))
    assert [(one.session_id, one.outcome, one.record_count) for one in third.sessions] == [("one", Outcome.EXTENDED, 1)]
    assert (third.object_count, third.size) == (1, 4)
    assert contents(tmp_path / "b") == contents(tmp_path / "s") and damage_in(tmp_path / "b") == []


def test_repacking_the_store_does_not_make_the_backup_copy_it_again(store, tmp_path):
    backup(store, str(tmp_path / "b"))
    repack(store)
    assert backup(store, str(tmp_path / "b")).object_count == 0
    packed = backup(store, str(tmp_path / "b2"))
    assert packed.object_count > 5 and contents(tmp_path / "b2") == contents(tmp_path / "s")
    assert damage_in(tmp_path / "b2") == [] and backup(store, str(tmp_path / "b2")).object_count == 0


def test_archived_sessions_that_lie_on_a_shelf_are_copied(store, tmp_path):
    store.session("other").complete()
    store.session("other").archive()
    had = contents(tmp_path / "s")
    assert repack(store).session_count == 1 and not (tmp_path / "s" / "sessions" / "other").exists()
    store = Store(store.path)
    assert backup(store, str(tmp_path / "b")).is_whole
    assert contents(tmp_path / "b") == had and damage_in(tmp_path / "b") == []
    repack(Store(str(tmp_path / "b")))
    assert backup(store, str(tmp_path / "b")).sessions == ()
    assert contents(tmp_path / "b") == contents(tmp_path / "s") == had
    done = bring(Store(str(tmp_path / "b")), Store(clone(store.path, str(tmp_path / "c")).path), ["other"])
    assert done.sessions[0].outcome is Outcome.UNCHANGED and contents(tmp_path / "c") == had


def test_refs_head_config_and_hooks_come_along(store, tmp_path):
    make_checkpoint(store.session("one"), "before")
    store.set_head("one")
    hook = tmp_path / "s" / "hooks" / "post-session-create"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    (tmp_path / "s" / "config.toml").write_text("[durability]\nmode = 'full'\n")
    backup(Store(store.path), str(tmp_path / "b"))
    copy = Store(str(tmp_path / "b"))
    assert copy.head() == "one" and copy.config.mode.value == "full"
    assert stat.S_IMODE((tmp_path / "b" / "hooks" / hook.name).stat().st_mode) == 0o755
    for name in ("log", "refs/before"):
        assert (tmp_path / "b" / "sessions" / "one" / name).read_bytes() == (
            tmp_path / "s" / "sessions" / "one" / name
        ).read_bytes()
    store.set_head(None)
    backup(store, str(tmp_path / "b"))
    assert Store(copy.path).head() is None


def test_what_was_deleted_stays_and_what_has_another_history_goes_to_the_trash(store, tmp_path):
    backup(store, str(tmp_path / "b"))
    store.delete_session("other")
    store.delete_session("child")
    put(store.create_session(session_id="other"), "y", b"another history\n")
    done = backup(store, str(tmp_path / "b"))
    assert [(one.session_id, one.outcome) for one in done.sessions] == [("other", Outcome.REPLACED)]
    found = contents(tmp_path / "b")
    assert sorted(found) == ["child", "one", "other"] and list(found["other"][0]) == ["y"]
    (trashed,) = (tmp_path / "b" / "trash").iterdir()
    assert trashed.name.startswith("other@") and damage_in(tmp_path / "b") == []


def test_the_parent_of_a_fork_that_only_the_backup_has_can_be_replaced(store, tmp_path):
    backup(store, str(tmp_path / "b"))
    had = contents(tmp_path / "b")["child"][0]
    store.delete_session("child")
    store.delete_session("one")
    put(store.create_session(session_id="one"), "y", b"another history\n")
    backup(store, str(tmp_path / "b"))
    assert contents(tmp_path / "b")["child"][0] == had and damage_in(tmp_path / "b") == []


def test_a_backup_that_is_ahead_is_left_alone(store, tmp_path):
    backup(store, str(tmp_path / "b"))
    put(Store(str(tmp_path / "b")).session("other"), "there", b"only there\n")
    done = backup(store, str(tmp_path / "b"))
    assert [(one.session_id, one.outcome) for one in done.sessions] == [("other", Outcome.AHEAD)]
    assert "there" in contents(tmp_path / "b")["other"][0]


def test_what_is_damaged_is_named_and_never_copied_over_a_good_object(store, tmp_path):
    file = object_file(store, b"of the other\n")
    backup(store, str(tmp_path / "b"))
    flip(file.path)
    assert backup(store, str(tmp_path / "b")).is_whole and damage_in(tmp_path / "b") == []
    os.truncate(file.path, 3)  # it looks different from the copy now
    done = backup(store, str(tmp_path / "b"))
    assert damage_in(tmp_path / "b") == [] and [one.where for one in done.damaged] == []
    fresh = backup(store, str(tmp_path / "fresh"))
    assert not fresh.is_whole and file.oid in " ".join(one.message for one in fresh.damaged)
    assert sorted(contents_without(tmp_path / "fresh", "other")) == ["child", "one"]
    list(repair(store, others=[Store(str(tmp_path / "b"))]))
    assert backup(store, str(tmp_path / "fresh")).is_whole and damage_in(tmp_path / "fresh") == []


def contents_without(path, session_id):
    Store(str(path)).delete_session(session_id)
    return contents(path)


def test_what_is_damaged_in_the_backup_is_put_right_where_its_length_says_so(store, tmp_path):
    file = object_file(store, b"of the other\n")
    backup(store, str(tmp_path / "b"))
    there = file.path.replace(f"{tmp_path}/s/", f"{tmp_path}/b/")
    os.chmod(there, 0o644)
    os.truncate(there, 0)
    assert backup(store, str(tmp_path / "b")).object_count == 1
    assert damage_in(tmp_path / "b") == []


def test_a_damaged_log_is_copied_as_far_as_it_is_good_and_never_over_more(store, tmp_path):
    session = store.session("other")
    for number in range(20):
        session.values.set("k", number)
    backup(store, str(tmp_path / "b"))
    path = tmp_path / "s" / "sessions" / "other" / "log"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    store = Store(store.path)
    backup(store, str(tmp_path / "b"))
    assert contents(tmp_path / "b")["other"][1] == {"k": 19}
    fresh = backup(store, str(tmp_path / "fresh"))
    (other,) = [one for one in fresh.sessions if one.session_id == "other"]
    assert other.outcome is Outcome.NEW and "is damaged" in other.message and not fresh.is_whole
    assert 0 < contents(tmp_path / "fresh")["other"][1]["k"] < 19 and damage_in(tmp_path / "fresh") == []


def test_a_torn_tail_is_not_copied(store, tmp_path):
    with open(tmp_path / "s" / "sessions" / "other" / "log", "ab") as log:
        log.write(b'{"seq":2,"time"')
    backup(store, str(tmp_path / "b"))
    assert contents(tmp_path / "b") == contents(tmp_path / "s") and list(check(Store(str(tmp_path / "b")))) == []


def test_places_that_no_backup_can_be_made_at(store, tmp_path):
    Store.create(str(tmp_path / "another"))
    with pytest.raises(OtherStore, match="is no backup of"):
        backup(store, str(tmp_path / "another"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(StoreExists, match="not empty"):
        backup(store, str(tmp_path / "full"))
    for place in ("s", "s/objects/x", "s/../s", "."):
        with pytest.raises(Entangled):
            backup(store, str(tmp_path / place))
    (tmp_path / "link").symlink_to(tmp_path / "s" / "tmp")
    with pytest.raises(Entangled):
        backup(store, str(tmp_path / "link"))
    with pytest.raises(NotFound):
        clone(str(tmp_path / "nothing"), str(tmp_path / "c"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAStore):
        clone(str(tmp_path / "empty"), str(tmp_path / "c"))
    with pytest.raises(NotEmpty):
        clone(store.path, str(tmp_path / "full"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "empty", "full", "link", "s"]


def test_a_store_from_before_there_were_ids_gets_one(store, tmp_path):
    (tmp_path / "s" / "id").unlink()
    assert backup(store, str(tmp_path / "b")).is_whole
    assert (tmp_path / "b" / "id").read_text() == (tmp_path / "s" / "id").read_text()


def test_clones_and_restored_stores(store, tmp_path):
    (tmp_path / "s" / "hooks" / "post-session-create").write_text("#!/bin/sh\n")
    backup(store, str(tmp_path / "b"))
    (tmp_path / "c").mkdir()
    assert clone(str(tmp_path / "b"), str(tmp_path / "c")).is_whole
    assert restore_store(str(tmp_path / "b"), str(tmp_path / "r")).is_whole
    ids = {name: (tmp_path / name / "id").read_text() for name in "sbcr"}
    assert ids["s"] == ids["b"] == ids["r"] != ids["c"]
    assert [len(os.listdir(tmp_path / name / "hooks")) for name in "cr"] == [0, 1]
    for name in "cr":
        assert contents(tmp_path / name) == contents(tmp_path / "s") and damage_in(tmp_path / name) == []
    assert backup(Store(str(tmp_path / "r")), str(tmp_path / "b")).object_count == 0


class Interrupted(Exception):
    """Stands for a kill."""


def test_an_interrupted_clone_goes_on_where_it_was(store, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(whole.files, "copy_head", interrupt)
        with pytest.raises(Interrupted):
            clone(store.path, str(tmp_path / "c"))
    assert not (tmp_path / "c").exists() and contents(tmp_path / "c.unfinished") == contents(tmp_path / "s")
    assert clone(store.path, str(tmp_path / "c")).object_count == 0
    assert contents(tmp_path / "c") == contents(tmp_path / "s") and not (tmp_path / "c.unfinished").exists()


def interrupt(*_args):
    raise Interrupted


class SmallDisk(OsDisk):
    """A disk on which so many more bytes can be written."""

    left = 1 << 60

    def write(self, fd, data):
        self.take(len(data))
        return os.write(fd, data)

    def pwrite(self, fd, data, offset):
        self.take(len(data))
        return os.pwrite(fd, data, offset)

    def take(self, count):
        if count > SmallDisk.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        SmallDisk.left -= count


@pytest.mark.parametrize("free", [0, 3_000, 60_000, 2_200_000])
def test_a_full_disk_leaves_a_whole_store_and_the_next_run_goes_on(store, tmp_path, monkeypatch, free):
    had = backup_of_one(store, tmp_path)
    monkeypatch.setattr("sessionfs.store.store.disk_at", lambda path: SmallDisk())
    monkeypatch.setattr(SmallDisk, "left", free)
    with pytest.raises(NoSpace):
        backup(store, str(tmp_path / "b"))
    monkeypatch.setattr(SmallDisk, "left", 1 << 60)
    assert damage_in(tmp_path / "b") == []
    assert contents(tmp_path / "b")["one"] == had
    assert backup(store, str(tmp_path / "b")).is_whole
    assert contents(tmp_path / "b") == contents(tmp_path / "s") and damage_in(tmp_path / "b") == []


def backup_of_one(store, tmp_path):
    """Make a backup, then let much be new."""
    backup(store, str(tmp_path / "b"))
    had = contents(tmp_path / "b")["one"]
    new = store.create_session(session_id="new")
    put(new, "large", os.urandom(2 << 20))
    for number in range(10):
        put(new, str(number), os.urandom(5000))
    append(store, new, "growing", 3)
    return had


def test_a_destination_that_cannot_be_written(store, tmp_path, monkeypatch):
    backup(store, str(tmp_path / "b"))
    put(store.session("one"), "new", b"new\n")
    monkeypatch.setattr("sessionfs.store.store.disk_at", lambda path: RefusingDisk("it is on a disk that is only read"))
    with pytest.raises(ReadOnlyStore):
        backup(store, str(tmp_path / "b"))
    monkeypatch.undo()
    assert damage_in(tmp_path / "b") == [] and backup(store, str(tmp_path / "b")).is_whole


def test_gc_waits_for_a_backup(store, tmp_path, monkeypatch):
    seen = []

    def collect_meanwhile(*_args):
        with pytest.raises(locks.LockHeld, match="process"):
            collect(Store(store.path), grace_ns=0)
        seen.append(True)

    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(locks.acquire, "__kwdefaults__", {"wait_seconds": 0.01})
    monkeypatch.setattr(whole.files, "copy_head", collect_meanwhile)
    backup(store, str(tmp_path / "b"))
    assert seen == [True]
    collect(Store(store.path), grace_ns=0)


def test_sessions_that_are_deleted_or_forked_while_they_are_copied(store, tmp_path, monkeypatch):
    copy_all = whole.ObjectCopying.copy_all
    other = Store(store.path)

    def busy(copying):
        if "late" not in other.session_ids():
            other.fork_session("child", session_id="late")
            other.delete_session("one")
        copy_all(copying)

    monkeypatch.setattr(whole.ObjectCopying, "copy_all", busy)
    assert backup(store, str(tmp_path / "b")).is_whole
    assert contents(tmp_path / "b") == contents(tmp_path / "s") and damage_in(tmp_path / "b") == []
