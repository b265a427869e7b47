"""Many small files, beside git and SQLite doing the same work: all read the same files and start with nothing.

Each function sets up one contender in an empty directory; its docstring says what it does. None of them syncs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from blake3 import blake3

from benchmarks import material
from benchmarks.api import RECORD, let_go, make_fan_out, open_session, open_store
from benchmarks.measure import Make, Progress, Result, Side, measure
from benchmarks.scratch import Scratch

FILES_COUNT = 2000


@dataclass(frozen=True)
class Contest:
    """Seconds that each contender took for *count* files, ``ours`` among them."""

    count: int
    seconds: dict[str, float]
    ours: tuple[str, ...]

    def results(self) -> list[Result]:
        """Return each of ours beside each of the others, in us per file."""
        us = {name: seconds * 1e6 / self.count for name, seconds in self.seconds.items()}
        return [
            Result(f"{self.count:,} files, {name} / {other}", us[name], us[other], "us")
            for name in self.ours
            for other in us
            if other not in self.ours
        ]


def measure_contest(scratch: Scratch, count: int, rounds: int, progress: Progress) -> Contest:
    """Let every contender store *count* files of 1 to 4 KiB."""
    paths = material.write_small_files(scratch.new(), count)
    makes: dict[str, Make] = {
        name: partial(make, paths=paths) for name, make in CONTENDERS.items() if make is not git or _has_git()
    }
    ns = measure(makes, scratch, rounds, progress, name=f"{count:,} files")
    return Contest(count, {name: value / 1e9 for name, value in ns.items()}, OURS)


# Contenders


def objects(place: str, *, paths: list[str]) -> Side:
    """Put each as an object, without a session."""
    store = open_store(place)
    return _all(paths, store.objects.put_file, close=lambda: let_go(store))


def artifacts(place: str, *, paths: list[str]) -> Side:
    """Put each as an artifact of one session."""
    store, session = open_session(place)
    return _all(paths, session.artifacts.put_file, close=lambda: let_go(store))


def by_hand(place: str, *, paths: list[str]) -> Side:
    """Read, hash, write a temporary file, rename it to its fan-out directory, append 300 bytes to a log."""
    make_fan_out(place)
    log = os.open(f"{place}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def put(path: str) -> None:
        data = _read(path)
        oid = blake3(data).hexdigest()
        fd = os.open(f"{place}/temporary", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, data)
        os.close(fd)
        os.rename(f"{place}/temporary", f"{place}/{oid[:2]}/{oid[2:]}")
        os.write(log, RECORD)

    return _all(paths, put, close=lambda: os.close(log))


def git(place: str, *, paths: list[str]) -> Side:
    """Run ``git hash-object -w --stdin-paths`` in a new repository, as one process."""
    subprocess.run(["git", "init", "--quiet", place], check=True)
    command = ["git", "-C", place, "hash-object", "-w", "--stdin-paths"]
    names = "".join(f"{path}\n" for path in paths)
    run = partial(subprocess.run, input=names, text=True, stdout=subprocess.DEVNULL, check=True)
    return Side(lambda _: run(command))


def sqlite_at_once(place: str, *, paths: list[str]) -> Side:
    """Hash and insert into a table of blobs, all in one transaction; WAL, synchronous=NORMAL."""
    database = _open_table(place)

    def put(_: int) -> None:
        database.execute("BEGIN")
        for path in paths:
            _insert(database, path)
        database.execute("COMMIT")

    return Side(put, close=database.close)


def sqlite_each(place: str, *, paths: list[str]) -> Side:
    """Hash and insert into a table of blobs, each in a transaction of its own; WAL, synchronous=NORMAL."""
    database = _open_table(place)
    return _all(paths, partial(_insert, database), close=database.close)


OURS = ("sessionfs, objects only", "sessionfs, as artifacts")

CONTENDERS: dict[str, Callable[..., Side]] = {
    OURS[0]: objects,
    OURS[1]: artifacts,
    "by hand: hash, write, rename, append": by_hand,
    "git hash-object -w --stdin-paths": git,
    "SQLite blobs, one transaction": sqlite_at_once,
    "SQLite blobs, a transaction each": sqlite_each,
}


def _all(paths: list[str], put: Callable[[str], object], *, close: Callable[[], object]) -> Side:
    """Return a side that puts all *paths* in one call, one after the other."""

    def put_all(_: int) -> None:
        for path in paths:
            put(path)

    return Side(put_all, close=close)


def _has_git() -> bool:
    return shutil.which("git") is not None


def _open_table(directory: str) -> sqlite3.Connection:
    database = sqlite3.connect(f"{directory}/blobs.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE blobs (oid BLOB PRIMARY KEY, data BLOB)")
    return database


def _insert(database: sqlite3.Connection, path: str) -> None:
    data = _read(path)
    database.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (blake3(data).digest(), data))


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
