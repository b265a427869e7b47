"""SIGKILL of a mount while ``cp -a`` writes to it: what cp had closed is there, and nothing by halves."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

from faults.device import Unavailable
from faults.mounting import SERVER, Mount, missing
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import SESSION, check_whole, make_store, open_after
from sessionfs.store.session import Session

_KILLS_PER_STORE = 8
_DIRECTORIES = 6
_FILES_PER_DIRECTORY = 40
_MAX_SECONDS = 0.7  # of copying before the kill; all of it takes about as long


def kill_mounts(trial: Trial, outcome: Outcome, *, server: str = SERVER) -> None:
    """Kill a mount at random moments, and mount the store again."""
    source = trial.place()
    _make_source(source)
    for number in trial.rounds():
        if number % _KILLS_PER_STORE == 0:
            place = trial.place()
            make_store(place / "s", ("relaxed", "full")[number // _KILLS_PER_STORE % 2])
            (place / "m").mkdir()
        name = f"copy-{number}"
        mount = Mount(place / "s", place / "m", server=server)
        try:
            copied = _copy_until_killed(mount, source, name, trial.numbers.random() * _MAX_SECONDS)
        finally:
            mount.kill()
        outcome.injected += 1
        store = open_after(place / "s", outcome)
        what = f"a mount was killed while cp -a wrote to it, after {len(copied)} files"
        _check_copy(store.session(SESSION), source, name, copied, what)
        check_whole(store, what)
        store.close()


def _make_source(path: Path) -> None:
    for directory in range(_DIRECTORIES):
        (path / f"d{directory}").mkdir()
        for number in range(_FILES_PER_DIRECTORY):
            file = path / f"d{directory}" / f"f{number}"
            file.write_bytes(f"{directory} {number}\n".encode() * (1 << number % 12))
            os.utime(file, ns=(1, (directory * 100 + number) * 1_000_000_007))


def _copy_until_killed(mount: Mount, source: Path, name: str, seconds: float) -> list[str]:
    """Copy *source* to *name* in the mount, and kill that; return the files that cp had closed, as paths below it."""
    target = mount.artifacts(SESSION) / name
    copying = subprocess.Popen(
        ["stdbuf", "-oL", "cp", "-av", str(source), str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert copying.stdout is not None
    killer = threading.Timer(seconds, mount.kill)
    killer.start()
    begun = []
    for line in copying.stdout:  # it says each before it begins with it, and at once what has failed
        if line.startswith("cp: "):
            break
        begun.append(line.partition("' -> '")[0].removeprefix("'"))
    else:
        begun.append("")  # cp came to its end
    copying.stdout.close()
    copying.wait()
    killer.join()
    closed = [Path(path) for path in begun[:-1]]
    return [str(path.relative_to(source)) for path in closed if path.is_file()]


def _check_copy(session: Session, source: Path, name: str, copied: list[str], what: str) -> None:
    there = {
        node.path.removeprefix(f"{name}/"): node
        for _, node in session.tree.walk()
        if node.is_file and node.path.startswith(f"{name}/")
    }
    lost = [path for path in copied if path not in there]
    if lost:
        raise Lost(f"{what}: {len(lost)} that were closed are not there, {lost[0]} among them")
    for path, node in there.items():
        if session.objects.read(node.oid) != (source / path).read_bytes():
            raise Lost(f"{what}: {path} has other bytes")
        if path in copied and node.mtime_ns != (source / path).stat().st_mtime_ns:
            raise Lost(f"{what}: {path} has another time")


# Says that a file is closed half a second before it makes it a version.
_LATE = f"""
import trio
from sessionfs.mount.operations import Operations

release = Operations.release

async def flush_nothing(self, fh):
    return None

async def release_late(self, fh):
    await trio.sleep(0.5)
    await release(self, fh)

Operations.flush = flush_nothing
Operations.release = release_late
{SERVER}"""


def killed_mounts(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what kills of mounts came to."""
    outcome = Outcome("SIGKILL of a mount under cp -a")
    outcome.missing = missing() or ("" if shutil.which("stdbuf") else "there is no stdbuf")
    if outcome.missing:
        return outcome
    try:
        attempt(outcome, trial, kill_mounts)
    except Unavailable as failure:
        if outcome.injected:
            raise
        outcome.missing = str(failure)
        return outcome

    def inject(trial: Trial, outcome: Outcome) -> None:
        kill_mounts(trial, outcome, server=_LATE)

    control(outcome, control_trial, "a file becomes a version half a second after it was closed", inject)
    return outcome
