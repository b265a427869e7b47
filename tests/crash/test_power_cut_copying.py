"""Power cuts while sessions are brought, or a store is copied: the target is whole, and what was reported is there.

The source lies on a real disk, the target on one in memory that keeps only what was synced.
"""

from __future__ import annotations

import shutil

import pytest
from disks import PowerCut, Watched, every_cut
from test_crash_machine import new_disk
from thoroughness import times

from sessionfs.backup.objects import ObjectCopying
from sessionfs.backup.sessions import bring
from sessionfs.backup.whole import copy_store
from sessionfs.errors import Error
from sessionfs.fsck import check
from sessionfs.store.store import Store

STOPS = times(dev=5, ci=12, explore=200)
CUTS = 3

JOBS = {"bring": bring, "copy": lambda source, target: copy_store(source, target, hooks=False)}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "s"
    Store.create(str(path))
    store = Store(str(path))
    one = store.create_session(session_id="one")
    put(one, "a", b"a\n")
    put(one, "large", bytes(range(256)) * 100)
    one.save()
    store.fork_session("one", session_id="two")
    put(store.session("two"), "c", b"c\n")
    store.close()
    return store


def put(session, path, content):
    session.artifacts.put(path, session.objects.put_bytes(content))


@pytest.fixture(params=["relaxed", "full"])
def skeleton(request, tmp_path):
    """What the target has on a real disk: its format and configuration."""
    Store.create(str(tmp_path / "t"))
    (tmp_path / "t" / "config.toml").write_text(f'[durability]\nmode = "{request.param}"\n')
    return str(tmp_path / "t")


def begun(skeleton, source):
    """Return a disk on which the target has the beginning of one session."""
    disk = new_disk(skeleton)
    early = f"{skeleton}-early"
    shutil.copytree(source.path, early, symlinks=True)
    shutil.rmtree(f"{early}/sessions/two")
    with open(f"{early}/sessions/one/log", "r+b") as log:
        lines = log.readlines()
        log.truncate(sum(map(len, lines[:2])))
    bring(Store(early), Store(skeleton, disk=disk))
    shutil.rmtree(early)
    return disk


def run(job, source, skeleton, disk, stop_at=-1, **watch):
    """Run *job* until its call *stop_at*; return the disk, and how many calls there were."""
    watched = Watched(disk, stop_at=stop_at, **watch)
    try:
        JOBS[job](source, Store(skeleton, disk=watched))
    except PowerCut:
        assert stop_at >= 0
    return len(watched.calls)


def look(skeleton, left):
    """Return where each session ends that the target has after a cut; it must be whole."""
    store = Store(skeleton, disk=left)
    assert [fault for fault in check(store) if fault.is_damage] == []
    return {one: store.session(one).log.position for one in store.session_ids() if left.size_at(store.layout.log(one))}


def ends(store):
    return {one: Store(store.path).session(one).log.position for one in store.session_ids()}


@pytest.mark.parametrize("job", JOBS)
def test_a_cut_leaves_the_target_whole_and_it_goes_on(job, source, skeleton):
    wanted = ends(source)
    calls = run(job, source, skeleton, begun(skeleton, source))
    for stop_at in range(0, calls, max(1, calls // STOPS)):
        disk = begun(skeleton, source)
        run(job, source, skeleton, disk, stop_at)
        for left in every_cut(disk, CUTS):
            found = look(skeleton, left)
            assert found["one"].seq >= 2 and all(found[one].seq <= wanted[one].seq + 1 for one in found)
        if found["one"].seq <= wanted["one"].seq and found["one"].chain in chains(source, "one"):
            run(job, source, skeleton, left)
            assert look(skeleton, left) == wanted


def chains(store, session_id):
    return {record.chain for _, record in Store(store.path).session(session_id).records()}


@pytest.mark.parametrize("job", JOBS)
def test_what_was_reported_survives_a_cut(job, source, skeleton):
    disk = begun(skeleton, source)
    run(job, source, skeleton, disk)
    for left in every_cut(disk, 8):
        assert look(skeleton, left) == ends(source)


@pytest.mark.parametrize("job", JOBS)
def test_without_the_barrier_something_is_lost(job, source, skeleton, monkeypatch):
    monkeypatch.setattr(ObjectCopying, "sync", lambda self: None)
    with pytest.raises((AssertionError, Error)):
        test_what_was_reported_survives_a_cut(job, source, skeleton)
        test_a_cut_leaves_the_target_whole_and_it_goes_on(job, source, skeleton)
