"""Sessions of a store on the real disk, below the API."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest
from bench import Bench, new_disk
from descriptors import count_descriptors
from disks import Watched

from sessionfs.errors import Conflict, Corrupt, InvalidInput, NotFound, Unsupported
from sessionfs.fsck import check
from sessionfs.log import CorruptLog
from sessionfs.sessions import Status
from sessionfs.store.deleted import move_to_trash, trashed_logs
from sessionfs.store.store import Store


@pytest.fixture
def path(tmp_path):
    Store.create(str(tmp_path / "s"))
    return str(tmp_path / "s")


@pytest.fixture
def store(path, clock):
    return Store(path, clock=clock)


@pytest.fixture
def session(store):
    return store.create_session(session_id="x")


def put(session, path, data=b"content"):
    return session.artifacts.put(path, session.objects.put_bytes(data))


# The store


def test_an_interrupted_creation_can_be_gone_on_with(tmp_path):
    (tmp_path / "s" / "objects" / "00").mkdir(parents=True)
    (tmp_path / "s" / "tmp").mkdir()
    Store.create(str(tmp_path / "s"))
    Store(str(tmp_path / "s"))


def test_a_store_is_not_made_where_something_else_is(tmp_path, path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "file").touch()
    (tmp_path / "plain").touch()
    for taken in (path, tmp_path / "foreign", tmp_path / "plain"):
        with pytest.raises(Conflict):
            Store.create(str(taken))
    assert os.listdir(tmp_path / "foreign") == ["file"]
    with pytest.raises(InvalidInput, match="default, guarded"):
        Store.create(str(tmp_path / "new"), profile="none")
    assert not (tmp_path / "new").exists()


def test_a_new_store_is_as_the_design_draws_it(path):
    assert sorted(os.listdir(path)) == sorted(
        ["format", "id", "config.toml", "sessions", "objects", "changed", "hooks", "synced", "tmp", "trash", "locks"]
    )
    assert sorted(os.listdir(f"{path}/objects")) == [f"{number:02x}" for number in range(256)]
    assert os.listdir(f"{path}/tmp") == []


@pytest.mark.parametrize(
    ("file", "text", "kind", "message"),
    [
        ("format", "sessionfs 2\n", Unsupported, "format 2"),
        ("format", "x", Corrupt, "format"),
        ("config.toml", "[limits]\nmax_session = 1", InvalidInput, r"limits\.max_sessions"),
        ("config.toml", "\0", InvalidInput, "TOML"),
    ],
)
def test_a_store_that_is_not_understood_is_not_opened(path, file, text, kind, message):
    os.unlink(f"{path}/{file}")  # one of them is read-only
    with open(f"{path}/{file}", "w") as opened:
        opened.write(text)
    with pytest.raises(kind, match=message):
        Store(path)


# Which session


def test_an_unknown_session_is_not_found(store):
    for call in (store.session, store.resolve, store.delete_session, store.set_head):
        with pytest.raises(NotFound, match="'nobody'"):
            call("nobody")
    with pytest.raises(NotFound, match="nobody"):
        store.create_session(parent="nobody")
    assert store.session_ids() == []


@pytest.mark.parametrize("session_id", ["", "..", "../x", "a/b", ".hidden", "a\0b", "x" * 129])
def test_a_bad_id_is_refused_and_reaches_nothing(store, path, session_id):
    before = sorted(os.listdir(os.path.dirname(path)))
    for call in (store.session, store.delete_session, lambda text: store.create_session(session_id=text)):
        with pytest.raises(InvalidInput, match="session id"):
            call(session_id)
    assert store.session_ids() == [] and sorted(os.listdir(os.path.dirname(path))) == before


def test_a_session_is_found_by_id_prefix_or_name(store):
    for session_id, name in (("alpha", "Same"), ("alpine", "Same"), ("beta", "Only"), ("al", None)):
        store.create_session(session_id=session_id, name=name)
    assert store.resolve("al").id == "al"
    assert store.resolve("alph").id == "alpha"
    assert store.resolve("Only").id == "beta"
    for text in ("alp", "Same"):
        with pytest.raises(InvalidInput, match="alpha, alpine"):
            store.resolve(text)
    for text in ("", "zeta", "only"):
        with pytest.raises(NotFound):
            store.resolve(text)


def test_the_current_session_is_remembered(store, path):
    with pytest.raises(NotFound, match="sessionfs use"):
        store.resolve("@")
    store.create_session(session_id="x")
    store.set_head("x")
    assert Store(path).head() == "x" and Store(path).resolve("@").id == "x"
    store.set_head(None)
    assert Store(path).head() is None


def test_an_id_is_taken_once(store, session):
    before = session.info()
    with pytest.raises(Conflict, match="'x'"):
        store.create_session(session_id="x", name="another")
    assert store.session("x").info() == before


def test_what_a_crash_left_of_a_creation_is_taken_over(store, path):
    os.makedirs(f"{path}/sessions/half")
    open(f"{path}/sessions/half/log", "w").close()
    with pytest.raises(NotFound):
        store.session("half")
    assert store.sessions() == []
    assert store.create_session(session_id="half").info().event_count == 1


# What is kept


def test_everything_survives_a_restart(store, path):
    store.create_session(session_id="parent")
    session = store.create_session(
        session_id="x", name="Name", description="long", tags=["a", "b"], metadata={"k": [1, None]}, parent="parent"
    )
    session.update(name="New name", tags=["c"])
    put(session, "d/f", bytes(20_000))
    session.values.set("key", {"deep": ["x" * 9000]})
    session.fail("the reason")
    expected = session.info()
    found = Store(path).session("x")
    assert found.info() == expected
    assert (expected.name, expected.tags, expected.parent) == ("New name", ("c",), "parent")
    assert (expected.status, expected.reason) == (Status.FAILED, "the reason")
    assert (expected.artifact_count, expected.state_count, expected.size) == (1, 1, 20_000)
    assert expected.stored_size < 1000 and expected.ended_ns == expected.updated_ns > expected.created_ns
    assert found.fold.state.get("key") == {"deep": ["x" * 9000]}
    assert not list(check(Store(path)))


def test_an_update_of_nothing_it_knows_is_refused(session):
    with pytest.raises(InvalidInput):
        session.update(colour="red")
    assert session.info().event_count == 1


def test_every_version_has_an_identity_and_the_artifact_an_inode(session):
    first = put(session, "f", b"1")
    assert (first.id, first.version) == ("x:1", 1)
    second = put(session, "f", b"2")
    assert (second.id, second.version, second.ino) == ("x:2", 2, first.ino)
    put(session, "g", b"3")
    assert session.artifacts.rename("g", "f").version == 3
    assert session.artifacts.copy("f", "h").version == 1


def test_a_long_tail_gets_a_snapshot_and_opening_reads_only_what_follows():
    disk = new_disk()
    session = Bench(disk).create_session()
    for number in range(1200):
        session.record("custom.x", {"number": number})
    session.refresh()
    whole = len(disk.content("/s/sessions/one/log"))
    watched = Watched(disk)
    lengths = []
    pread = disk.pread
    disk.pread = lambda fd, length, offset: lengths.append(len(pread(fd, length, offset))) or pread(fd, length, offset)
    opened = Bench(watched).open_session()
    assert opened.info() == session.info()
    assert any(record.type == "session.saved" for _, record in session.records())
    # The last two possible lines, the record with the snapshot, the snapshot, and the tail.
    assert sum(lengths) < whole * 0.75 + 3 * 65_536
    assert opened.log.position == session.log.position


def test_a_change_long_after_the_newest_snapshot_writes_another_one(tmp_path):
    path = str(tmp_path / "hourly")
    Store.create(path)
    (tmp_path / "hourly/config.toml").write_text('[sessions]\nauto_save_interval = "1h"\n')
    now_ns = 1_795_214_641_000_000_000

    def saved_after(minutes, session):
        nonlocal now_ns
        now_ns += minutes * 60 * 10**9
        session.record("custom.x", {})
        return [record.type for _, record in session.records()].count("session.saved")

    store = Store(path, clock=lambda: now_ns)
    session = store.create_session(session_id="one")
    assert [saved_after(minutes, session) for minutes in (0, 59, 1, 1, 30)] == [0, 0, 1, 1, 1]
    other = Store(path, clock=lambda: now_ns).session("one")
    assert [saved_after(minutes, other) for minutes in (28, 1, 1)] == [1, 2, 2]
    assert [saved_after(minutes, session) for minutes in (1, 60)] == [2, 3]
    now_ns += 10 * 3600 * 10**9
    gone = store.delete_session("one")
    lines = Path(gone, "log").read_text().splitlines()
    assert '"session.deleted"' in lines[-1]


def test_trees_are_shared_between_snapshots(store, session):
    for number in range(30):
        put(session, f"d{number // 10}/e/f{number}")
    session.save()
    before = {file.oid for file in store.objects.list() if file.kind == "tree"}
    put(session, "d1/e/f10", b"changed")
    session.save()
    after = {file.oid for file in store.objects.list() if file.kind == "tree"}
    assert len(before) == 7 and len(after - before) == 3  # d1/e, d1 and the root
    session.save()
    assert {file.oid for file in store.objects.list() if file.kind == "tree"} == after


def test_the_same_directory_is_the_same_tree_whoever_writes_it(store, session, path):
    put(session, "d/f")
    session.save()
    before = {file.oid for file in store.objects.list() if file.kind == "tree"}
    other = Store(path, clock=store.clock).session("x")
    other.artifacts.change("d", description="touched")
    other.artifacts.change("d", description=None)
    other.save()
    trees = {file.oid for file in store.objects.list() if file.kind == "tree"}
    assert len(trees - before) == 1  # the root, for the time of d; what is in d is the same


# Two processes


def test_changes_of_another_process_are_seen_before_ones_own(store, session, path):
    other = Store(path, clock=store.clock).session("x")
    put(other, "f", b"theirs")
    assert put(session, "f", b"mine").version == 2
    assert not session.refresh()
    assert other.refresh()
    assert other.tree.find("f").version == 2
    other.complete()
    with pytest.raises(Exception, match="completed"):
        put(session, "g")


def test_those_who_listen_hear_what_others_did_and_nothing_of_their_own(store, session, path):
    heard = []
    session.foreign = lambda record, applied: heard.append(
        (record.type, applied and applied.node and applied.node.path)
    )
    other = Store(path, clock=store.clock).session("x")
    put(other, "f")
    other.values.set("k", 1)
    put(session, "own")
    session.refresh()
    assert heard == [("artifact.stored", "f"), ("state.changed", None)]


def test_a_deleted_session_goes_to_the_trash_whole(store, session, path):
    put(session, "f")
    other = Store(path).session("x")
    trash = store.delete_session("x")
    assert os.path.dirname(trash) == f"{path}/trash" and os.path.exists(f"{trash}/log")
    for call in (other.refresh, lambda: put(other, "g"), lambda: store.session("x")):
        with pytest.raises(NotFound):
            call()
    again = store.create_session(session_id="x")
    assert again.info().artifact_count == 0


def test_who_deletes_does_not_take_away_what_others_made_in_its_place(store, session, path, monkeypatch):
    """Between the record that says it and the move to the trash, another process may make a session of that id."""
    other = Store(path)
    moved = []

    def move_late(of, session_id):
        if not moved:
            moved.append(True)
            put(other.create_session(session_id="x"), "new")
        return move_to_trash(of, session_id)

    monkeypatch.setattr("sessionfs.store.store.move_to_trash", move_late)
    place = store.delete_session("x")
    assert os.listdir(f"{path}/trash") == [os.path.basename(place)]
    assert [node.name for _, node in Store(path).session("x").tree.walk()] == ["new"]
    put(other.session("x"), "newer")
    assert store.session("x").info().artifact_count == 2


@pytest.mark.parametrize("times_ns", [(5, 5, 5), (7, 6, 5)])
def test_sessions_of_one_id_are_in_the_trash_in_the_order_of_their_deletion(path, times_ns):
    """Also by a clock that stands still, as that of a mount does for milliseconds, or goes back."""
    reasons = ["first", "second", "third"]
    for reason, time_ns in zip(reasons, times_ns, strict=True):
        store = Store(path, clock=itertools.repeat(time_ns).__next__)
        store.create_session(session_id="x")
        store.delete_session("x", reason)
    logs = trashed_logs(store.disk, store.layout, "x")
    assert [json.loads(Path(log).read_text().splitlines()[-1])["data"]["reason"] for log in logs] == reasons


def test_a_session_is_deleted_also_where_a_copy_has_no_trash(store, session, path):
    os.rmdir(f"{path}/trash")
    place = store.delete_session("x")
    assert os.path.exists(f"{place}/log") and os.listdir(f"{path}/sessions") == []
    assert store.create_session(session_id="x").info().artifact_count == 0


def test_more_sessions_than_stay_open_can_be_used(store, path):
    before = count_descriptors()
    ids = [store.create_session().id for _ in range(300)]
    assert store.session_ids() == sorted(ids)
    for session_id in itertools.islice(ids, 0, None, 7):
        put(store.session(session_id), "f")
    assert count_descriptors() - before < 2 * 256 + 20
    store.close()
    assert Store(path).session(ids[0]).info().artifact_count == 1


# Damage


def test_a_damaged_line_makes_the_session_read_only_and_says_where(store, session, path):
    for number in range(4):
        put(session, f"f{number}")
    log = Path(path, "sessions", "x", "log")
    content = bytearray(log.read_bytes())
    offset = [place for place, byte in enumerate(content) if byte == 10][1] + 1
    content[offset + 30] ^= 4
    log.write_bytes(content)
    damaged = Store(path).session("x")
    assert [node.path for _, node in damaged.tree.walk()] == ["f0"]
    assert not damaged.is_writable and f"record 2, at byte {offset}" in damaged.info().damage
    for call in (lambda: put(damaged, "g"), lambda: damaged.values.set("k", 1), damaged.suspend, damaged.save):
        with pytest.raises(CorruptLog) as failure:
            call()
        assert (failure.value.seq, failure.value.offset) == (2, offset)
    assert log.read_bytes() == content
    assert [info.id for info in Store(path).sessions()] == ["x"]


def test_a_torn_head_is_read_and_a_damaged_one_is_named(store, path):
    store.create_session(session_id="x")
    store.set_head("x")
    with open(f"{path}/HEAD", "ab") as file:
        file.write(b"torn")
    assert Store(path).head() == "x"
    with open(f"{path}/HEAD", "ab") as file:
        file.write(b"\n")
    with pytest.raises(Corrupt, match="HEAD is damaged at byte"):
        Store(path).head()
