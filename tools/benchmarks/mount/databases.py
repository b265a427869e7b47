"""Rows that use SQLite, as its own library does it: locks, journals, shared memory.

Each function prepares in the current directory and returns what is timed; its docstring says what that is.
"""

from __future__ import annotations

import os
import random
import sqlite3

from benchmarks.mount.work import MIB, Run, Work

_ROWS_COUNT = 20_000
_ROW_BYTES = 400
_KEPT_BYTES = 256 * MIB


def insert(work: Work, *, journal: str, synchronous: str) -> Run:
    """Insert rows, each in a transaction of its own."""
    database = _open("rows.sqlite", work)
    database.execute(f"PRAGMA journal_mode={journal}")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, data BLOB)")
    contents = [os.urandom(_ROW_BYTES) for _ in range(work.count)]

    def run() -> None:
        for content in contents:
            database.execute("INSERT INTO rows (data) VALUES (?)", (content,))

    return run


def read_mapped(work: Work) -> Run:
    """Read rows at random from a database that SQLite maps into memory."""
    work.enter(_fill_with_database)
    database = _open("rows.sqlite", work)
    database.execute(f"PRAGMA mmap_size={_KEPT_BYTES}")
    choose = random.Random(1)
    numbers = [choose.randint(1, _ROWS_COUNT) for _ in range(work.count)]

    def run() -> None:
        for number in numbers:
            database.execute("SELECT data FROM rows WHERE number = ?", (number,)).fetchone()

    return run


def _fill_with_database(directory: str) -> None:
    database = sqlite3.connect(f"{directory}/rows.sqlite")
    with database:
        database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, data BLOB)")
        database.executemany(
            "INSERT INTO rows (data) VALUES (?)", ((os.urandom(_ROW_BYTES),) for _ in range(_ROWS_COUNT))
        )
    database.close()


def _open(path: str, work: Work) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    work.at_end.callback(database.close)
    return database
