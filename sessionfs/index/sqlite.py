"""SQLite as the index uses it: connections, transactions, making the tables, and its errors as ours."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from sessionfs.errors import Conflict, DiskFault, Error, NoSpace, ReadOnlyStore, from_os_error
from sessionfs.index import functions
from sessionfs.index.schema import APPLICATION_ID, FORMAT, INDEXES, TABLES

MEMORY = ":memory:"

_BUSY_SECONDS = 60.0
_CACHE_KIB = 64 << 10

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# A file ends before what it says it holds. So does a journal that somebody removed while another process has it open:
# without this, nobody else could use the index until that process ends.
_CUT_SHORT = sqlite3.SQLITE_IOERR_SHORT_READ

Fill = Callable[[sqlite3.Connection], None]
"""Changes the index, inside of a transaction."""


class Form(NamedTuple):
    """What a file of ours holds: another number in it, and it is made anew."""

    name: str  # for people
    application_id: int
    format: int
    tables: str
    indexes: str = ""  # made when the tables are filled


INDEX = Form("the index", APPLICATION_ID, FORMAT, TABLES, INDEXES)


class NoIndex(Exception):
    """There is no index that can be used: it is absent, damaged or of another format. Never leaves this package."""


class IndexBusy(Conflict):
    """Another process kept the index locked for too long."""


def connect(path: str) -> sqlite3.Connection:
    """Open the file at *path*, which must be there, or :data:`MEMORY`."""
    uri = path if path == MEMORY else f"file:{quote(path)}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = OFF").fetchall()  # some builds overwrite what is deleted
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    functions.register(connection)
    return connection


def build(connection: sqlite3.Connection, fill: Fill, form: Form = INDEX) -> None:
    """Make the tables, let *fill* fill them, and sort what is looked up."""
    connection.execute(f"PRAGMA application_id = {form.application_id}")
    connection.execute(f"PRAGMA user_version = {form.format}")
    connection.execute("PRAGMA threads = 2").fetchall()  # to sort with
    _run(connection, form.tables)
    in_transaction(connection, fill)
    _run(connection, form.indexes)


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(statement)


def in_transaction(connection: sqlite3.Connection, fill: Fill) -> None:
    """Let *fill* change the index, as a whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        fill(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors into ours, and damage into :class:`NoIndex`."""
    try:
        yield
    except sqlite3.Error as failure:
        if is_damage(failure):
            raise NoIndex from failure
        raise _error_of(_code(failure), failure) from failure
    except OSError as failure:
        raise from_os_error(failure, "use the index") from failure


def is_damage(failure: sqlite3.Error) -> bool:
    """Say whether it is the file that is wrong - damaged, or of another format - and not the disk, or who is busy."""
    if _code(failure) in _DAMAGE or getattr(failure, "sqlite_errorcode", 0) == _CUT_SHORT:
        return True
    return isinstance(failure, sqlite3.OperationalError) and str(failure).startswith("no such ")


def _code(failure: sqlite3.Error) -> int:
    return getattr(failure, "sqlite_errorcode", 0) & 0xFF


def _error_of(code: int, failure: sqlite3.Error) -> Error:
    advice = "it can be deleted at any time: sessionfs index drop"
    if code == sqlite3.SQLITE_FULL:
        return NoSpace("the index could not be written: the disk is full; free space and try again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return ReadOnlyStore(f"the index cannot be written: {failure}; {advice}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexBusy(f"the index was busy for {_BUSY_SECONDS:g} s; try again")
    return DiskFault(f"the index could not be used: {failure}; {advice}")
