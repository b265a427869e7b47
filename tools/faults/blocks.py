"""Power cuts of a block device with a real filesystem on it.

A store is changed on a filesystem that is on a device that remembers every write and every flush. From that the disk is
made again as a cut at some moment could have left it: all that was written before the last flush, and of what came
after it all up to that moment, or any part. It is mounted and looked at.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from faults import work
from faults.device import FILESYSTEMS, Filesystem, Unavailable, copy_image, make_image, missing_for, mounted
from faults.mounting import missing as missing_fuse
from faults.outcome import Outcome, Trial, attempt, control, in_child
from faults.recorder import FLUSH, MARK, WRITE, Entry, Recorder, recording
from faults.work import SESSION, check_model, check_whole, make_store, open_after, read_model
from sessionfs.durable import OsDisk
from sessionfs.store.store import Store

_STEPS = 25
_SYNC_EVERY = 5  # steps, in relaxed mode
_CUTS = 40  # of one recording
_SECTOR = 512

_libc = ctypes.CDLL(None, use_errno=True)


class Recorded(NamedTuple):
    """What a device went through."""

    base: Path  # the image at the beginning
    entries: list[Entry]
    seed: int
    what: str


def cut_power(trial: Trial, outcome: Outcome, *, filesystem: Filesystem, make_disk: Callable[[], OsDisk]) -> None:
    """Record some work, and look at what cuts at random moments of it leave; again and again."""
    for number in trial.rounds():
        mode = ("full", "relaxed")[number % 2]
        place = trial.place()
        recorded = _record(place, trial.numbers, filesystem, mode, make_disk())
        for done, cut in _cuts(place, recorded, trial.numbers):
            outcome.injected += 1
            _look(place, cut, filesystem, outcome, recorded, done)
            if time.monotonic() > trial.deadline:
                break
        shutil.rmtree(place)


def _record(place: Path, numbers: random.Random, filesystem: Filesystem, mode: str, disk: OsDisk) -> Recorded:
    base, image, point = place / "base", place / "image", place / "m"
    point.mkdir()
    make_image(filesystem, base)
    copy_image(base, image)
    seed = numbers.getrandbits(32)
    with recording(image, place) as recorder:
        with mounted(filesystem, recorder.disk, point):
            make_store(point / "s", mode)
            recorder.mark(0)
            _work(point / "s", disk, seed, mode, recorder, numbers)
        entries = recorder.stop()
    return Recorded(base, entries, seed, f"{filesystem.name}, {mode} mode, seed {seed}")


def _work(path: Path, disk: OsDisk, seed: int, mode: str, recorder: Recorder, numbers: random.Random) -> None:
    """Change the session, and say after which step that is promised to stay."""
    store = Store(str(path), disk=disk)
    session = store.session(SESSION)
    model = work.nothing()
    meanwhile: list[threading.Thread] = []
    for number, step in zip(range(1, _STEPS + 1), work.writer.steps(seed), strict=False):
        if (
            mode == "relaxed" and numbers.random() < 0.3
        ):  # the kernel writes when it likes, also in the middle of a step
            meanwhile.append(threading.Thread(target=_write_out, args=(path,)))
            meanwhile[-1].start()
        work.writer.perform(session, model, step)
        work.writer.apply(model, step)
        if mode == "relaxed" and number % _SYNC_EVERY == 0:
            store.sync()
        if mode == "full" or number % _SYNC_EVERY == 0:
            recorder.mark(number)
    for thread in meanwhile:
        thread.join()
    store.close()


def _write_out(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    _libc.syncfs(fd)
    os.close(fd)


# What a cut leaves


def _cuts(place: Path, recorded: Recorded, numbers: random.Random) -> Iterator[tuple[int, Path]]:
    """Yield images as cuts could have left them, each with the number of steps that were promised then."""
    entries = recorded.entries
    first = next(at for at, entry in enumerate(entries) if entry.kind == MARK)
    moments = sorted(numbers.sample(range(first + 1, len(entries) + 1), min(_CUTS, len(entries) - first)))
    stable, cut = place / "stable", place / "cut"
    copy_image(recorded.base, stable)
    flushed = done = before = 0
    for moment in moments:
        for at in range(before, moment):
            if entries[at].kind == FLUSH:
                _write(stable, entries[flushed:at])
                flushed = at
            elif entries[at].kind == MARK:
                done = entries[at].number
        before = moment
        copy_image(stable, cut)
        _write(cut, _some(entries[flushed:moment], numbers))
        yield done, cut


def _some(entries: list[Entry], numbers: random.Random) -> list[Entry]:
    """Return what reaches the disk of what was not flushed: all of it, or any part, one of them torn."""
    if numbers.random() < 0.5:
        return entries
    kept = [entry for entry in entries if entry.kind == WRITE and numbers.random() < 0.5]
    if kept:
        torn = numbers.randrange(len(kept))
        count = numbers.randrange(len(kept[torn].data) // _SECTOR + 1)
        kept[torn] = kept[torn]._replace(data=kept[torn].data[: count * _SECTOR])
    return kept


def _write(image: Path, entries: list[Entry]) -> None:
    fd = os.open(image, os.O_WRONLY)
    try:
        for entry in entries:
            if entry.kind == WRITE:
                os.pwrite(fd, entry.data, entry.number)
    finally:
        os.close(fd)


def _look(place: Path, cut: Path, filesystem: Filesystem, outcome: Outcome, recorded: Recorded, done: int) -> None:
    """Mount what a cut has left, as at the next boot, and look at all of it."""
    what = f"{recorded.what}: power cut after step {done}"

    def look(outcome: Outcome) -> None:
        store = open_after(place / "m" / "s", outcome, rebooted=True)
        check_model(read_model(store, what), recorded.seed, done, what, more=_STEPS - done)
        check_whole(store, what)

    with mounted(filesystem, cut, place / "m"):
        in_child(look, outcome)  # whose end closes all that it has open there, so that it can be unmounted


# Kinds


class _Unsynced(OsDisk):
    """Names what was not synced."""

    def fsync(self, fd: int) -> None:  # type: ignore[override]
        """Leave it to the kernel."""


def _kind(filesystem: Filesystem, title: str, trial: Trial, control_trial: Trial) -> Outcome:
    outcome = Outcome(f"power cut of a block device with {title}")
    outcome.missing = missing_for(filesystem) or missing_fuse() or ""
    if outcome.missing:
        return outcome

    def inject(trial: Trial, outcome: Outcome) -> None:
        cut_power(trial, outcome, filesystem=filesystem, make_disk=OsDisk)

    def inject_unsynced(trial: Trial, outcome: Outcome) -> None:
        cut_power(trial, outcome, filesystem=filesystem, make_disk=_Unsynced)

    try:
        attempt(outcome, trial, inject)
        control(outcome, control_trial, "objects are named before they are synced", inject_unsynced)
    except Unavailable as failure:
        if outcome.injected:
            raise
        outcome.missing = str(failure)
    return outcome


def ext4(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what cuts with ext4 came to."""
    return _kind(FILESYSTEMS["ext4"], "ext4", trial, control_trial)


def xfs(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what cuts with xfs came to."""
    return _kind(FILESYSTEMS["xfs"], "xfs", trial, control_trial)


def btrfs(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what cuts with btrfs came to."""
    return _kind(FILESYSTEMS["btrfs"], "btrfs", trial, control_trial)
