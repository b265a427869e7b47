"""Forks: sessions that begin with what another one's log adds up to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from disks import Watched

from sessionfs.durable import OsDisk
from sessionfs.errors import Conflict, Corrupt, InvalidInput, NotFound
from sessionfs.fsck import check
from sessionfs.log import CorruptLog
from sessionfs.sessions import Status
from sessionfs.store import past
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, resolve_moment


@pytest.fixture
def path(tmp_path):
    Store.create(str(tmp_path / "s"))
    return str(tmp_path / "s")


@pytest.fixture
def store(path, clock):
    return Store(path, clock=clock)


@pytest.fixture
def parent(store):
    parent = store.create_session(
        session_id="parent", name="The first", description="d", tags=["t"], metadata={"k": 1}, uid=5, gid=6
    )
    put(parent, "dir/a", b"one")
    put(parent, "dir/a", b"two")
    parent.values.set("key", {"a": 1})
    return parent


def put(session, path, data=b"content"):
    return session.artifacts.put(path, session.objects.put_bytes(data))


def content(session, path):
    return session.objects.read(session.tree.resolve(path).oid)


def described(session):
    session.refresh()
    fields = ("path", "ino", "id", "version", "oid", "mode", "uid", "gid", "mtime", "ctime", "created_at", "created_by")
    nodes = [[getattr(node, field) for field in fields] for node in [session.tree.root, *_nodes(session)]]
    counts = (session.tree.artifact_count, session.tree.size, session.tree.stored_size)
    return nodes, counts, {key: session.fold.state.get(key) for key in session.fold.state.keys()}  # noqa: SIM118


def _nodes(session):
    return [node for _, node in session.tree.walk()]


def faults(store):
    return [fault for fault in check(Store(store.path)) if fault.is_damage]


def test_a_fork_has_all_that_its_parent_has_and_is_its_child(store, parent):
    child = store.fork_session("parent", session_id="child")
    assert described(child) == described(parent) == described(Store(store.path).session("child"))
    info = child.info()
    assert (info.parent, info.name, info.description, info.tags, info.metadata) == (
        "parent",
        None,
        "d",
        ("t",),
        {"k": 1},
    )
    assert (info.status, info.event_count) == (Status.ACTIVE, 1)
    assert child.tree.resolve("dir/a").id == "parent:3"
    assert faults(store) == []


def test_what_it_inherits_can_be_given_instead(store, parent):
    child = store.fork_session(
        "parent", session_id="child", name="Again", description="other", tags=["x", "y"], metadata={}
    )
    child.refresh()
    info = child.info()
    assert (info.name, info.description, info.tags, info.metadata) == ("Again", "other", ("x", "y"), {})
    for field, value in (("tags", "text"), ("metadata", 5), ("name", ""), ("status", "failed")):
        with pytest.raises(InvalidInput):
            store.fork_session("parent", session_id="bad", **{field: value})
    assert "bad" not in store.session_ids()


def test_each_goes_its_own_way(store, parent):
    child = store.fork_session("parent", session_id="child")
    before = described(parent)
    put(child, "dir/a", b"three")
    put(child, "new")
    child.values.set("key", 2)
    parent.refresh()
    assert described(parent) == before
    assert (child.tree.resolve("dir/a").version, child.tree.resolve("dir/a").id) == (3, "child:1")
    put(parent, "later")
    assert child.tree.find("later") is None
    reopened = Store(store.path).session("child")
    assert described(reopened) == described(child) and content(reopened, "dir/a") == b"three"


def test_a_fork_of_an_earlier_moment_has_what_there_was(store, parent):
    put(parent, "late")
    parent.update(tags=["changed"])
    position = resolve_moment(parent, AfterRecord(2))
    child = store.fork_session("parent", at=position, session_id="child")
    child.refresh()
    assert content(child, "dir/a") == b"one" and child.tree.find("late") is None
    assert (child.info().tags, len(child.fold.state)) == (("t",), 0)


def test_a_fork_of_a_fork_of_a_session_with_snapshots(store, parent):
    for number in range(600):
        put(parent, f"many/{number % 40}", b"%d" % number)
    parent.save()
    put(parent, "after")
    child = store.fork_session("parent", session_id="child")
    for number in range(700):
        put(child, f"more/{number % 30}", b"c%d" % number)
    grandchild = store.fork_session("child", session_id="grandchild")
    put(grandchild, "last")
    for session in (child, grandchild):
        assert described(Store(store.path).session(session.id)) == described(session)
        assert described_from_the_first_record(store, session.id) == described(session)
    assert faults(store) == []


def described_from_the_first_record(store, session_id):
    """Read a session in a copy of the store without any snapshot or tree object."""
    session = Store(store.path, disk=WithoutSnapshots()).session(session_id)
    return described(session)


class WithoutSnapshots(OsDisk):
    def __init__(self):
        super().__init__()
        self.open = self._open

    def _open(self, path, flags, mode=0o666):
        if path.endswith((".snapshot", ".tree")):
            raise FileNotFoundError(2, "left out", path)
        return os.open(path, flags, mode)


def test_a_fork_writes_a_snapshot_of_its_own_when_it_has_become_long(store, parent):
    for number in range(450):
        put(parent, f"p{number}")
    child = store.fork_session("parent", session_id="child")
    for number in range(60):  # with those of the parent more than 500 records to read
        put(child, f"c{number}")
    types = [record.type for _, record in child.records()]
    assert "session.saved" in types
    assert described(Store(store.path).session("child")) == described(child)


def test_a_fork_is_made_without_adding_the_parent_up(store, parent, monkeypatch):
    for number in range(20):
        put(parent, f"p{number}")
    fresh = Store(store.path)
    monkeypatch.setattr(past, "begin", forbidden)
    monkeypatch.setattr("sessionfs.store.fold.Fold.apply", forbidden)
    monkeypatch.setattr("sessionfs.store.fold.Fold.apply_decoded", forbidden)
    size = size_of(store.path)
    fresh.fork_session("parent", session_id="child")
    assert size_of(store.path) - size < 64 << 10


def forbidden(*_):
    raise AssertionError("this costs what the session has")


def size_of(path):
    return sum(
        os.stat(os.path.join(above, name)).st_blocks * 512 for above, _, names in os.walk(path) for name in names
    )


@pytest.mark.parametrize("status", ["suspended", "completed", "failed", "archived"])
def test_sessions_that_cannot_be_written_can_be_forked(store, parent, status):
    steps = {"archived": ["completed", "archived"]}.get(status, [status])
    for step in steps:
        parent.set_status(step)
    child = store.fork_session("parent", session_id="child")
    put(child, "new")
    assert child.status is Status.ACTIVE and content(child, "dir/a") == b"two"
    assert parent.refresh() or parent.status.value == status


def test_the_parent_says_that_it_was_forked(store, parent):
    child = store.fork_session("parent")
    (record,) = [record for _, record in parent.records() if record.type == "session.forked"]
    assert bytes(record.data).decode() == f'{{"child":"{child.id}","seq":5}}'


def test_an_id_that_is_taken_changes_nothing(store, parent):
    store.create_session(session_id="taken")
    before = [line for line, _ in parent.records()]
    with pytest.raises(Conflict):
        store.fork_session("parent", session_id="taken")
    with pytest.raises(InvalidInput):
        store.fork_session("parent", session_id="../up")
    with pytest.raises(NotFound):
        store.fork_session("nobody", session_id="child")
    assert [line for line, _ in parent.records()] == before
    assert store.session_ids() == ["parent", "taken"]


def test_a_deleted_session_cannot_be_forked(store, parent):
    other = Store(store.path)
    other.session("parent")
    store.delete_session("parent")
    for one in (store, other, Store(store.path)):
        with pytest.raises(NotFound):
            one.fork_session("parent")


# When the parent goes


def test_forks_survive_the_deletion_of_what_they_came_from(store, parent):
    for number in range(30):
        put(parent, f"many/{number}")
    child = store.fork_session("parent", session_id="child")
    put(child, "dir/a", b"child")
    grandchild = store.fork_session("child", session_id="grandchild")
    grandchild.suspend()
    early = store.fork_session("parent", at=resolve_moment(parent, AfterRecord(2)), session_id="early")
    expected = {session.id: described(session) for session in (child, grandchild, early)}
    for gone in ("parent", "child"):
        store.delete_session(gone)
        expected.pop(gone, None)
        for session_id, seen in expected.items():
            fresh = Store(store.path)
            assert described(fresh.session(session_id)) == seen
            # Its whole past is still there, from its first record on.
            assert past.fold_at(fresh.session(session_id), resolve_moment(fresh.session(session_id), AfterRecord(0)))
        assert faults(store) == []
    assert Store(store.path).session("grandchild").status is Status.SUSPENDED
    # Another session of the same id is another session.
    put(store.create_session(session_id="parent"), "other")
    assert described(Store(store.path).session("early")) == expected["early"]
    assert faults(store) == []


def test_a_parent_whose_fork_cannot_be_given_what_it_needs_stays(store, parent):
    child = store.fork_session("parent", session_id="child")
    put(child, "a")
    put(child, "b")
    damage(child.log.path)
    with pytest.raises(Conflict, match="child"):
        Store(store.path).delete_session("parent")
    assert content(Store(store.path).session("parent"), "dir/a") == b"two"


def test_a_session_without_forks_is_deleted_without_looking_at_the_others(store, parent):
    store.create_session(session_id="other")
    watched = Watched(OsDisk())
    Store(store.path, disk=watched).delete_session("parent")
    assert not any("other" in where for _, where in watched.calls)


def test_a_damaged_session_can_be_forked_where_it_is_whole(store, parent):
    for number in range(5):
        put(parent, f"p{number}")
    expected = described_after(store, 3)
    damage(parent.log.path)
    broken = Store(store.path)
    position = resolve_moment(broken.session("parent"), AfterRecord(3))
    child = broken.fork_session("parent", at=position, session_id="child")
    assert described(child) == expected
    # It needs nothing of the damaged log: that may be repaired, cut off or deleted.
    os.unlink(parent.log.path)
    assert described(Store(store.path).session("child")) == expected


def described_after(store, seq):
    session = store.session("parent")
    fold = past.fold_at(session, resolve_moment(session, AfterRecord(seq))).fold
    session.fold, live = fold, session.fold
    try:
        return described(session)
    finally:
        session.fold = live


def damage(path):
    with open(path, "r+b") as file:
        lines = file.read().splitlines(keepends=True)
        file.seek(sum(map(len, lines[:-2])) + 20)
        file.write(b"\x01")


# What is found to be wrong


def test_a_fork_that_has_lost_its_beginning_says_so_and_fsck_finds_it(store, parent):
    child = store.fork_session("parent", session_id="child")
    put(child, "own")
    os.rename(store.layout.session("parent"), f"{store.path}/elsewhere")
    fresh = Store(store.path)
    lost = fresh.session("child")
    assert lost.damage is not None and "parent" in str(lost.damage)
    with pytest.raises(Corrupt, match="fork of parent"):
        put(lost, "more")
    assert [fault.kind for fault in faults(store)] == ["lost-beginning"]
    os.rename(f"{store.path}/elsewhere", store.layout.session("parent"))
    assert described(Store(store.path).session("child")) == described(child) and faults(store) == []


def test_fsck_sees_when_the_parent_is_not_what_it_was(store, parent):
    store.fork_session("parent", session_id="child")
    with open(parent.log.path, "r+b") as file:
        file.truncate(file.read().index(b"\n") + 1)
    assert {fault.kind for fault in faults(store)} == {"lost-beginning"}


def test_a_tree_that_is_lost_is_read_from_the_logs_of_both(store, parent):
    parent.save()
    child = store.fork_session("parent", session_id="child")
    put(child, "top")
    child.save()
    for above, _, names in os.walk(f"{store.path}/objects"):
        for name in names:
            if name.endswith(".tree"):
                os.unlink(f"{above}/{name}")
    assert content(Store(store.path).session("child"), "dir/a") == b"two"


# In other processes, and full mode

FORKER = """
import sys
from sessionfs.store.store import Store
store = Store(sys.argv[1])
for number in range(6):
    child = store.fork_session("parent", session_id=f"{sys.argv[2]}-{number}")
    child.artifacts.put("mine", store.objects.put_bytes(b"x"))
