"""SIGKILL of backup, fetch and clone at random moments: what is there is whole, and doing it again completes it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from thoroughness import times

from sessionfs.backup.copies import backup, clone
from sessionfs.backup.sessions import bring
from sessionfs.fsck import check
from sessionfs.store.store import Store

KILLS = times(dev=6, ci=12, explore=300)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A store: its path, and what its sessions hold."""
    path = tmp_path_factory.mktemp("source") / "s"
    Store.create(str(path))
    store = Store(str(path))
    for number in range(4):
        session = store.create_session(session_id=f"s{number}")
        for part in range(40):
            put(session, f"{part}", os.urandom(500 * part))
        content = os.urandom(1 << 20)
        put(session, "growing", content)
        for _ in range(3):
            staged = store.objects.stage(session.tree.find("growing").oid)
            staged.pwrite(os.urandom(5000), staged.size)
            session.artifacts.put("growing", staged.finish())
            staged.discard()
    store.fork_session("s3", session_id="a-fork")
    store.close()
    return path, states(store)


def put(session, path, content):
    session.artifacts.put(path, session.objects.put_bytes(content))


def states(store):
    """Return where each session's log ends, and what it holds; every byte is read and checked."""
    found = {}
    for session_id in store.session_ids():
        session = store.session(session_id)
        files = {path: store.objects.read(node.oid) for path, node in session.tree.walk() if node.is_file}
        found[session_id] = session.log.position, files
    return found


JOBS = {
    "backup": lambda source, target: backup(Store(source), target),
    "fetch": lambda source, target: bring(Store(source), open_or_make(target)),
    "clone": clone,
}


def open_or_make(path):
    if not Path(path, "format").exists():
        Store.create(path)
    return Store(path)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("is_begun", [False, True], ids=["from nothing", "from a part"])
def test_what_is_killed_leaves_whole_sessions_and_goes_on(source, tmp_path, job, is_begun):
    path, wanted = source
    numbers = random.Random(f"{job} {is_begun}")
    run = JOBS[job]
    if is_begun and job == "clone":
        pytest.skip("a clone begins with nothing")
    part = make_part(path, tmp_path, run) if is_begun else None
    seconds = None
    killed = 0
    for number in range(KILLS + 1):
        target = tmp_path / str(number)
        if part is not None:
            shutil.copytree(part, target, symlinks=True)
        took = run_and_kill(lambda at=target: run(str(path), str(at)), seconds and numbers.random() * seconds)
        if took is None:
            killed += 1
        else:  # the machine may have less to do than it had
            seconds = min(seconds or took, took)
        look(target, wanted, is_new=part is None)
        if job != "clone" or not target.exists():
            run(str(path), str(target))
        assert states(Store(str(target))) == wanted and damage_in(target) == []
        shutil.rmtree(target)
    assert killed >= KILLS // 4


def make_part(path, tmp_path, run):
    """Return a target that has the beginning of the source."""
    early = tmp_path / "early"
    shutil.copytree(path, early, symlinks=True)
    shutil.rmtree(early / "sessions" / "a-fork")
    for log in early.glob("sessions/*/log"):
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(lines[: max(1, len(lines) // 2)]))
    run(str(early), str(tmp_path / "part"))
    return tmp_path / "part"


def run_and_kill(run, seconds):
    """Run something in a child, and kill it after *seconds* (None: never); return how long it took, None if killed."""
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    ended, status = 0, 0
    while seconds is not None and not ended and time.monotonic() - begin < seconds:
        ended, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.0005)
    if not ended:
        if seconds is not None:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return None if code else time.monotonic() - begin


def look(target, wanted, *, is_new):
    """Check that a target, if there is one, is whole, and what is there of each session is one of its states."""
    if not Path(target, "format").exists():
        return
    assert damage_in(target) == []
    store = Store(str(target))
    for session_id in store.session_ids():
        if not store.disk.size_at(store.layout.log(session_id)):
            continue  # its directory has been made
        position, _ = states_of(store, session_id)
        assert position.seq <= wanted[session_id][0].seq
        if is_new:  # it appears whole
            assert position == wanted[session_id][0]


def states_of(store, session_id):
    session = store.session(session_id)
    for _, node in session.tree.walk():
        if node.is_file:
            store.objects.read(node.oid)
    return session.log.position, None


def damage_in(path):
    return [fault for fault in check(Store(str(path))) if fault.is_damage]
