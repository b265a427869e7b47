"""A disk that is full, and one that cannot be written: small filesystems that the tests mount (as root)."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from sessionfs.errors import NoSpace, ReadOnlyStore
from sessionfs.fsck import check
from sessionfs.store.store import Store

MIB = 1 << 20


@pytest.fixture
def mountpoint(tmp_path):
    """A filesystem of 8 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def session(mountpoint):
    Store.create(str(mountpoint / "s"))
    store = Store(str(mountpoint / "s"))
    session = store.create_session(session_id="x")
    session.artifacts.put("kept", store.objects.put_bytes(b"kept"))
    session.store = store
    return session


def everything(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != "filler"
    }


def changes(session):
    """What changes a session, by name."""
    store = session.store
    yield "put", lambda: session.artifacts.put("d/new", store.objects.put_bytes(os.urandom(100_000)))
    yield "make_directory", lambda: session.artifacts.make_directory("e/f")
    yield "copy", lambda: session.artifacts.copy("kept", "copy")
    yield "change", lambda: session.artifacts.change("kept", tags=["t"])
    yield "rename", lambda: session.artifacts.rename("kept", "moved")
    yield "set", lambda: session.values.set("key", "x" * 8000)
    yield "set long", lambda: session.values.set("key", "x" * 100_000)
    yield "update", lambda: session.update(name="n" * 400, description="d" * 10_000)
    yield "record", lambda: session.record("custom.x", {"long": "x" * 50_000})
    yield "save", session.save
    yield "suspend", session.suspend
    yield "create_session", lambda: store.create_session(session_id="new")
    yield "set_head", lambda: store.set_head("x")


@pytest.mark.parametrize("size", [9 * MIB, 3 * MIB])
@pytest.mark.parametrize("way", ["bytes", "stream", "staged"])
def test_content_that_does_not_fit_leaves_nothing(session, mountpoint, way, size):
    before = everything(mountpoint)
    if size < 8 * MIB:
        (mountpoint / "filler").write_bytes(bytes(7 * MIB))
    source = mountpoint.parent / "source"
    source.write_bytes(os.urandom(size))

    def put():
        objects = session.store.objects
        if way == "bytes":
            return objects.put_bytes(source.read_bytes())
        if way == "stream":
            return objects.put_file(source)
        staged = objects.stage()
        try:
            staged.append(source.read_bytes())
            return staged.finish()
        finally:
            staged.discard()

    with pytest.raises(NoSpace, match="free space"):
        put()
    assert everything(mountpoint) == before
    if size < 8 * MIB:
        os.unlink(mountpoint / "filler")
        source.write_bytes(source.read_bytes()[:MIB])
        session.artifacts.put("now", put())
    assert not list(check(session.store))


def fill(mountpoint):
    with open(mountpoint / "filler", "wb", buffering=0) as filler:
        for size in (65_536, 4096, 1):
            try:
                while filler.write(bytes(size)):
                    pass
            except OSError:
                continue


def test_on_a_full_disk_a_change_is_made_whole_or_not_at_all(session, mountpoint):
    fill(mountpoint)
    store = session.store
    refused = 0
    for name, change in changes(session):
        log, before = session.log.path, session.info()
        size = os.path.getsize(log)
        try:
            change()
        except NoSpace:
            refused += 1
            assert (os.path.getsize(log), session.info()) == (size, before), name
        again = Store(store.path).session("x")
        assert again.info() == session.info(), name
        assert store.objects.read(again.tree.resolve("kept" if again.tree.find("kept") else "moved").oid) == b"kept"
        if session.info().status.value == "suspended":
            session.resume()
    assert refused >= 5
    os.unlink(mountpoint / "filler")
    session.artifacts.put("after", store.objects.put_bytes(os.urandom(MIB)))
    assert all(not fault.is_damage for fault in check(Store(store.path)))


def test_a_copy_on_a_full_disk_can_be_read(session, mountpoint):
    session.store.close()
    shutil.copytree(mountpoint / "s", mountpoint / "copy")
    fill(mountpoint)
    copy = Store(str(mountpoint / "copy"))
    assert copy.objects.read(copy.session("x").tree.find("kept").oid) == b"kept"
    os.unlink(mountpoint / "filler")
    assert not copy.synced.is_current() and Store(copy.path).synced.is_current()


def test_a_read_only_store_is_read_and_every_change_is_denied(session, mountpoint):
    session.store.close()
    before = everything(mountpoint)
    subprocess.run(["mount", "-o", "remount,ro", mountpoint], check=True)
    for opened in (session.store, Store(session.store.path)):
        again = opened.session("x")
        again.store = opened
        assert opened.objects.read(again.tree.find("kept").oid) == b"kept"
        assert [info.id for info in opened.sessions()] == ["x"] and opened.head() is None
        for name, change in changes(again):
            with pytest.raises(ReadOnlyStore):
                change()
                pytest.fail(name)
        with pytest.raises(ReadOnlyStore):
            opened.delete_session("x")
        with pytest.raises(ReadOnlyStore):
            Store.create(str(mountpoint / "new"))
        assert not list(check(opened))
        opened.close()
    assert everything(mountpoint) == before
