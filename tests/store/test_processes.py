"""Several processes with several threads each on one session: nothing is lost, and the numbers have no gaps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from sessionfs.durable import OsDisk
from sessionfs.fsck import check
from sessionfs.store.store import Store

WRITER = """
import sys, threading
from sessionfs.store.store import Store

path, process, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = Store(path).session("x")

def write(thread):
    for number in range(count):
        who = f"{process}-{thread}"
        session.artifacts.put(f"{who}/{number}", session.objects.put_bytes(f"{number}".encode()))
        session.values.set(who, number)
        session.artifacts.put("shared", session.objects.put_bytes(who.encode()))

threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize(("mode", "count"), [("relaxed", 25), ("full", 4)])
def test_two_processes_of_four_threads_lose_nothing(tmp_path, mode, count):
    path = str(tmp_path / "s")
    Store.create(path)
    (tmp_path / "s" / "config.toml").write_text(f'[durability]\nmode = "{mode}"\n')
    watching = Store(path).create_session(session_id="x")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(count)]) for name in "ab"]
    while any(writer.poll() is None for writer in writers):
        watching.refresh()  # a reader beside them sees whole states
        assert len(watching.fold.state) <= 8
    assert [writer.wait() for writer in writers] == [0, 0]
    session = Store(path).session("x")
    who = [f"{name}-{thread}" for name in "ab" for thread in range(4)]
    assert {node.path for _, node in session.tree.walk() if node.is_file} == {
        "shared", *(f"{each}/{number}" for each in who for number in range(count))
    }  # fmt: skip
    assert session.tree.find("shared").version == 8 * count
    assert [session.fold.state.get(each) for each in who] == [count - 1] * 8
    records = [record for _, record in session.records()]
    assert [record.seq for record in records] == list(range(len(records)))
    assert [record.time for record in records] == sorted(record.time for record in records)
    watching.refresh()
    assert watching.info() == session.info()
    assert not list(check(Store(path)))


CREATOR = """
import sys
import threading
from sessionfs.errors import Conflict
from sessionfs.store.store import Store

store = Store(sys.argv[1])
for number in range(20):
    try:
        store.create_session(session_id=f"s{number}", name=sys.argv[2])
        print(number)
    except Conflict:
        pass
"""


def test_of_processes_that_create_the_same_session_one_succeeds(tmp_path):
    path = str(tmp_path / "s")
    Store.create(path)
    creators = [
        subprocess.Popen([sys.executable, "-c", CREATOR, path, name], stdout=subprocess.PIPE, text=True)
        for name in "abc"
    ]
    created = [number for creator in creators for number in creator.communicate()[0].split()]
    assert sorted(map(int, created)) == list(range(20))
    assert all(info.event_count == 1 for info in Store(path).sessions())


PUTTER = """
import random, sys
from sessionfs.store.store import Store

objects = Store(sys.argv[1]).objects
for number in range(60):
    data = (b"text %d " % number) * 2000 if number % 2 else random.Random(number).randbytes(20_000)
    print(objects.put_bytes(data).oid)
"""


def test_processes_that_put_the_same_content_share_it_without_an_error(tmp_path):
    path = str(tmp_path / "s")
    Store.create(path)
    putters = [
        subprocess.Popen([sys.executable, "-c", PUTTER, path], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    printed = [putter.communicate()[0].split() for putter in putters]
    assert printed[0] == printed[1] == printed[2] and len(printed[0]) == 60
    store = Store(path)
    assert sorted(printed[0]) == [file.oid for file in store.objects.list()]
    for file in store.objects.list():
        store.objects.verify(file)


def test_a_child_that_was_forked_during_a_sync_does_not_wait_for_its_parent(tmp_path):
    """The thread that syncs is not in the child, and the locks that it holds would never be given back there."""
    in_sync, go_on = threading.Event(), threading.Event()

    class Slow(OsDisk):
        def fdatasync(self, fd):
            if threading.current_thread() is syncing:
                in_sync.set()
                go_on.wait()
            super().fdatasync(fd)

    Store.create(str(tmp_path / "s"))
    store = Store(str(tmp_path / "s"), disk=Slow())
    store.create_session(session_id="x")
    syncing = threading.Thread(target=store.sync)
    syncing.start()
    assert in_sync.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        store.session("x").record("custom.child", {})
        store.sync()
        store.close()
        os._exit(0)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        go_on.set()
        syncing.join()
    assert status == 0
    assert [record.type for _, record in store.session("x").records()][-1] == "custom.child"
