"""fsck on damaged stores, and what a repair makes of them: each kind of damage by hand."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from sessionfs.fsck import check, repair
from sessionfs.store.aside import REPAIR, Aside
from sessionfs.store.store import Store
from sessionfs.travel.mark import make_checkpoint

NOISE = random.Random(5)
RAW, TEXT = NOISE.randbytes(50_000), b"all is well\n" * 5000


@pytest.fixture
def store(tmp_path, clock):
    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"), clock=clock)
    session = store.create_session(session_id="q4", uid=0, gid=0)
    put(session, "dir/raw", RAW)
    put(session, "dir/text", TEXT)
    put(session, "dir/small", b"small content")
    session.values.set("step", 1)
    session.save()
    put(session, "dir/small", b"newer content")
    put(session, "after", b"after the snapshot")
    store.close()
    return store


@pytest.fixture
def backup(store, tmp_path):
    shutil.copytree(store.path, tmp_path / "backup")
    return Store(str(tmp_path / "backup"))


def put(session, path, data):
    return session.artifacts.put(path, session.objects.put_bytes(data))


def reopened(store):
    return Store(store.path, clock=store.clock)


def faults(store, **options):
    return [fault for fault in check(reopened(store), **options) if fault.is_damage]


def repaired(store, **options):
    done = list(repair(reopened(store), **options))
    again = list(repair(reopened(store), **options))
    assert [one for one in again if one.action != "left"] == [], "a second repair finds nothing to do"
    assert [one for one in done if one.action == "left"] == again
    return done


def content(store, session_id="q4"):
    session = reopened(store).session(session_id)
    return {path: session.objects.read(node.oid) for path, node in session.tree.walk() if node.oid is not None}


def file_of(store, data, suffix=""):
    from sessionfs.oid import hash_bytes

    oid = hash_bytes(data)
    return f"{store.layout.objects}/{oid[:2]}/{oid[2:]}{suffix}"


def of_kind(store, kind):
    return [file.path for file in store.objects.list() if file.kind == kind]


def damage(path, place=0, *, bits=1, length=None):
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        for number in range(bits):
            data[(place + number * 7) % len(data)] ^= 1 << number % 8
        file.seek(0)
        file.write(data[:length])
        file.truncate()


WHOLE = {
    "dir/raw": RAW,
    "dir/text": TEXT,
    "dir/small": b"newer content",
    "after": b"after the snapshot",
}


def test_a_whole_store_has_no_faults_and_nothing_to_repair(store):
    assert faults(store) == faults(store, quick=True) == faults(store, jobs=2) == []
    assert faults(store, session_ids=["q4"]) == []
    before = {path: os.stat(path).st_mtime_ns for path, *_ in os.walk(store.path)}
    assert repaired(store) == []
    assert before.keys() == {path for path, *_ in os.walk(store.path)}


# Objects


@pytest.mark.parametrize(
    ("suffix", "data", "name"), [("", RAW, "dir/raw"), (".lz4", TEXT, "dir/text")], ids=["raw blob", "lz4 frame"]
)
def test_damaged_content_comes_back_from_another_store(store, backup, suffix, data, name):
    damage(file_of(store, data, suffix), 300, bits=3)
    (fault,) = faults(store, others=[backup])
    assert fault.kind == "damaged-object" and fault.oid in file_of(store, data).replace("/", "")
    assert [(use.session_id, use.what.split(",")[0]) for use in fault.touched][:1] == [("q4", name)]
    assert fault.touched[0].what.endswith("version 1") and backup.path in fault.copies[0]
    assert [one.action for one in repaired(store, others=[backup])] == ["restored"]
    assert faults(store) == [] and content(store) == WHOLE


@pytest.mark.parametrize("change", ["remove", "truncate", "empty"])
def test_a_lost_object_comes_back_from_another_store(store, backup, change):
    path = file_of(store, RAW)
    os.remove(path) if change == "remove" else damage(path, length={"truncate": 999, "empty": 0}[change])
    found = faults(store)
    assert found and all(any(use.session_id == "q4" for use in fault.touched) for fault in found)
    assert found[0].kind == ("missing-object" if change == "remove" else "damaged-object")
    assert {one.action for one in repaired(store, others=[backup])} == {"restored"}
    assert faults(store) == [] and content(store) == WHOLE


def test_without_a_copy_the_session_is_cut_back_to_its_last_whole_state(store):
    os.remove(file_of(store, b"newer content"))
    dry = list(repair(reopened(store), dry_run=True))
    assert [one.action for one in dry] == ["cut"] and len(faults(store)) == 1
    done = repaired(store)
    assert [one.action for one in done if one.action != "left"] == ["cut"]
    assert faults(store) == []
    assert content(store) == {"dir/raw": RAW, "dir/text": TEXT, "dir/small": b"small content"}
    session = reopened(store).session("q4")
    *_, (_, last) = session.records()
    assert last.type == "warning.raised" and b"cut off by a repair" in bytes(last.data)
    (aside,) = os.listdir(store.layout.trash)
    assert any("log-from-" in name for name in os.listdir(f"{store.layout.trash}/{aside}"))
    put(session, "new", b"goes on")
    assert faults(store) == []


def test_an_old_version_that_is_lost_cuts_nothing(store):
    damage(file_of(store, b"small content"), bits=5)
    assert {one.action for one in repaired(store)} == {"lost"}
    assert faults(store) == [] and content(store) == WHOLE
    put(reopened(store).session("q4"), "again", b"small content")
    assert faults(store) == [] and content(store)["again"] == b"small content"


def test_one_flipped_bit_in_something_small_is_turned_back(store):
    damage(file_of(store, b"newer content"), 3)
    (done,) = repaired(store)
    assert (done.action, done.message) == ("restored", "blob: one bit of it had flipped")
    assert faults(store) == [] and content(store) == WHOLE


@pytest.mark.parametrize("kind", ["tree", "snapshot"])
@pytest.mark.parametrize("change", ["flip", "remove", "empty"])
def test_trees_and_snapshots_are_made_anew(store, kind, change):
    for path in of_kind(store, kind):
        os.remove(path) if change == "remove" else damage(path, 20, bits=4, length=0 if change == "empty" else None)
    found = faults(store)
    assert any(fault.touched for fault in found) and all(fault.object_kind == kind for fault in found)
    assert {one.action for one in repaired(store)} == {"restored"}
    assert faults(store) == [] and content(store) == WHOLE


def test_damage_in_a_pack(store, backup):
    session = store.session("q4")
    oid = session.tree.find("dir/raw").oid
    lines = RAW
    for number in range(4):
        staged = store.objects.stage(oid)
        staged.append(b"line %d\n" % number)
        oid = session.artifacts.put("grown", staged.finish()).oid
        staged.discard()
        lines += b"line %d\n" % number
    store.close()
    shutil.rmtree(backup.path)
    shutil.copytree(store.path, backup.path)
    (pack,) = [name for name in os.listdir(f"{store.layout.objects}/pack") if name.endswith(".pack")]
    with open(f"{store.layout.objects}/pack/{pack}", "r+b") as file:
        whole = file.read()
        file.seek(whole.index(b"line 2\n"))
        file.write(b"LINE")
    found = faults(store)
    assert {"damaged-pack", "broken-pieces"} <= {fault.kind for fault in found}
    assert any(use.what == "grown, version 3" for fault in found for use in fault.touched)
    done = repaired(store, others=[Store(backup.path)])
    assert {one.action for one in done} == {"restored", "rebuilt"}
    assert faults(store) == [] and content(store) == {**WHOLE, "grown": lines}


# Logs


def log_lines(store):
    with open(store.layout.log("q4"), "rb") as file:
        return file.read().splitlines(keepends=True)


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_flipped_bit_in_a_log_is_turned_back(store, number):
    lines = log_lines(store)
    for place in (5, 40, len(lines[number]) // 2, len(lines[number]) - 40, len(lines[number]) - 2):
        whole = b"".join(lines)
        start = len(b"".join(lines[: number % len(lines)]))
        damage(store.layout.log("q4"), start + place)
        assert {fault.kind for fault in check(reopened(store))} & {"damaged-log", "torn-tail"}
        assert "restored" in {one.action for one in repaired(store)}
        with open(store.layout.log("q4"), "rb") as file:
            assert file.read() == whole
    assert faults(store) == [] and content(store) == WHOLE


def test_the_data_of_an_event_that_are_damaged_are_no_damaged_log(store):
    data = {"text": "".join(NOISE.choices("abcdefgh", k=100_000))}
    store.session("q4").record("custom.large", data)
    store.close()
    damage(max(of_kind(store, "blob"), key=os.path.getmtime), 300, bits=9)
    (fault,) = faults(store, quick=True)
    assert fault.kind == "damaged-object" and [use.what for use in fault.touched] == ["the data of custom.large"]
    assert {one.action for one in repaired(store)} == {"lost"} and faults(store) == faults(store, quick=True) == []


def torn_in_a_group(store):
    """Return the bytes of a log that ends in the middle of records that are appended together."""
    session = store.session("q4")
    with session.writing():
        drafts = [session.draft("custom.step", {"number": number}) for number in range(3)]
        session.append_drafts(drafts, [{"number": number} for number in range(3)])
    store.close()
    return b"".join(log_lines(store)[:-1])


def test_an_append_that_was_cut_off_is_no_flipped_bit(store):
    torn = torn_in_a_group(store)
    with open(store.layout.log("q4"), "r+b") as log:
        log.truncate(len(torn))
    assert [fault.kind for fault in check(reopened(store))] == ["torn-tail"]
    assert repaired(store) == [] and b"".join(log_lines(store)) == torn
    damage(store.layout.log("q4"), 100)
    assert [one.action for one in repaired(store)] == ["restored"]
    assert torn.startswith(b"".join(log_lines(store))) and faults(store) == [] and content(store) == WHOLE


def test_what_is_set_aside_replaces_nothing(store):
    aside = Aside(store, REPAIR, store.clock())
    for content in (b"first", b"second", b"third"):
        aside.keep(content, "q4.log")
    kept = {file.name: file.read_bytes() for file in Path(aside.directory).iterdir()}
    assert kept == {"q4.log": b"first", "q4.log.1": b"second", "q4.log.2": b"third"}


def test_a_damaged_log_is_completed_from_another_store(store, backup):
    put(store.session("q4"), "newest", b"only here")
    store.close()
    lines = log_lines(store)
    damage(store.layout.log("q4"), len(b"".join(lines[:3])) + 50, bits=9)
    assert [one.action for one in repaired(store, others=[backup])] == ["restored"]
    assert log_lines(store) == lines and faults(store) == []


@pytest.mark.parametrize("number", [3, -1], ids=["in the middle", "at the end"])
def test_a_damaged_log_is_cut_and_the_rest_is_kept(store, number):
    lines = log_lines(store)
    number %= len(lines)
    damage(store.layout.log("q4"), len(b"".join(lines[:number])) + 50, bits=9)
    (fault,) = (fault for fault in faults(store) if fault.kind == "damaged-log")
    assert fault.where == f"q4:{number}"
    done = repaired(store)
    assert [one.action for one in done if one.action != "left"] == ["cut"]
    assert faults(store) == [] and log_lines(store)[:number] == lines[:number]
    put(reopened(store).session("q4"), "new", b"goes on")
    assert faults(store) == []


def test_a_snapshot_that_the_log_has_gone_past_is_named_and_replaced(store):
    import msgspec

    from sessionfs.sessions import Moved
    from sessionfs.store import snapshot as snapshots

    session = store.session("q4")
    with session.writing():
        wrong = snapshots.read(session.objects, session.write_snapshot())
        session.values.set("step", 2)
        wrong.state = {}
        oid = session.objects.put_json("snapshot", msgspec.json.encode(wrong, order="sorted"))
        session.append("session.saved", Moved(snapshot=oid), names_snapshot=True)
    store.close()
    found = [fault for fault in faults(store) if fault.kind == "wrong-snapshot"]
    assert found and found[0].oid == oid and "ends before record" in found[0].message
    assert {one.action for one in repaired(store)} == {"rebuilt"}
    assert faults(store) == [] and reopened(store).session("q4").state.get("step") == 2


# Refs


def test_a_garbled_ref(store):
    make_checkpoint(store.session("q4"), "first")
    store.set_head("q4")
    store.close()
    for path in (f"{store.layout.refs('q4')}/first", store.layout.head):
        with open(path, "r+b") as file:
            file.write(b"?!")
    assert {fault.where for fault in faults(store)} == {"sessions/q4/refs/first", "HEAD"}
    done = repaired(store)
    assert {one.where for one in done} == {"sessions/q4/refs/first", "HEAD"}
    assert faults(store) == []


def test_what_is_damaged_elsewhere_is_not_looked_at_with_a_session(store):
    other = store.create_session(session_id="other")
    put(other, "a", b"of the other")
    store.close()
    damage(file_of(store, b"of the other"), bits=9)
    assert faults(store, session_ids=["q4"]) == [] and len(faults(store, session_ids=["other"])) == 1


def test_many_processes_find_what_one_does(store, monkeypatch):
    from sessionfs.fsck import objects

    monkeypatch.setattr(objects, "_MANY_FILES", 1)
    monkeypatch.setattr(objects, "_BATCH_FILES", 2)
    damage(file_of(store, RAW), bits=9)
    os.remove(file_of(store, b"after the snapshot"))
    reached = []
    assert faults(store, jobs=2, progress=lambda *at: reached.append(at)) == faults(store)
    assert reached[-1][0] == reached[-1][1] > 50_000


def test_what_a_cut_parent_had_given_to_its_fork_stays(store):
    put(store.session("q4"), "late", b"late")
    fork = store.fork_session("q4", session_id="fork")
    put(fork, "own", b"own")
    store.close()
    expected = content(store, "fork")
    os.remove(file_of(store, b"newer content"))
    put(reopened(store).session("fork"), "own", b"newer")
    repaired(store)
    assert faults(store) == []
    left = reopened(store)
    assert "q4" in left.session_ids() and "fork" in left.session_ids()
    assert set(content(store, "q4")) == {"dir/raw", "dir/text", "dir/small"}
    assert "late" in expected


def _repair_once(path, other):
    for _ in repair(Store(path), others=[Store(other)]):
        pass


def test_a_killed_repair_is_done_by_the_next(store, backup):
    forked = multiprocessing.get_context("fork")
    for round in range(6):
        for data, suffix in ((RAW, ""), (TEXT, ".lz4"), (b"newer content", "")):
            damage(file_of(store, data, suffix), 7, bits=9)
        for path in of_kind(store, "tree"):
            os.remove(path)
        damage(store.layout.log("q4"), 700, bits=9)
        child = forked.Process(target=_repair_once, args=(store.path, backup.path))
        child.start()
        time.sleep(0.01 + round * 0.015)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        _repair_once(store.path, backup.path)
        assert faults(store) == [] and content(store) == WHOLE


@pytest.mark.parametrize("mode", ["relaxed", "full"])
@pytest.mark.parametrize("added", [0, 1, 3, 40])
def test_who_has_a_session_open_goes_on_after_a_repair_has_cut_it_back(tmp_path, mode, added):
    """Whatever others have appended since, so that the log may be longer than it was: nothing of theirs is cut off."""
    path = str(tmp_path / "s")
    Store.create(path)
    (tmp_path / "s/config.toml").write_text(f'[durability]\nmode = "{mode}"\n')
    mine, others = Store(path).create_session(session_id="x"), Store(path)
    for number in range(20):
        mine.values.set(f"key{number}", number)
    log = tmp_path / "s/sessions/x/log"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:9]) + lines[9][:50] + b"?" + lines[9][51:] + b"".join(lines[10:]))
    for session in (mine, others.session("x")):
        session.refresh()
    assert others.session("x").damage is not None
    assert [step.action for step in repair(Store(path))] == ["cut"]
    assert others.session("x").damage is None
    for number in range(added):
        Store(path).session("x").record("custom.added", {"text": "y" * 37, "number": number})
    mine.values.set("after", 1)
    others.session("x").values.set("after", 2)
    types = [record.type for _, record in Store(path).session("x").records()]
    assert types.count("custom.added") == added
    state = Store(path).session("x").state
    assert state.get("after") == 2 and "key7" in state and "key12" not in state
    mine.refresh()
    assert mine.state.keys() == others.session("x").state.keys() == state.keys()
    assert list(check(Store(path))) == []
