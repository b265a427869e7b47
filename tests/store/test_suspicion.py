"""The first opening after a power cut: what a cut can leave of a store in relaxed mode is found, and settled."""

from __future__ import annotations

import os
import shutil

import pytest

from sessionfs.durable import OsDisk
from sessionfs.durable.read_only import ReadOnlyDisk
from sessionfs.errors import Corrupt, NotFound
from sessionfs.fsck import check
from sessionfs.oid import hash_bytes
from sessionfs.refs import newest, update
from sessionfs.store.store import Store
from sessionfs.store.synced import RENEWED_NS

MINUTE_NS = 60 * 10**9
TEXT = b"a line of text\n" * 5000


class Rebooted(OsDisk):
    """The disk of a machine that has been started anew."""

    def boot_id(self):
        return "another-boot"


class RebootedReadOnly(ReadOnlyDisk):
    def boot_id(self):
        return "another-boot"


@pytest.fixture
def store(tmp_path):
    """A store with a session that is a minute old; what is written from now on is suspect after a reboot."""
    path = str(tmp_path / "s")
    Store.create(path)
    now_ns = OsDisk().now_ns()
    made = Store(path, clock=lambda: now_ns - MINUTE_NS)
    session = made.create_session(session_id="old")
    session.artifacts.put("kept", made.objects.put_bytes(b"kept"))
    made.close()
    for file in made.objects.list():
        os.utime(file.path, ns=(now_ns - MINUTE_NS, now_ns - MINUTE_NS))
    made.synced.write(made.disk.boot_id(), now_ns - MINUTE_NS // 2)
    return Store(path)


def reboot(store, disk=None):
    return Store(store.path, disk=disk if disk is not None else Rebooted())


def path_of(store, data):
    return next(file.path for file in store.objects.list() if file.oid == hash_bytes(data))


def overwrite(path, content):
    status = os.stat(path)
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def aside(store):
    (directory,) = [name for name in os.listdir(store.layout.trash) if name.startswith("+power-cut@")]
    return sorted(os.listdir(f"{store.layout.trash}/{directory}"))


def damage(store):
    return [fault for fault in check(store) if fault.is_damage]


DAMAGES = {
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "torn": lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
    "short": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("data", [b"small", TEXT], ids=["raw", "lz4"])
@pytest.mark.parametrize("how", DAMAGES)
def test_a_session_ends_before_the_record_whose_object_is_damaged(store, how, data):
    session = store.session("old")
    session.artifacts.put("first", store.objects.put_bytes(b"first"))
    whole = session.log.position
    session.artifacts.put("second", store.objects.put_bytes(data))
    session.artifacts.put("third", store.objects.put_bytes(b"third"))
    path = path_of(store, data)
    with open(path, "rb") as file:
        overwrite(path, DAMAGES[how](file.read()))
    after = reboot(store)
    assert [node.path for _, node in after.session("old").tree.walk()] == ["first", "kept"]
    assert after.settled.cuts == (("old", whole.seq, 2),)
    assert f"old.log-from-{whole.offset}" in aside(store)
    assert damage(after) == []
    lines = list(after.session("old").records(whole.seq))
    assert [record.type for _, record in lines] == ["warning.raised"]
    assert str(after.settled.directory) in lines[0][0].decode()
    assert str(whole.seq) in str(after.settled)
    stored = after.objects.put_bytes(data)
    assert after.objects.read(stored.oid) == data
    assert damage(after) == []


def test_whole_lines_behind_a_hole_are_cut_off_with_it(store):
    session = store.session("old")
    whole = session.log.position
    session.artifacts.put("second", store.objects.put_bytes(b"second"))
    end = session.log.position.offset
    os.unlink(path_of(store, b"second"))
    session.save()  # its record says that a session is opened from there
    with open(session.log.path, "rb") as file:
        content = file.read()
    overwrite(session.log.path, content[: whole.offset] + bytes(end - whole.offset) + content[end:])
    after = reboot(store)
    assert [node.path for _, node in after.session("old").tree.walk()] == ["kept"]
    assert after.settled.cuts[0][:2] == ("old", whole.seq)
    assert damage(after) == []


def test_an_object_that_is_missing_cuts_the_session_too(store):
    session = store.session("old")
    session.values.set("long", "x" * 9000)
    os.unlink(path_of(store, b'"' + b"x" * 9000 + b'"'))
    after = reboot(store)
    assert [cut.record_count for cut in after.settled.cuts] == [1]
    assert "long" not in after.session("old").fold.state
    assert damage(after) == []


def test_records_that_were_appended_together_go_together(store):
    session = store.session("old")
    session.artifacts.put("a/b/c", store.objects.put_bytes(b"new"))
    os.unlink(path_of(store, b"new"))
    after = reboot(store)
    assert [cut.record_count for cut in after.settled.cuts] == [3]
    assert after.session("old").tree.find("a") is None


def test_a_session_of_which_nothing_is_whole_is_set_aside(store):
    made = store.create_session(session_id="new", description="x" * 70_000)
    os.unlink(path_of(store, bytes(next(record for _, record in made.records()).data_oid and _data(store, made))))
    after = reboot(store)
    with pytest.raises(NotFound):
        after.session("new")
    assert "new" in aside(store)
    assert after.session_ids() == ["old"]
    assert damage(after) == []


def _data(store, session):
    return store.objects.read(next(record for _, record in session.records()).data_oid)


def test_a_checkpoint_whose_snapshot_is_lost_goes_back(store):
    session = store.session("old")
    path = f"{store.layout.refs('old')}/good"
    oid = session.save()
    update(store.disk, store.clock, store.unsynced, store.config.mode, path, oid, actor="me")
    lost = store.session("old")
    lost.artifacts.put("new", store.objects.put_bytes(b"new"))
    newer = lost.save()
    update(store.disk, store.clock, store.unsynced, store.config.mode, path, newer, actor="me")
    os.unlink(path_of_json(store, newer))
    after = reboot(store)
    assert newest(after.disk, path).value == oid
    assert after.settled.refs == ("sessions/old/refs/good",)
    assert damage(after) == []


def path_of_json(store, oid):
    return next(file.path for file in store.objects.list() if file.oid == oid)


def test_a_checkpoint_of_records_that_are_gone_goes_too(store):
    session = store.session("old")
    session.artifacts.put("new", store.objects.put_bytes(b"new"))
    path = f"{store.layout.refs('old')}/good"
    update(store.disk, store.clock, store.unsynced, store.config.mode, path, session.save(), actor="me")
    os.unlink(path_of(store, b"new"))
    after = reboot(store)
    assert newest(after.disk, path) is None
    assert damage(after) == []


def test_a_fork_of_what_is_lost_goes_with_its_own_forks(store):
    parent = store.session("old")
    parent.artifacts.put("new", store.objects.put_bytes(b"new"))
    store.fork_session("old", session_id="child")
    store.fork_session("child", session_id="grandchild")
    store.fork_session("old", session_id="other", at=None)
    os.unlink(path_of(store, b"new"))
    after = reboot(store)
    assert after.session_ids() == ["old"]
    assert {"child", "grandchild", "other"} <= set(aside(store))
    assert damage(after) == []


def test_a_fork_of_what_is_whole_stays(store):
    store.fork_session("old", session_id="child")
    session = store.session("old")
    session.artifacts.put("new", store.objects.put_bytes(b"new"))
    os.unlink(path_of(store, b"new"))
    after = reboot(store)
    assert after.session("child").tree.find("kept")
    assert damage(after) == []


def test_a_parent_that_has_lost_the_record_of_its_fork_is_told_again(store):
    parent = store.session("old")
    position = parent.log.position
    store.fork_session("old", session_id="child")
    os.truncate(parent.log.path, position.offset)
    after = reboot(store)
    after.delete_session("old")
    assert after.session("child").tree.find("kept")
    assert damage(after) == []


def test_a_torn_end_that_looks_like_damage_is_cut_off_when_it_is_young(store):
    session = store.session("old")
    size = session.log.position.offset
    session.record("custom.one", {})
    session.record("custom.two", {})
    session.record("custom.three", {})
    with open(session.log.path, "r+b") as log:
        content = log.read()
        begin = content.index(b"custom.two")
        log.seek(begin)
        log.write(b"CUSTOM")
    after = reboot(store)
    assert after.session("old").damage is None
    assert [record.type for _, record in after.session("old").records(2)] == ["custom.one", "warning.raised"]
    assert after.settled.cuts[0].record_count == 2
    assert size


def test_damage_from_before_is_nobodys_to_cut(store):
    session = store.session("old")
    session.record("custom.young", {})
    with open(session.log.path, "r+b") as log:
        begin = log.read().index(b'"kept"')
        log.seek(begin)
        log.write(b'"KEPT"')
    after = reboot(store)
    assert isinstance(after.session("old").damage, Corrupt)
    assert after.settled.cuts == ()


def test_what_is_older_than_the_last_sync_is_believed(store):
    path = path_of(store, b"kept")
    overwrite(path, b"KEPT")
    after = reboot(store)
    assert after.settled == (None, (), (), ())
    assert after.session("old").tree.find("kept")


def test_the_second_opening_looks_at_nothing(store):
    reboot(store)
    disk = Rebooted()
    store.session("old").artifacts.put("new", store.objects.put_bytes(b"new"))
    overwrite(path_of(store, b"new"), b"NEW")
    assert reboot(store, disk).settled is None


def test_a_copy_is_not_what_a_power_cut_leaves(store, tmp_path):
    session = store.session("old")
    session.artifacts.put("new", store.objects.put_bytes(b"new"))
    os.unlink(path_of(store, b"new"))
    shutil.copytree(store.path, tmp_path / "copy")
    copy = Store(str(tmp_path / "copy"), disk=Rebooted())
    assert copy.settled is None
    assert copy.session("old").tree.find("new")  # fsck names what the copy lacks
    assert Store(str(tmp_path / "copy"), disk=Rebooted()).synced.is_current()


def test_who_may_only_read_believes_no_more(store):
    session = store.session("old")
    for number in range(3):
        session.artifacts.put(f"{number}", store.objects.put_bytes(b"%d" % number * 20_000))
    overwrite(path_of(store, b"1" * 20_000), bytes(20_000))
    before = sorted(os.listdir(store.layout.trash))
    after = reboot(store, RebootedReadOnly())
    assert after.settled is None
    assert sorted(os.listdir(store.layout.trash)) == before
    tree = after.session("old").tree
    with after.objects.open(tree.find("0").oid) as reader:
        assert reader.pread(5, 0) == b"00000"
    with pytest.raises(Corrupt):
        after.objects.open(tree.find("1").oid)
    assert reboot(store).settled.damaged  # and whoever may write settles it


def test_a_store_without_the_file_is_trusted_and_gets_one(store):
    os.unlink(store.layout.synced)
    assert reboot(store).settled is None
    assert Store(store.path, disk=Rebooted()).synced.is_current()


def test_a_file_that_says_nothing_makes_everything_suspect(store):
    overwrite(path_of(store, b"kept"), b"KEPT")
    with open(store.layout.synced, "w") as file:
        file.write("\0\0\0")
    after = reboot(store)
    assert after.settled.damaged == (path_of_name(b"kept"),)
    assert damage(after) == []


def path_of_name(data):
    oid = hash_bytes(data)
    return f"{oid[:2]}/{oid[2:]}"


def test_what_was_written_is_noted_as_synced_every_few_minutes(store):
    before = store.synced.read().since_ns
    session = store.session("old")
    session.record("custom.one", {})
    store.sync()
    assert store.synced.read().since_ns == before
    long_ago = before - RENEWED_NS
    store.synced.write(store.disk.boot_id(), long_ago)
    store.sync()  # nothing was written since
    assert store.synced.read().since_ns == long_ago
    session.record("custom.two", {})
    store.sync()
    assert store.synced.read().since_ns > before


def test_a_clock_that_goes_back_makes_more_suspect_and_never_less(store):
    later = store.disk.now_ns() + 10**12
    store.synced.write(store.disk.boot_id(), later)
    store.session("old").record("custom.one", {})
    store.sync()
    assert store.synced.read().since_ns < later
    store.synced.write(store.disk.boot_id(), later)
    assert Store(store.path).synced.read().since_ns < later
