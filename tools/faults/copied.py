"""Copies by rsync, in one pass, of a store that four writers and a mount are changing.

What a copy lacks may be what was written while it was made, and nothing else; ``fsck --repair`` leaves every session of
it at a state that it had; a second rsync brings it up to date.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from faults.commands import environment
from faults.mounting import Mount, missing
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import WRITER, check_model, check_whole, make_store, open_after, read_model
from sessionfs.fsck import repair
from sessionfs.store.store import Store

_SESSIONS = ("one", "two", "three", "four")
_MOUNTED = "mounted"
_COPIES_PER_STORE = 5
_PAUSE_SECONDS = 0.1  # between two copies: something is to be written


class Writers:
    """Four programs that change a session each, and a mount that files are copied to."""

    def __init__(self, store: Path, point: Path, trial: Trial) -> None:
        self.seeds = {session: trial.numbers.getrandbits(32) for session in _SESSIONS}
        self.done = dict.fromkeys(_SESSIONS, 0)
        self.closed: list[str] = []  # files in the mount
        self._is_over = threading.Event()
        self._mount = Mount(store, point)
        self._programs = {session: self._start(store, session) for session in _SESSIONS}
        self._threads = [threading.Thread(target=self._count, args=(session,)) for session in _SESSIONS]
        self._threads.append(threading.Thread(target=self._write_files))
        for thread in self._threads:
            thread.start()

    def _start(self, store: Path, session: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(WRITER.parent), str(store), session, str(self.seeds[session])],
            stdout=subprocess.PIPE,
            env=environment(store),
        )

    def _count(self, session: str) -> None:
        stdout = self._programs[session].stdout
        assert stdout is not None
        for line in stdout:
            self.done[session] = int(line) + 1

    def _write_files(self) -> None:
        directory = self._mount.artifacts(_MOUNTED)
        while not self._is_over.wait(0.005):
            name = f"f{len(self.closed)}"
            (directory / name).write_bytes(content_of(name))
            self.closed.append(name)

    def wait_for_all(self) -> None:
        """Return when each has done something."""
        while not (all(self.done.values()) and self.closed):
            time.sleep(0.005)

    def stop(self) -> None:
        """Let all of them end what they are at."""
        self._is_over.set()
        for program in self._programs.values():
            program.send_signal(signal.SIGTERM)
        for thread in self._threads:
            thread.join()
        for program in self._programs.values():
            program.wait()
            if program.stdout is not None:
                program.stdout.close()
        self._mount.stop()


# Does the steps of a seed, slowly enough that a copy is not about them alone; SIGTERM ends it between two.
_PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import writer

is_over = []
signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
store = writer.Store(sys.argv[2])
session = store.session(sys.argv[3])
model = {}, {}
for number, step in enumerate(writer.steps(int(sys.argv[4]))):
    if is_over:
        break
    writer.perform(session, model, step)
    writer.apply(model, step)
    os.write(1, b"%d\\n" % number)
    time.sleep(0.01)
"""


def content_of(name: str) -> bytes:
    """Return what the file *name* in the mount has: some are small, some are compressed."""
    return f"{name}\n".encode() * (1 << int(name[1:]) % 13)


@contextlib.contextmanager
def _writing(store: Path, point: Path, trial: Trial) -> Iterator[Writers]:
    writers = Writers(store, point, trial)
    try:
        yield writers
    finally:
        writers.stop()


def copy_again_and_again(trial: Trial, outcome: Outcome, *, is_repaired: bool = True) -> None:
    """Copy a store in use, and look at the copy."""
    for _ in trial.rounds():
        place = trial.place()
        make_store(place / "s", "relaxed", [*_SESSIONS, _MOUNTED])
        (place / "m").mkdir()
        with _writing(place / "s", place / "m", trial) as writers:
            writers.wait_for_all()
            for number in range(_COPIES_PER_STORE):
                copy = place / f"copy-{number}"
                before, closed = dict(writers.done), len(writers.closed)
                _rsync(place / "s", copy)
                outcome.injected += 1
                _look(copy, outcome, writers, before, closed, is_repaired=is_repaired)
                if time.monotonic() > trial.deadline:
                    break
                if number:
                    shutil.rmtree(place / f"copy-{number - 1}")
                time.sleep(_PAUSE_SECONDS)
        _rsync(place / "s", copy)
        if is_repaired:
            _look(copy, outcome, writers, writers.done, len(writers.closed), is_repaired=True)
        shutil.rmtree(place)


def _rsync(source: Path, target: Path) -> None:
    done = subprocess.run(["rsync", "-a", f"{source}/", f"{target}/"], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 24):  # 24: files have gone meanwhile
        raise RuntimeError(f"rsync ends with {done.returncode}: {done.stderr}")


def _look(
    copy: Path, outcome: Outcome, writers: Writers, before: dict[str, int], closed: int, *, is_repaired: bool
) -> None:
    store = open_after(copy, outcome)
    what = "a copy by rsync"
    if is_repaired:
        left = [done.message for done in repair(store, jobs=1) if not done.is_done]
        if left:
            raise Lost(f"{what}: fsck --repair leaves {left[0]}")
        store = Store(str(copy))
    check_whole(store, what)
    for session in _SESSIONS:
        more = writers.done[session] + 1 - before[session]
        now = read_model(store, what, session)
        check_model(now, writers.seeds[session], before[session], f"{what}: {session}", more=more)
    tree = store.session(_MOUNTED).tree
    for name in writers.closed[:closed]:
        node = tree.find(name)
        if node is None:
            raise Lost(f"{what}: {name}, which was closed in the mount before, is not there")
    for _, node in tree.walk():
        if node.is_file and store.objects.read(node.oid) != content_of(os.path.basename(node.path)):
            raise Lost(f"{what}: {node.path} has other bytes")


def copied(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what copies of a store in use came to."""
    outcome = Outcome("rsync of a store in use: four writers and a mount")
    outcome.missing = missing() or ("" if shutil.which("rsync") else "there is no rsync")
    if outcome.missing:
        return outcome
    attempt(outcome, trial, copy_again_and_again)

    def inject(trial: Trial, outcome: Outcome) -> None:
        copy_again_and_again(trial, outcome, is_repaired=False)

    control(outcome, control_trial, "the copy is not repaired", inject)
    return outcome
