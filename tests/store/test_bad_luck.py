"""A lock whose holder is stopped, an object that may not be read, a clock that goes back: said clearly, got over."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sessionfs
from sessionfs import locks
from sessionfs.cli import main
from sessionfs.durable import OsDisk
from sessionfs.errors import Conflict, Error
from sessionfs.fsck import check
from sessionfs.oid import hash_bytes
from sessionfs.retention.gc import collect
from sessionfs.store.store import Store

BOUND_SECONDS = 0.2

HOLDER = """
import fcntl, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    Store.create(str(tmp_path / "s"))
    made = Store(str(tmp_path / "s"))
    session = made.create_session(session_id="one")
    session.artifacts.put("f", made.objects.put_bytes(b"first"))
    session.artifacts.put("g", made.objects.put_bytes(b"other"))
    yield made
    made.close()


# Stopped holders


@pytest.fixture
def hold(monkeypatch):
    """Lets a process take a lock and be stopped; the others wait a fifth of a second for it, and not half a minute.

    To be asked for before a store is made.
    """
    holders = []

    def take(path: str) -> subprocess.Popen[str]:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout.readline() == "held\n"
        while Path(f"/proc/{holder.pid}/stat").read_text().split()[2] != "T":
            time.sleep(0.001)
        return holder

    monkeypatch.setattr(
        OsDisk, "lock", staticmethod(lambda fd, what: locks.acquire(fd, what, wait_seconds=BOUND_SECONDS))
    )
    yield take
    for holder in holders:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_who_waits_for_a_stopped_process_is_told_which_one_it_is(hold, store):
    session = store.session("one")
    log = session.log.path
    holder = hold(log)
    begin = time.monotonic()
    with pytest.raises(Conflict, match=rf"{log} is locked: process {holder.pid} has held it for 0.2 s; see whether"):
        session.values.set("key", 1)
    assert BOUND_SECONDS <= time.monotonic() - begin < 60
    assert "key" not in session.fold.state.keys()  # noqa: SIM118
    assert store.session("one").tree.find("f").version == 1  # readers do not wait
    words = ("state", "set", "one", "key", "1")
    stderr = io.StringIO()
    assert main(words, {"SESSIONFS_STORE": store.path}, io.StringIO(), io.StringIO(), stderr) == 5
    assert f"process {holder.pid}" in stderr.getvalue()
    os.kill(holder.pid, signal.SIGKILL)  # no lock survives its process
    holder.wait()
    session.values.set("key", 2)
    assert Store(store.path).session("one").fold.state.get("key") == 2
    assert list(check(store)) == []


def test_gc_and_sessions_go_on_when_a_stopped_process_goes_on(hold, store):
    holder = hold(f"{store.layout.locks}/collecting")
    with pytest.raises(Conflict, match=f"process {holder.pid}"):
        collect(store)
    store.session("one").values.set("key", 1)  # which has nothing to do with that
    os.kill(holder.pid, signal.SIGCONT)
    holder.wait()
    assert collect(store).trashed_count == 0


# One object that may not be read


class Forbidding(OsDisk):
    """Does not open what *forbidden* is in the path of."""

    forbidden = ""

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:  # type: ignore[override]
        if self.forbidden and self.forbidden in path:
            raise PermissionError(13, "Permission denied", path)
        return os.open(path, flags, mode)


@pytest.mark.parametrize("length", [5, 50_000])
def test_an_object_that_may_not_be_read_is_named_and_the_others_are_read(store, length):
    content = b"x" * length
    oid = store.objects.put_bytes(content).oid
    session = store.session("one")
    session.artifacts.put("secret", store.objects.put_bytes(content))
    disk = Forbidding()
    opened = Store(store.path, disk=disk)
    disk.forbidden = oid[2:]
    with pytest.raises(Error, match="Permission denied"):
        opened.objects.read(oid)
    tree = opened.session("one").tree
    assert opened.objects.read(tree.find("f").oid) == b"first"
    opened.session("one").values.set("key", 1)
    (fault,) = (fault for fault in check(opened, jobs=1) if fault.is_damage)
    assert (fault.kind, fault.oid, fault.touched[0].session_id) == ("unreadable-object", oid, "one")
    disk.forbidden = ""
    assert opened.objects.read(oid) == content
    assert [fault for fault in check(opened, jobs=1) if fault.is_damage] == []


# A clock that goes back


def test_a_clock_that_goes_back_takes_nothing_away(tmp_path):
    path = str(tmp_path / "s")
    Store.create(path)
    now = [1_795_214_641_000_000_000]
    store = Store(path, clock=lambda: now[0])
    session = store.create_session(session_id="one")
    for day in (0, -1, 5, -400, 2):
        now[0] += day * 86_400 * 1_000_000_000
        session.artifacts.put("f", store.objects.put_bytes(b"%d" % day))
        session.save()
        collect(store)
    times = [record.time for _, record in session.records()]
    assert times == sorted(times)
    again = Store(path).session("one")
    assert again.tree.find("f").version == 5
    with sessionfs.open(path, background_sync=False) as api:
        contents = [version.read_bytes() for version in api.sessions["one"].versions("f")]
    assert contents == [b"0", b"-1", b"5", b"-400", b"2"]
    assert [fault for fault in check(Store(path)) if fault.is_damage] == []
    assert hash_bytes(b"5") in {file.oid for file in store.objects.list()}
