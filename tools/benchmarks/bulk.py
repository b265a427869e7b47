"""Many small files, beside git and SQLite doing the same work: all read the same files and start with nothing.

Each function returns one contender; its docstring says what it does. None of them syncs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from blake3 import blake3

from benchmarks import material
from benchmarks.api import RECORD, let_go, make_fan_out, open_session, open_store
from benchmarks.measure import Make, Progress, Result, Side, measure
from benchmarks.scratch import Scratch
from sessionfs.api import Session, Store

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


@dataclass(frozen=True)
class Contender:
    """One way to store files: *prepare* makes an empty directory ready, *put* stores all, and is what is timed."""

    put: Callable[[Any], None]
    prepare: Callable[[str], Any]
    close: Callable[[Any], object] = id


def measure_contest(scratch: Scratch, count: int, rounds: int, progress: Progress) -> Contest:
    """Let every contender store *count* files of 1 to 4 KiB."""
    paths = material.write_small_files(scratch.new(), count)
    makes: dict[str, Make] = {
        name: partial(_side, make(paths), scratch) for name, make in CONTENDERS.items() if make is not git or _has_git()
    }
    ns = measure(makes, scratch, rounds, progress, name=f"{count:,} files")
    return Contest(count, {name: value / 1e9 for name, value in ns.items()}, OURS)


def _side(contender: Contender, scratch: Scratch, _: str) -> Side:
    """Return a side whose calls each begin with nothing."""

    def arguments(calls: int) -> Iterator[Any]:
        for _ in range(calls):
            prepared = contender.prepare(scratch.new())
            yield prepared
            contender.close(prepared)

    return Side(contender.put, arguments=arguments)


# Contenders


def objects(paths: list[str]) -> Contender:
    """Put each as an object, without a session."""

    def put(store: Store) -> None:
        for path in paths:
            store.objects.put_file(path)

    return Contender(put, open_store, let_go)


def artifacts(paths: list[str]) -> Contender:
    """Put each as an artifact of one session."""

    def put(opened: tuple[Store, Session]) -> None:
        for path in paths:
            opened[1].artifacts.put_file(path)

    return Contender(put, open_session, lambda opened: let_go(opened[0]))


def by_hand(paths: list[str]) -> Contender:
    """Read, hash, write a temporary file, rename it to its fan-out directory, append 300 bytes to a log."""

    def prepare(directory: str) -> tuple[str, int]:
        make_fan_out(directory)
        return directory, os.open(f"{directory}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def put(prepared: tuple[str, int]) -> None:
        directory, log = prepared
        for path in paths:
            data = _read(path)
            oid = blake3(data).hexdigest()
            fd = os.open(f"{directory}/temporary", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.write(fd, data)
            os.close(fd)
            os.rename(f"{directory}/temporary", f"{directory}/{oid[:2]}/{oid[2:]}")
            os.write(log, RECORD)

    return Contender(put, prepare, lambda prepared: os.close(prepared[1]))


def git(paths: list[str]) -> Contender:
    """Run ``git hash-object -w --stdin-paths`` in a new repository, as one process."""
    names = "".join(f"{path}\n" for path in paths)

    def prepare(directory: str) -> str:
        subprocess.run(["git", "init", "--quiet", directory], check=True)
        return directory

    def put(directory: str) -> None:
        command = ["git", "-C", directory, "hash-object", "-w", "--stdin-paths"]
        subprocess.run(command, input=names, text=True, stdout=subprocess.DEVNULL, check=True)

    return Contender(put, prepare)


def sqlite_at_once(paths: list[str]) -> Contender:
    """Hash and insert into a table of blobs, all in one transaction; WAL, synchronous=NORMAL."""

    def put(database: sqlite3.Connection) -> None:
        database.execute("BEGIN")
        for path in paths:
            _insert(database, path)
        database.execute("COMMIT")

    return Contender(put, _open_table, sqlite3.Connection.close)


def sqlite_each(paths: list[str]) -> Contender:
    """Hash and insert into a table of blobs, each in a transaction of its own; WAL, synchronous=NORMAL."""

    def put(database: sqlite3.Connection) -> None:
        for path in paths:
            _insert(database, path)

    return Contender(put, _open_table, sqlite3.Connection.close)


OURS = ("sessionfs, objects only", "sessionfs, as artifacts")

CONTENDERS: dict[str, Callable[[list[str]], Contender]] = {
    OURS[0]: objects,
    OURS[1]: artifacts,
    "by hand: hash, write, rename, append": by_hand,
    "git hash-object -w --stdin-paths": git,
    "SQLite blobs, one transaction": sqlite_at_once,
    "SQLite blobs, a transaction each": sqlite_each,
}


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