"""


def test_forks_while_others_write(store, parent):
    forkers = [subprocess.Popen([sys.executable, "-c", FORKER, store.path, name]) for name in ("one", "two")]
    number = 0
    while any(forker.poll() is None for forker in forkers):
        put(parent, f"w{number}")
        time.sleep(0.001)  # others get their turn
        number += 1
    assert [forker.wait() for forker in forkers] == [0, 0]
    assert len(store.session_ids()) == 13
    for session_id in store.session_ids():
        session = store.session(session_id)
        if session_id == "parent":
            continue
        fork = past.fork_of(session)
        # Exactly what had been written before that record: w0, w1, … without a gap.
        count = session.tree.artifact_count - 2
        assert [f"w{number}" for number in range(count)] == sorted(
            (name for name in session.tree.root.entries() if name.startswith("w")), key=lambda name: int(name[1:])
        )
        assert fork.session == "parent"
    assert faults(store) == []


def test_in_full_mode_the_parents_log_is_safe_before_the_fork_is(tmp_path, path):
    (tmp_path / "s" / "config.toml").write_text('[durability]\nmode = "full"\n')
    watched = Watched(OsDisk())
    store = Store(path, disk=watched)
    parent = store.create_session(session_id="parent")
    put(parent, "a")
    watched.calls.clear()
    store.fork_session("parent", session_id="child")
    assert watched.calls.index(("fdatasync", parent.log.path)) < watched.calls.index(
        ("write", store.layout.log("child"))
    )


def test_a_tree_that_is_lost_is_read_from_the_log_after_the_parent_has_gone(store, parent):
    child = store.fork_session("parent", session_id="child")
    store.delete_session("parent")
    child.refresh()
    put(child, "new/file", b"new")
    before = set(trees(store))
    child.save()
    for path in set(trees(store)) - before:
        os.unlink(path)
    assert content(Store(store.path).session("child"), "new/file") == b"new"


def trees(store):
    for above, _, names in os.walk(f"{store.path}/objects"):
        yield from (f"{above}/{name}" for name in names if name.endswith(".tree"))


def test_fsck_finds_what_a_fork_needs_and_has_lost(store, parent):
    store.fork_session("parent", session_id="child")
    store.delete_session("parent")
    (oid,) = [
        msgspec.json.decode(record.data)["beginning"]
        for _, record in store.session("child").records()
        if record.type == "session.saved"
    ]
    os.unlink(f"{store.path}/objects/{oid[:2]}/{oid[2:]}.snapshot")
    assert {fault.kind for fault in faults(store)} == {"lost-beginning", "missing-object"}


def test_the_id_of_a_fork_is_taken_although_its_records_rest_on_another_log(path, store):
    store.create_session(session_id="parent").artifacts.put("f", store.objects.put_bytes(b"1"))
    store.fork_session("parent", session_id="child").artifacts.put("f", store.objects.put_bytes(b"2"))
    with pytest.raises(Conflict):
        Store(path).create_session(session_id="child")


def test_a_fork_whose_first_record_is_damaged_says_so_and_does_not_blame_its_parent(store):
    store.create_session(session_id="parent")
    store.fork_session("parent", session_id="child")
    store.close()
    log = Path(store.layout.log("child"))
    log.write_bytes(log.read_bytes().replace(b'"offset":', b'"offset":9', 1))  # where in the parent it begins
    again = Store(store.path)
    session = again.session("child")
    assert isinstance(session.damage, CorruptLog) and session.damage.seq == 0
    assert again.session("parent").damage is None
