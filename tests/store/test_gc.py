"""Garbage collection and the trash: what goes, what stays, what comes back."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time

import pytest

import sessionfs
from sessionfs.durable import write_all
from sessionfs.errors import Conflict, Corrupt, NotFound
from sessionfs.fsck import check
from sessionfs.objects import NoSuchObject, ObjectGone
from sessionfs.retention import gc
from sessionfs.retention.gc import collect, empty_trash
from sessionfs.retention.marking import Mark
from sessionfs.retention.repack import repack
from sessionfs.retention.trash import find, list_trash, restore
from sessionfs.store.store import Store
from sessionfs.travel import mark
from sessionfs.travel.moment import AfterRecord

DAY_NS = 86_400 * 10**9
ENDED = 4_194_305  # no process has this number: it is above the kernel's limit
OLD = b"nobody needs this"


@pytest.fixture
def store(tmp_path):
    Store.create(str(tmp_path / "s"))
    return Store(str(tmp_path / "s"))


@pytest.fixture
def session(store):
    session = store.create_session(session_id="q4")
    for number in range(3):
        put(session, f"d/{number}", b"content %d" % number)
    session.values.set("large", "x" * 100_000)
    session.record("custom.large", {"text": "y" * 100_000})
    session.save()
    return session


def put(session, path, data):
    return session.artifacts.put(path, session.objects.put_bytes(data))


def grow(session, path, count):
    """Store *count* versions of an artifact by appending to it: pieces, in a pack."""
    oid = put(session, path, random.Random(4).randbytes(9000)).oid
    for number in range(count):
        staged = session.objects.stage(oid)
        staged.append(b"line %d\n" % number)
        oid = session.artifacts.put(path, staged.finish()).oid
        staged.discard()
    return oid


def age(store, days=30):
    """Make every object older."""
    for path, _, names in os.walk(store.layout.objects):
        for name in names:
            then = time.time() - days * 86_400
            os.utime(f"{path}/{name}", (then, then))


def oids(store):
    return {file.oid for file in store.objects.list()}


def test_what_is_needed_stays_and_the_rest_goes_in_two_steps(store, session):
    grow(session, "grown", 5)
    needed = oids(store)
    garbage = store.objects.put_bytes(OLD).oid
    in_pack = grow_garbage(store)
    age(store)
    dry = collect(store, dry_run=True)
    assert oids(store) == needed | {garbage, *in_pack} and list(list_trash(store)) == []
    done = collect(store)
    assert done.trashed_count == dry.trashed_count > 1 and done.deleted_count == 0
    assert garbage not in oids(store) and needed <= oids(store)
    (trashed,) = list_trash(store)
    assert trashed.kind == "objects" and trashed.file_count == done.trashed_count
    assert collect(store).trashed_count == 0 and len(list(list_trash(store))) == 1
    later = Store(store.path, clock=lambda: time.time_ns() + 20 * DAY_NS)
    done = collect(later, grace_ns=100 * DAY_NS)
    assert done.deleted_count == trashed.file_count and list(list_trash(store)) == []
    with pytest.raises(NoSuchObject):
        store.objects.read(garbage)
    assert list(check(Store(store.path))) == []


def grow_garbage(store):
    """Put versions that nobody records, of which a pack has the pieces."""
    before = oids(store)
    oid = store.objects.put_bytes(random.Random(8).randbytes(9000)).oid
    for number in range(40):
        staged = store.objects.stage(oid)
        staged.append(b"garbage line %d\n" % number)
        oid = staged.finish().oid
        staged.discard()
    store.objects.rest()
    return oids(store) - before


def test_what_is_young_stays_with_what_it_names(store, session):
    oid = store.objects.put_bytes(random.Random(1).randbytes(9000)).oid
    age(store)
    staged = store.objects.stage(oid)
    staged.append(b"a tail")
    version = staged.finish().oid
    staged.discard()
    assert collect(store).trashed_count == 0
    assert len(store.objects.read(version)) == 9006


def test_who_reads_what_is_in_the_trash_gets_it_and_it_is_back(store, session):
    oid = store.objects.put_bytes(OLD).oid
    age(store)
    collect(store)
    assert oid not in oids(store) and store.objects.has(oid, "blob")
    assert Store(store.path).objects.read(oid) == OLD and oid in oids(store)


def test_content_that_is_put_before_and_recorded_after_is_not_lost(store, session):
    stored = store.objects.put_bytes(OLD)
    age(store)
    assert collect(Store(store.path)).trashed_count == 1
    session.artifacts.put("again", stored)
    assert stored.oid in oids(store) and list(check(Store(store.path))) == []


def test_content_that_was_deleted_before_it_was_recorded_is_refused(store, session):
    stored = store.objects.put_bytes(OLD)
    age(store)
    collect(store)
    assert empty_trash(store)[0] == 1
    with pytest.raises(ObjectGone, match="put its content again"):
        session.artifacts.put("again", stored)
    put(session, "again", OLD)
    assert list(check(Store(store.path))) == []


def test_nothing_is_deleted_while_somebody_is_stopped_between_looking_and_recording(store, session, monkeypatch):
    from sessionfs import locks

    stored = store.objects.put_bytes(OLD)
    age(store)
    collect(store)
    monkeypatch.setattr(locks.acquire, "__kwdefaults__", {"wait_seconds": 0.05})
    with store.objects.holding([stored.oid]), pytest.raises(Conflict, match="locked"):
        empty_trash(Store(store.path))
    assert store.objects.read(stored.oid) == OLD


def test_what_came_to_be_needed_again_comes_back(store, session):
    oid = store.objects.put_bytes(OLD).oid
    age(store)
    collect(store)
    session_in_trash = store.layout.trashed("x", time.time_ns())
    os.mkdir(session_in_trash)
    with open(f"{session_in_trash}/log", "w") as file:
        file.write(f"it is {oid}")
    assert collect(store).returned_count == 1 and oid in oids(store)


def test_a_session_in_the_trash_keeps_its_objects_and_comes_back(store, session):
    store.delete_session("q4")
    age(store)
    assert collect(store).trashed_count == 0
    trashed = find(store, "q4")
    restore(store, trashed)
    assert store.objects.read(store.session("q4").tree.find("d/1").oid) == b"content 1"
    assert list(check(Store(store.path))) == []
    put(store.session("q4"), "more", b"more")
    with pytest.raises(NotFound, match="trash list"):
        find(store, "q4")
    store.delete_session("q4")
    store.create_session(session_id="q4")
    with pytest.raises(Conflict, match="again"):
        restore(store, find(store, "q4"))


def test_emptying_the_trash_and_then_collecting_frees_the_space(store, session):
    store.delete_session("q4")
    age(store)
    count, _ = empty_trash(store)
    assert count > 0 and list(list_trash(store)) == []
    assert collect(store).trashed_count > 3
    assert empty_trash(store)[0] > 3 and oids(store) == set()


def test_a_fork_keeps_what_its_parent_gave_it(store, session):
    store.fork_session("q4", session_id="fork")
    store.delete_session("q4")
    empty_trash(store)
    age(store)
    collect(store)
    empty_trash(store)
    fork = Store(store.path).session("fork")
    assert {path for path, _ in fork.tree.walk()} == {"d", "d/0", "d/1", "d/2"}
    assert [store.objects.read(node.oid) for _, node in fork.tree.walk() if node.oid] and fork.state.get("large")
    assert list(check(Store(store.path))) == []


def test_nothing_is_removed_while_something_needed_cannot_be_read(store, session):
    oid = store.objects.put_bytes(OLD).oid
    (snapshot,) = [file for file in store.objects.list() if file.kind == "snapshot"]
    os.chmod(snapshot.path, 0o644)
    with open(snapshot.path, "r+b") as file:
        file.write(b"?")
    age(store)
    with pytest.raises(Corrupt, match="repair first"):
        collect(store)
    assert store.objects.read(oid) == OLD


def test_one_at_a_time(store, session, monkeypatch):
    from sessionfs import locks
    from sessionfs.retention.alone import alone

    monkeypatch.setattr(locks.acquire, "__kwdefaults__", {"wait_seconds": 0.05})
    with alone(store), pytest.raises(Conflict, match="gc"):
        collect(Store(store.path))


def test_a_link_leads_nobody_out_of_the_store(store, session, tmp_path):
    victim = tmp_path / "victim"
    (victim / "below").mkdir(parents=True)
    (victim / "below" / "file").write_bytes(b"x")
    long_ago_ns = time.time_ns() - 90 * DAY_NS
    inside = store.layout.trashed("x", long_ago_ns)
    os.mkdir(inside)
    temporary = f"{store.layout.staging}/{ENDED}.1.{'a' * 12}"
    for link in (store.layout.trashed("evil", long_ago_ns), f"{inside}/link", temporary):
        os.symlink(victim, link)
    assert [one.name for one in list_trash(store)] == [os.path.basename(inside)]
    collect(store, grace_ns=0, trash_grace_ns=0)
    assert (victim / "below" / "file").exists() and not os.path.lexists(inside) and not os.path.lexists(temporary)


def test_all_that_processes_that_have_ended_left_goes_at_once(store, session):
    for number in range(2):
        with open(f"{store.layout.staging}/{ENDED}.{number}.{'b' * 12}", "wb") as file:
            file.write(b"half")
    assert sum(fault.kind == "leftover" for fault in check(store)) == 2
    collect(store)
    assert os.listdir(store.layout.staging) == []


def test_a_killed_unbundle_keeps_nothing_from_being_collected(store, session):
    """What it leaves has links to all objects: 64 hex digits in the content of one are no name of another."""
    garbage = store.objects.put_bytes(OLD).oid
    put(session, "list", garbage.encode())
    age(store)
    scratch = f"{store.layout.staging}/bundle-{'c' * 12}"
    os.makedirs(f"{scratch}/sessions/q4")
    with open(f"{scratch}/sessions/q4/log", "wb") as log:
        log.write(b'{"oid":"%s"}\n' % garbage.encode())
    os.symlink("../../objects", f"{scratch}/objects")
    collect(store, grace_ns=0, dry_run=True)
    assert os.path.exists(scratch)
    collect(store, grace_ns=0)
    assert not os.path.lexists(scratch) and not store.objects.is_in_place(garbage) and len(oids(store)) > 3


def test_what_comes_back_out_of_the_trash_makes_its_place(store, session):
    """Who copies a store may leave out directories with nothing in them."""
    several = [store.objects.put_bytes(OLD + b"%d" % number).oid for number in range(2)]
    age(store)
    (trashed,) = [find(store, os.path.basename(collect(store, grace_ns=0).directory or ""))]
    for oid in several:
        with contextlib.suppress(OSError):  # the other one, or something else, lies there, too
            os.rmdir(f"{store.layout.objects}/{oid[:2]}")
    assert store.objects.rescue(several[0])
    assert restore(store, trashed) == 1
    assert [store.objects.read(oid) for oid in several] == [OLD + b"0", OLD + b"1"]
    assert list(list_trash(store)) == []


def _write(path, number, seconds):
    store = Store(path)
    session = store.create_session(session_id=f"w{number}")
    chosen = random.Random(number)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = b"content %d" % chosen.randrange(40)  # nearly always some that is there, and needed by nobody
        stored = store.objects.put_bytes(data)
        if chosen.random() < 0.3:
            session.artifacts.put(f"f{chosen.randrange(5)}", stored)
            assert session.objects.read(stored.oid) == data
        if chosen.random() < 0.05:
            session.save()
    store.close()


@pytest.mark.parametrize("seconds", [float(os.environ.get("GC_STRESS_SECONDS", "1.5"))])
def test_writers_and_gc_in_a_loop(tmp_path, seconds):
    path = str(tmp_path / "s")
    Store.create(path)
    forked = multiprocessing.get_context("fork")
    writers = [forked.Process(target=_write, args=(path, number, seconds)) for number in range(3)]
    for writer in writers:
        writer.start()
    store = Store(path)
    collections = 0
    while any(writer.is_alive() for writer in writers):
        collect(store, grace_ns=0, trash_grace_ns=0)
        collections += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert collections > 2 and list(check(Store(path))) == []


def _collect_forever(path):
    store = Store(path)
    while True:
        collect(store, grace_ns=0, trash_grace_ns=0)


def test_a_killed_gc_loses_nothing(store, session):
    forked = multiprocessing.get_context("fork")
    chosen = random.Random(2)
    for round in range(8):
        for number in range(30):
            store.objects.put_bytes(b"garbage %d %d" % (round, number))
        child = forked.Process(target=_collect_forever, args=(store.path,))
        child.start()
        time.sleep(chosen.random() * 0.06)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        put(session, f"new{round}", b"new %d" % round)
        assert list(check(Store(store.path))) == []


def test_values_and_metadata_may_look_like_records_that_name_objects(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        session = store.sessions.create()
        nobodys = {"oid": "ab" * 32, "snapshot": "ab" * 32, "beginning": "ab" * 32, "new_oid": "ab" * 32}
        session.state["provenance"] = nobodys
        session.artifacts.put("f", b"f", metadata=nobodys)
        session.update(metadata=nobodys)
        assert session.state["provenance"] == nobodys and session.artifacts["f"].metadata == nobodys
        assert list(check(store.core)) == []


def test_a_long_value_is_not_taken_away_between_its_object_and_its_record(tmp_path, monkeypatch):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        session = store.sessions.create()
        append = type(session.core).append_drafts

        def append_late(self, drafts, decoded):
            if drafts[0].type == "state.changed":
                collect(Store(store.path), grace_ns=0)
                empty_trash(Store(store.path))
            return append(self, drafts, decoded)

        monkeypatch.setattr(type(session.core), "append_drafts", append_late)
        with pytest.raises(ObjectGone):
            session.state["long"] = "x" * 20_000
        monkeypatch.undo()
        assert "long" not in session.state
        session.state["long"] = "x" * 20_000
        assert list(check(store.core)) == []


def test_nothing_is_taken_out_of_the_trash_while_gc_fills_or_empties_it(store, session, monkeypatch):
    from sessionfs import locks

    oid = store.objects.put_bytes(OLD).oid
    age(store)
    monkeypatch.setattr(locks.acquire_shared, "__kwdefaults__", {"wait_seconds": 0.05})
    catch_up = Mark.catch_up
    refused = []

    def restore_meanwhile(mark):
        other = Store(store.path)
        (one,) = list_trash(other)
        with pytest.raises(Conflict, match="gc"):
            restore(other, one)
        refused.append(one)
        catch_up(mark)

    monkeypatch.setattr(Mark, "catch_up", restore_meanwhile)
    assert collect(store).trashed_count == 1
    assert restore(store, refused[0]) == 1 and store.objects.is_in_place(oid)
    with pytest.raises(NotFound, match="no longer"):
        restore(store, refused[0])


def test_what_goes_from_a_pack_to_the_trash_is_there_when_it_is_whole(store, session, monkeypatch):
    store.objects.put_bytes(OLD)
    repack(store)
    names = []

    def write(disk, fd, data):
        names.append([name for one in list_trash(store) for name in os.listdir(f"{store.layout.trash}/{one.name}")])
        write_all(disk, fd, data)

    monkeypatch.setattr(gc, "write_all", write)
    monkeypatch.setattr(gc, "_DEAD_SHARE", 0)
    assert collect(store, grace_ns=0).trashed_count == 1
    assert names == [[]] and [one.file_count for one in list_trash(store)] == [1]


def test_gc_waits_for_who_has_written_a_snapshot_that_nothing_names_yet(store, session, monkeypatch):
    from sessionfs import locks

    put(session, "later", b"later")
    fork = store.fork_session("q4", session_id="fork")
    monkeypatch.setattr(locks.acquire, "__kwdefaults__", {"wait_seconds": 0.05})
    refused = []

    def collect_before(act):
        def collect_all(*arguments, **named):
            with pytest.raises(Conflict, match="gc"):
                collect(Store(store.path), grace_ns=0, trash_grace_ns=0)
            refused.append(act)
            return act(*arguments, **named)

        return collect_all

    monkeypatch.setattr(mark, "point_checkpoint", collect_before(mark.point_checkpoint))
    monkeypatch.setattr(type(fork), "save_beginning", collect_before(type(fork).save_beginning))
    mark.make_checkpoint(session, "early", AfterRecord(3))
    store.delete_session("q4")
    assert len(refused) == 2 and list(check(Store(store.path))) == []
