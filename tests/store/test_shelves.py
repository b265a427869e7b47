"""Archived sessions on shelves: nobody need know, and whoever changes one finds it in its place."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

import sessionfs
from sessionfs.backup.copies import backup as copy_to
from sessionfs.backup.done import Outcome
from sessionfs.backup.sessions import bring
from sessionfs.errors import Corrupt, NotFound
from sessionfs.events.whole import verify
from sessionfs.fsck import check, repair
from sessionfs.oid import hash_bytes
from sessionfs.retention.gc import collect
from sessionfs.retention.repack import repack
from sessionfs.retention.shelve import shelve
from sessionfs.store.shelf import make_end, make_item, read_files, read_rows
from sessionfs.store.store import Store


@pytest.fixture
def api(tmp_path):
    with sessionfs.open(tmp_path / "s", create=True, background_sync=False) as store:
        yield store


def make(api, session_id, count=3):
    session = api.sessions.create(id=session_id, name=f"name of {session_id}", tags=["old"])
    for number in range(count):
        session.artifacts.put("a", b"%s %d" % (session_id.encode(), number))
    session.checkpoints.create("good", message="why")
    session.state["k"] = 1
    session.complete()
    session.archive()
    return session


def in_place(api):
    return sorted(os.listdir(api.core.layout.sessions))


def again(api):
    return sessionfs.open(api.path, background_sync=False)


@pytest.fixture
def shelved(api):
    for number in range(3):
        make(api, f"s{number}")
    api.sessions.create(id="live")
    assert repack(api.core).session_count == 3 and in_place(api) == ["live"]
    return api


def test_everything_is_read_as_before(shelved):
    for store in (shelved, again(shelved)):
        session = store.sessions["s1"]
        assert session.artifacts["a"].read_bytes() == b"s1 2" and session.at("good").artifacts["a"].version == 3
        assert session.status == "archived" and dict(session.state) == {"k": 1}
        assert [version.read_bytes() for version in session.versions("a")] == [b"s1 0", b"s1 1", b"s1 2"]
        assert [event.type for event in session.events()][-1] == "session.archived"
        assert sorted(one.id for one in store.sessions.list()) == ["live", "s0", "s1", "s2"]
        assert store.sessions.resolve("name of s2").id == "s2"
        assert sorted(found.session for found in store.find("name=a")) == ["s0", "s1", "s2"]
        assert len({event.session for event in store.events()}) == 4
        assert verify(store.core, "s0").is_whole and in_place(store) == ["live"]
        assert "s1" in store.sessions and "s7" not in store.sessions
        with pytest.raises(NotFound):
            store.sessions["s7"]
    assert list(check(Store(shelved.path))) == []
    collect(shelved.core, grace_ns=0, trash_grace_ns=0)
    assert shelved.sessions["s2"].artifacts["a"].read_bytes() == b"s2 2"
    assert repack(shelved.core).session_count == 0


def test_who_changes_one_has_it_in_its_place(shelved):
    other = again(shelved)
    watched = other.sessions["s0"]
    assert watched.pins == []
    shelved.sessions["s0"].pin(message="cited")
    assert in_place(shelved) == ["live", "s0"] and [one.message for one in watched.pins] == ["cited"]
    fork = other.sessions["s1"].fork(id="fork")
    assert fork.artifacts["a"].read_bytes() == b"s1 2" and "s1" in in_place(shelved)
    other.sessions["s2"].checkpoints.create("later")
    assert [one.name for one in shelved.sessions["s2"].checkpoints.list()] == ["good", "later"]
    assert list(check(Store(shelved.path))) == []
    assert repack(shelved.core).session_count == 3 and in_place(shelved) == ["fork", "live"]
    assert [one.message for one in again(shelved).sessions["s0"].pins] == ["cited"]
    assert [one.message for one in watched.pins] == ["cited"]
    watched.unpin()
    assert shelved.sessions["s0"].pins == [] and verify(shelved.core, "s0").is_whole


def test_what_was_open_when_it_was_put_on_a_shelf_goes_on(api):
    session = make(api, "s0")
    other = again(api).sessions["s0"]
    assert other.pins == []
    shelve(again(api).core)
    session.pin("a")
    assert [one.path for one in other.pins] == ["a"]
    other.unpin("a")
    assert session.pins == [] and verify(api.core, "s0").is_whole and list(check(Store(api.path))) == []


def test_a_deleted_session_is_gone_and_comes_back(shelved):
    shelved.sessions.delete("s0")
    assert "s0" not in shelved.sessions and "s0" not in again(shelved).sessions
    assert sorted(one.id for one in again(shelved).sessions.list()) == ["live", "s1", "s2"]
    shelved.trash.restore("s0")
    assert shelved.sessions["s0"].artifacts["a"].read_bytes() == b"s0 2"
    shelved.sessions.delete("s0")
    new = shelved.sessions.create(id="s0")
    assert "a" not in new.artifacts and "a" not in again(shelved).sessions["s0"].artifacts
    new.complete()
    new.archive()
    assert repack(shelved.core).session_count == 1
    assert "a" not in again(shelved).sessions["s0"].artifacts and list(check(Store(shelved.path))) == []


def test_worn_shelves_are_put_together(api, monkeypatch):
    from sessionfs.store import shelves

    monkeypatch.setattr(shelves, "_MANY_SMALL", 3)
    reader = again(api)
    for number in range(5):
        make(api, f"s{number}")
        repack(api.core)
    assert len(list(Path(api.core.layout.shelf).glob("*.shelf"))) <= 3
    assert reader.sessions["s0"].artifacts["a"].read_bytes() == b"s0 2"
    for number in range(5):
        assert again(api).sessions[f"s{number}"].artifacts["a"].read_bytes() == b"s%d 2" % number
        api.sessions.delete(f"s{number}")
    repack(api.core)
    assert list(Path(api.core.layout.shelf).glob("*.shelf")) == [] and len(again(api).sessions) == 0
    api.trash.restore("s3")
    assert again(api).sessions["s3"].artifacts["a"].read_bytes() == b"s3 2" and list(check(Store(api.path))) == []


def _make_and_delete_forever(path, number):
    with sessionfs.open(path, background_sync=False) as store:
        for turn in range(1000):
            session = make(store, f"w{number}-{turn}", 1)
            time.sleep(0.001)
            store.sessions.delete(session.id)
            assert session.id not in store.sessions


def test_what_is_deleted_while_it_is_put_on_a_shelf_is_gone(api):
    forked = multiprocessing.get_context("fork")
    writers = [forked.Process(target=_make_and_delete_forever, args=(api.path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        shelve(api.core)
    for writer in writers:
        assert writer.is_alive()  # nothing it deleted was there again
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    assert len(again(api).sessions) <= 2 and [f for f in check(Store(api.path)) if f.is_damage] == []


def test_no_session_can_be_made_under_the_id_of_one_on_a_shelf(shelved):
    with pytest.raises(sessionfs.Conflict):
        shelved.sessions.create(id="s0")
    with pytest.raises(sessionfs.Conflict):
        shelved.sessions["live"].fork(id="s0")
    assert shelved.sessions["s0"].artifacts["a"].read_bytes() == b"s0 2"


def test_a_watcher_hears_nothing_twice(api):
    make(api, "s0")
    with again(api).watch(poll=True) as watch:
        shelve(again(api).core)
        api.sessions["s0"].pin()
        api.sessions.create(id="new")
        heard = [(event.session, event.type) for _, event in zip(range(2), watch, strict=False)]
    assert heard == [("s0", "session.pinned"), ("new", "session.created")]


def test_the_index_reads_nothing_again(shelved):
    assert shelved.find("name=a").count() == 3
    shelved.sessions["s0"].pin()
    assert shelved.find("name=a").count() == 3 and shelved.find_sessions("status=archived").count() == 3
    repack(shelved.core)
    assert again(shelved).find("name=a").count() == 3


def test_damage_on_a_shelf_is_named_and_the_rest_is_read(shelved):
    (path,) = Path(shelved.core.layout.shelf).glob("*.shelf")
    content = path.read_bytes()
    path.chmod(0o644)
    place = content.index(b'["s1"') + 200
    path.write_bytes(content[:place] + b"?" + content[place + 1 :])
    faults = list(check(Store(shelved.path)))
    assert any(fault.kind == "damaged-shelf" and "s1" in fault.message for fault in faults)
    store = again(shelved)
    assert store.sessions["s0"].artifacts["a"].read_bytes() == b"s0 2"
    assert "the shelf" in store.sessions["s1"].info().damage
    with pytest.raises(Corrupt, match="the shelf"):
        store.sessions["s1"].pin()
    # Without its index, a shelf is read item by item.
    path.write_bytes(content[:-30])
    assert sorted(one.id for one in again(shelved).sessions.list()) == ["live", "s0", "s1", "s2"]


def damage_on_shelf(api, session_id, count=40):
    """Change so many bytes of a session on its shelf, or one bit when none are asked for."""
    placed = api.core.disk.shelves.find(session_id)
    os.chmod(placed.path, 0o644)
    with open(placed.path, "r+b") as shelf:
        place = placed.row.start + 200
        content = os.pread(shelf.fileno(), count or 1, place)
        os.pwrite(shelf.fileno(), bytes(byte ^ (255 if count else 1) for byte in content), place)


def repaired(api, *others):
    """Repair, twice, and return what was done the first time: kind of action and place."""
    with again(api) as store:
        done = list(repair(store.core, others=[Store(other) for other in others]))
        assert list(repair(store.core, others=[Store(other) for other in others])) == []
    assert list(check(Store(api.path))) == []
    return [(one.action, one.where) for one in done if not one.where.startswith("shelf/")]


@pytest.fixture
def backup(shelved, tmp_path):
    copy_to(shelved.core, str(tmp_path / "backup"))
    return str(tmp_path / "backup")


def test_a_session_that_is_damaged_on_its_shelf_stops_no_other(shelved, backup, tmp_path):
    damage_on_shelf(shelved, "s1")
    with again(shelved) as store:
        damaged = {one.id: one.info().damage is not None for one in store.sessions.list()}
        assert damaged == {"live": False, "s0": False, "s1": True, "s2": False}
        assert sorted(found.session for found in store.find("name=a")) == ["s0", "s2"]
        done = copy_to(store.core, str(tmp_path / "new"))
        assert [one.session_id for one in done.sessions if not one.is_done] == ["s1"] and not done.is_whole
        with sessionfs.open(tmp_path / "new") as new:
            assert sorted(one.id for one in new.sessions.list()) == ["live", "s0", "s2"]
        assert not copy_to(store.core, backup).is_whole and verify(Store(backup), "s1").is_whole
        (refused,) = bring(Store(backup), store.core, ["s1"]).sessions
        assert refused.outcome is Outcome.REFUSED and "fsck --repair --from" in refused.message
        with pytest.raises(Corrupt, match="nothing was removed"):
            collect(store.core, grace_ns=0, trash_grace_ns=0)
        for session_id in ("s0", "s2"):
            store.sessions.delete(session_id)
        repack(store.core)  # most of the shelf counts no more
        assert "s1" in store.core.disk.shelves.all()
    assert repaired(shelved, backup) == [("restored", "sessions/s1")]


def test_a_damaged_shelf_is_written_anew(shelved, backup):
    (path,) = Path(shelved.core.layout.shelf).glob("*.shelf")
    damage_on_shelf(shelved, "s1", count=0)
    assert repaired(shelved) == [("restored", "sessions/s1")], "a bit is turned back"
    damage_on_shelf(again(shelved), "s2")
    assert sorted(found.session for found in again(shelved).find("name=a")) == ["s0", "s1"]
    assert repaired(shelved, backup) == [("restored", "sessions/s2")]
    for number in range(3):
        session = again(shelved).sessions[f"s{number}"]
        assert session.artifacts["a"].read_bytes() == b"s%d 2" % number and session.at("good").seq < 9
    assert sorted(found.session for found in again(shelved).find("name=a")) == ["s0", "s1", "s2"]
    damage_on_shelf(again(shelved), "s0")
    (dry,) = (one for one in repair(again(shelved).core, dry_run=True) if one.where == "sessions/s0")
    assert dry.action == "lost" and "s0" in again(shelved).sessions
    assert repaired(shelved) == [("lost", "sessions/s0")] and "s0" not in again(shelved).sessions
    assert list(Path(shelved.core.layout.trash).glob(f"+repair@*/{path.name}"))


def test_who_cannot_read_a_session_either_stops_no_repair(shelved, backup):
    damage_on_shelf(shelved, "s1")
    log = Path(backup, "sessions", "s1", "log")
    content = log.read_bytes()
    log.write_bytes(content[:400] + b"?" * 40 + content[440:])
    with again(shelved) as unreadable:
        done = list(repair(Store(backup), others=[unreadable.core]))
    assert done and done[0].action in ("cut", "left")


@pytest.mark.parametrize("places", [[0], [-3], [-3, "s1"], [-3, 0]], ids=["beginning", "index", "item", "all"])
def test_what_is_not_known_to_be_on_a_shelf_is_not_taken_for_nothing(shelved, places):
    (path,) = Path(shelved.core.layout.shelf).glob("*.shelf")
    content = bytearray(path.read_bytes())
    for place in places:
        content[content.index(b'["s1"') + 1 if place == "s1" else place] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    left = {"live", "s0", "s2"} if "s1" in places else {"live"} if len(places) == 2 else {"live", "s0", "s1", "s2"}
    store = again(shelved)
    assert {one.id for one in store.sessions.list()} == left
    for session_id in left - {"live"}:
        assert store.sessions[session_id].artifacts["a"].read_bytes()
    if len(places) == 1:  # the one says what the other would
        collect(store.core, grace_ns=0, trash_grace_ns=0)
        assert repaired(shelved) == [] and not path.exists()
        return
    with pytest.raises(Corrupt, match="nothing was removed"):
        collect(store.core, grace_ns=0, trash_grace_ns=0)
    for session_id in left - {"live"}:
        store.sessions.delete(session_id)
    repack(store.core)
    assert path.exists(), "there may be more on it"
    with again(shelved) as damaged:
        assert ("lost", f"shelf/{path.name}") in [(one.action, one.where) for one in repair(damaged.core)]
    assert repaired(shelved) == [] and not path.exists()


def test_a_shelf_that_somebody_made_up_hangs_nobody():
    row = b'["a",18,-40,"%s",5,[["log",3]]]\n' % (b"0" * 64)
    line = b'index {"not": "rows"}\n'
    for shelf in (
        b"sessionfs shelf 1\n" + row,
        b"sessionfs shelf 1\n" + line + b"end %020d %s\n" % (18, hash_bytes(line).encode()),
    ):
        found = read_rows(lambda length, offset, shelf=shelf: shelf[offset : offset + length], len(shelf))
        assert found.rows == [] and found.damage is not None


def test_a_shelf_reads_back_what_it_was_given():
    items, rows, end = [b"sessionfs shelf 1\n"], [], 18
    sessions = {name: [("log", name.encode() * 999), ("refs/x", b"")] for name in ("b", "a", "c")}
    for name, files in sessions.items():
        row, item = make_item(name, end, 5, files)
        items.append(item)
        rows.append(row)
        end += len(item)
    shelf = b"".join(items) + make_end(rows, end)

    def read(length, offset):
        return shelf[offset : offset + length]

    assert ([row.id for row in read_rows(read, len(shelf)).rows], read_rows(read, len(shelf)).damage) == (
        ["a", "b", "c"],
        None,
    )
    assert all(read_files(read, row) == dict(sessions[row.id]) for row in rows)
    assert read_rows(lambda length, offset: b"", 0).damage is not None


def _shelve_forever(path):
    store = Store(path)
    while True:
        shelve(store)


def test_killed_shelving_beside_changes_loses_nothing(api):
    forked = multiprocessing.get_context("fork")
    chosen = random.Random(6)
    pinned = {}
    for turn in range(8):
        make(api, f"s{turn}")
        child = forked.Process(target=_shelve_forever, args=(api.path,))
        child.start()
        until = time.monotonic() + chosen.random() * 0.1
        while time.monotonic() < until:
            session_id = f"s{chosen.randrange(turn + 1)}"
            session = api.sessions[session_id]
            message = str(chosen.random())
            session.pin(message=message)
            session.checkpoints.create("moved", replace=True, message=message)
            pinned[session_id] = message
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert [fault for fault in check(Store(api.path)) if fault.is_damage] == []
    store = again(api)
    for session_id, message in pinned.items():
        session = store.sessions[session_id]
        assert [one.message for one in session.pins] == [message] and verify(store.core, session_id).is_whole
        assert session.checkpoints["moved"].message == message
