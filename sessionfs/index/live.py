"""The rows of one session's artifacts while its records are applied: read when they are needed, written together.

What is written is what changed, in the order of keys, so that a session whose records come in a long stream costs a row
once. At most a few thousand rows are in memory, however many the session has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec

from sessionfs.errors import Corrupt
from sessionfs.index.filing import Filed, file, unfile
from sessionfs.index.row import COLUMNS, Row
from sessionfs.index.schema import DIRECTORY, PAST, PRESENT

# A row takes about 1 KiB.
_MAX_ROWS = 20_000

_COLUMN_LIST = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO artifacts ({_COLUMN_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"
_UPDATE = f"UPDATE artifacts SET {', '.join(f'{name} = ?' for name in COLUMNS[1:])} WHERE key = ?"
_SELECT = f"SELECT {_COLUMN_LIST} FROM artifacts "

_astuple = msgspec.structs.astuple


class UnfitRecord(Corrupt):
    """A record does not fit what the records before it add up to."""


class Keys:
    """Gives each new row of artifacts its key."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Begin after the highest key there is."""
        (highest,) = database.execute("SELECT max(key) FROM artifacts").fetchone()
        self.next = count((highest or 0) + 1).__next__


class Live:
    """What one session has now, and what it had.

    ``artifact_count size stored_size`` are sums over what is there now, directories left out.
    """

    def __init__(self, database: sqlite3.Connection, keys: Keys, session: int, *, is_new: bool) -> None:
        """Begin with what the index has.

        Args:
            session: Its key.
            is_new: The index has nothing.
        """
        self.session = session
        self.artifact_count = self.size = self.stored_size = 0
        self.new_key = keys.next
        self._database = database
        self._is_empty = is_new  # nothing of it is in the table
        self._rows: dict[str, Row | None] = {}  # by path; None: nothing is there
        self._changed: dict[int, Row] = {}
        self._filed: dict[int, Filed] = {}  # of rows that are in the table
        self._removed: list[int] = []

    # Looking

    def find(self, path: str) -> Row | None:
        """Return what is at *path* now."""
        if path in self._rows:
            return self._rows[path]
        row = None
        if not self._is_empty:
            where = "WHERE session = ? AND path = ? AND standing > 0"
            row = next(self._select(where, (self.session, path)), None)
        self._rows[path] = row
        return row

    def resolve(self, path: str) -> Row:
        """Return what is at *path* now.

        Raises:
            UnfitRecord: Nothing is.
        """
        row = self.find(path)
        if row is None:
            raise UnfitRecord(f"nothing is at {path!r}")
        return row

    def below(self, path: str) -> list[Row]:
        """Return everything that is below the directory *path* now."""
        self.flush()
        where = "WHERE session = ? AND path >= ? AND path < ? AND standing > 0"
        return [self._known(row) for row in self._select(where, (self.session, f"{path}/", f"{path}0"))]

    def names_of(self, row: Row) -> list[Row]:
        """Return the rows of all names of an inode, its own among them."""
        if row.links <= 1:
            return [row]
        self.flush()
        where = "WHERE session = ? AND ino = ? AND links > 1 AND standing > 0"
        return [self._known(name) for name in self._select(where, (self.session, row.ino))]

    def _known(self, row: Row) -> Row:
        """Return the row that is in memory for one that was just read."""
        known = self._rows.get(row.path)
        if known is None:
            self._rows[row.path] = known = row
        return known

    def _select(self, where: str, values: tuple[Any, ...]) -> Iterator[Row]:
        for columns in self._database.execute(_SELECT + where, values).fetchall():
            row = Row(**dict(zip(COLUMNS, columns, strict=True)))
            self._filed[row.key] = row.standing, row.created_ns, row.tags, row.metadata
            yield row

    # Changing

    def add(self, row: Row) -> None:
        """Take in a new row, whose path must be free."""
        self._rows[row.path] = row
        self._count(row, +1)
        self.changed(row)

    def changed(self, row: Row) -> None:
        """Note that a row is not as it was. What is counted of it changes only through :meth:`recount`."""
        self._changed[row.key] = row

    def end(self, row: Row) -> None:
        """Note that what *row* says is so no more: it becomes what was there once; of a directory nothing stays."""
        self._count(row, -1)
        self._rows[row.path] = None
        if row.standing == DIRECTORY:
            self._changed.pop(row.key, None)
            if row.key in self._filed:
                self._removed.append(row.key)
            return
        row.standing = PAST
        self.changed(row)

    def move(self, rows: Iterable[tuple[Row, str]]) -> None:
        """Put rows at other paths, which are free or their own."""
        moves = list(rows)
        for row, _ in moves:
            self._rows[row.path] = None
        for row, path in moves:
            row.move(path)
            self._rows[path] = row
            self.changed(row)

    def _count(self, row: Row, names: int) -> None:
        if row.standing == PRESENT:
            self.artifact_count += names
            self.size += names * row.size
            self.stored_size += names * row.stored_size

    # Writing

    def relieve(self) -> None:
        """Write everything and forget it, if it has become much; to be called between two records."""
        if len(self._rows) > _MAX_ROWS or len(self._changed) > _MAX_ROWS:
            self.flush()
            self._rows.clear()
            self._filed.clear()

    def flush(self) -> None:
        """Write what changed."""
        if self._removed:
            unfile(self._database, ((key, self._filed[key]) for key in self._removed))
            self._database.executemany("DELETE FROM artifacts WHERE key = ?", [(key,) for key in self._removed])
            for key in self._removed:
                del self._filed[key]
            self._removed.clear()
        if not self._changed:
            return
        new = [row for row in self._changed.values() if row.key not in self._filed]
        old = [row for row in self._changed.values() if row.key in self._filed]
        refiled = [row for row in old if self._filed[row.key] != _filed(row)]
        unfile(self._database, ((row.key, self._filed[row.key]) for row in refiled))
        self._database.executemany(_UPDATE, [(*_astuple(row)[1:], row.key) for row in old])
        self._database.executemany(_INSERT, [_astuple(row) for row in new])
        for row in (*new, *refiled):
            self._filed[row.key] = _filed(row)
        file(self._database, ((row.key, self._filed[row.key]) for row in (*new, *refiled)))
        self._changed.clear()
        self._is_empty = False


def remove_session(database: sqlite3.Connection, session: int) -> None:
    """Remove all rows of a session's artifacts, and what was filed of them."""
    while True:
        found = database.execute(
            "SELECT key, standing, created_ns, tags, metadata FROM artifacts WHERE session = ? LIMIT ?",
            (session, _MAX_ROWS),
        ).fetchall()
        if not found:
            return
        unfile(database, ((row[0], row[1:]) for row in found))
        database.executemany("DELETE FROM artifacts WHERE key = ?", [(row[0],) for row in found])


def _filed(row: Row) -> Filed:
    return row.standing, row.created_ns, row.tags, row.metadata
