"""Filesystems whose locks do not hold are recognised, and a store on one is only read."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from sessionfs import locks
from sessionfs.durable import filesystem
from sessionfs.durable.filesystem import RefusingDisk, filesystem_type, locks_work, why_refused
from sessionfs.errors import Denied, Unsupported
from sessionfs.fsck import check
from sessionfs.store.store import Store

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:5 - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/ada/my\\040disk rw - btrfs /dev/sdb1 rw
32 22 0:42 / /mnt rw - autofs systemd-1 rw
33 22 0:43 / /mnt rw - fuse.sshfs host: rw
34 22 0:44 / /homes rw - tmpfs tmpfs rw
a line that says nothing
"""


@pytest.fixture
def mountinfo(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return str(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/runs", "ext4"), ("/home", "nfs4"), ("/home/bob/runs", "nfs4"), ("/homes/x", "tmpfs"),
        ("/home/ada/my disk/runs", "btrfs"), ("/mnt/x", "fuse.sshfs"), ("/", "ext4"),
    ],
)  # fmt: skip
def test_the_mount_that_a_path_is_on(mountinfo, path, kind):
    assert filesystem_type(path, mountinfo) == kind


def test_nothing_is_known_where_mounts_are_not_listed(tmp_path):
    assert filesystem_type("/", str(tmp_path / "missing")) is None


@pytest.fixture
def anonymous(monkeypatch):
    """What is on no block device, as network filesystems are, and tmpfs."""
    monkeypatch.setattr(filesystem.os, "major", lambda device: 0)


def test_a_network_filesystem_is_refused_with_a_reason(anonymous, tmp_path):
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"1 1 0:40 / {tmp_path} rw - nfs4 server:/ rw\n")
    assert "nfs4, where a lock can be lost" in (why_refused(str(tmp_path), mountinfo=str(mountinfo)) or "")
    mountinfo.write_text(f"1 1 0:40 / {tmp_path} rw - tmpfs tmpfs rw\n")
    assert why_refused(str(tmp_path), mountinfo=str(mountinfo)) is None
    reason = why_refused(str(tmp_path), mountinfo=str(mountinfo), has_locks=lambda directory: False)
    assert reason == "it is on tmpfs where locks (flock) do not work, which keep two writers apart"


def test_a_block_device_of_this_machine_is_not_asked_further(tmp_path):
    def fail(directory):
        raise AssertionError("it was asked")

    if os.major(os.stat(tmp_path).st_dev):
        assert why_refused(str(tmp_path), has_locks=fail) is None


def test_locks_are_tried(tmp_path, monkeypatch):
    assert locks_work(str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", lambda fd, kind: None)  # every one is granted
    assert not locks_work(str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", refuse_with(errno.ENOLCK))
    assert not locks_work(str(tmp_path))


def refuse_with(number):
    def flock(fd, kind):
        raise OSError(number, os.strerror(number))

    return flock


def test_a_lock_that_cannot_be_had_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse_with(errno.EOPNOTSUPP))
    with (tmp_path / "f").open("w") as file, pytest.raises(Unsupported, match="do not work"):
        locks.acquire(file.fileno(), "it")


def test_a_store_there_is_read_and_not_written(tmp_path):
    path = str(tmp_path / "s")
    Store.create(path)
    made = Store(path)
    made.create_session(session_id="one").values.set("key", 1)
    made.close()
    before = {name: os.stat(f"{path}/{name}").st_mtime_ns for name in os.listdir(path)}
    store = Store(path, disk=RefusingDisk("it is on nfs4, where locks are lost"))
    session = store.session("one")
    assert session.fold.state.get("key") == 1
    assert list(check(store)) == []
    for write in (
        lambda: session.values.set("key", 2),
        lambda: store.objects.put_bytes(b"new"),
        lambda: store.create_session(session_id="two"),
        lambda: store.set_head("one"),
    ):
        with pytest.raises(Denied, match="it is on nfs4, where locks are lost"):
            write()
    store.close()
    assert {name: os.stat(f"{path}/{name}").st_mtime_ns for name in os.listdir(path)} == before


def test_no_store_is_made_there(tmp_path, monkeypatch):
    monkeypatch.setattr("sessionfs.store.store.why_refused", lambda path: "it is on nfs4")
    with pytest.raises(Unsupported, match="it is on nfs4; choose a local filesystem"):
        Store.create(str(tmp_path / "s"))
    assert os.listdir(tmp_path / "s") == []
