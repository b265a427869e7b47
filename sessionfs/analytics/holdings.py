"""Which objects are on the disk, and which sessions have them: tables that only one connection sees.

A walk lists the objects while SQLite collects from the index who has what; both are joined there, so that memory stays
the same however many there are.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from sessionfs.analytics.asking import sums
from sessionfs.analytics.places import OTHER_CONTENT, Places
from sessionfs.analytics.survey import walk_objects
from sessionfs.objects.files import SUFFIX_OF_COMPRESSION, object_file
from sessionfs.objects.stored import ObjectFile, Place
from sessionfs.oid import ObjectId
from sessionfs.store.store import Store

_LIST = ".chunks"
_PURPOSES = {".tree": "trees", ".snapshot": "snapshots"}
_ROWS_AT_ONCE = 50_000
_CACHE_KIB = 64 << 10

_TABLES = {
    # The blobs that are there; of one that is there twice, the copy that is looked for first.
    "disk": "oid BLOB PRIMARY KEY, form TEXT, stored INTEGER, allocated INTEGER, is_packed INTEGER",
    # What lists name; the size is that of the piece's blob, as far as it is known from where its parts end.
    "pieces": "list BLOB, piece BLOB, size INTEGER, PRIMARY KEY (list, piece, size)",
    # What sessions have, with the size of the content and the sum of the sizes of all versions with it.
    "held": "oid BLOB, session INTEGER, size INTEGER, high INTEGER, low INTEGER, PRIMARY KEY (oid, session)",
    # What is held and there, by how many sessions; and the sum of the sizes of the chosen ones' versions.
    "objects": "oid BLOB PRIMARY KEY, form TEXT, size INTEGER, stored INTEGER, allocated INTEGER, is_packed INTEGER, "
    "holders INTEGER, chosen_holders INTEGER, high INTEGER, low INTEGER",
}


@contextlib.contextmanager
def surveyed(connection: sqlite3.Connection, store: Store) -> Iterator[Places]:
    """Let :data:`_TABLES` say in this connection what is on the disk, and whose it is; sessions are chosen already.

    Gives what is below ``objects/`` by its purpose, but for the content of sessions, which all is ``other content``.
    """
    for name, columns in _TABLES.items():
        connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        connection.execute(f"CREATE TEMP TABLE {name} ({columns}) WITHOUT ROWID")
    connection.execute(f"PRAGMA temp.cache_size = -{_CACHE_KIB}")
    places = Places()
    with ThreadPoolExecutor(max_workers=1) as pool:
        filling = pool.submit(_fill_held, connection)  # SQLite works while the walk waits for the disk
        _fill_disk(connection, store, places, until=filling.result)
    _add_pieces(connection)
    _fill_objects(connection)
    yield places
    for name in _TABLES:
        connection.execute(f"DROP TABLE temp.{name}")


def _fill_disk(connection: sqlite3.Connection, store: Store, places: Places, until: Callable[[], object]) -> None:
    """Fill ``disk`` and ``pieces``.

    Args:
        until: Returns when the connection can be used.
    """
    blobs: list[tuple[bytes, str, int, int, int]] = []

    def write() -> None:
        until()
        connection.executemany("INSERT OR IGNORE INTO disk VALUES (?, ?, ?, ?, ?)", blobs)
        blobs.clear()

    def add_list(file: ObjectFile) -> None:
        until()
        named = ((bytes.fromhex(piece.oid), piece.start + piece.length) for piece in store.objects.listed(file))
        of = bytes.fromhex(file.oid)
        connection.executemany("INSERT OR IGNORE INTO pieces VALUES (?, ?, ?)", ((of, *piece) for piece in named))

    for purpose, size, allocated, _, oid, suffix in walk_objects(store.layout):
        if not oid or suffix in _PURPOSES:
            places.count(_PURPOSES.get(suffix, purpose), 1, size, allocated)
            continue
        places.count(OTHER_CONTENT, 1, size, allocated)
        blobs.append((bytes.fromhex(oid), suffix, size, allocated, 0))
        if suffix == _LIST:
            path = f"{store.layout.objects}/{oid[:2]}/{oid[2:]}{_LIST}"
            add_list(object_file(ObjectId(oid), _LIST, Place(path, None, size)))
        if len(blobs) >= _ROWS_AT_ONCE:
            write()
    for file in store.objects.list_packed():
        size = file.stored_size
        places.count("packs", 0, -size, -size)
        places.count(_PURPOSES.get(f".{file.kind}", OTHER_CONTENT), 1, size, size)
        if file.kind == "blob":
            blobs.append((bytes.fromhex(file.oid), SUFFIX_OF_COMPRESSION[file.compression], size, size, 1))
        if file.compression == "chunks":
            add_list(file)
        if len(blobs) >= _ROWS_AT_ONCE:
            write()
    write()


def _fill_held(connection: sqlite3.Connection) -> None:
    connection.execute(
        f"INSERT INTO held SELECT oid, session, max(size), {sums('size')} FROM artifacts NOT INDEXED "
        "WHERE oid IS NOT NULL GROUP BY oid, session"
    )


def _add_pieces(connection: sqlite3.Connection) -> None:
    """Let whoever has content in pieces have the pieces."""
    connection.execute(
        """
        INSERT OR IGNORE INTO held
        WITH RECURSIVE below (oid, session) AS (
          SELECT p.piece, h.session FROM pieces p CROSS JOIN held h ON h.oid = p.list
          UNION
          SELECT p.piece, b.session FROM below b CROSS JOIN pieces p ON p.list = b.oid
        )
        SELECT b.oid, b.session, s.size, 0, 0
        FROM below b JOIN (SELECT piece, max(size) AS size FROM pieces GROUP BY piece) s ON s.piece = b.oid
        """
    )


def _fill_objects(connection: sqlite3.Connection) -> None:
    connection.execute(
        """
        INSERT INTO objects
        SELECT h.oid, d.form, max(h.size), d.stored, d.allocated, d.is_packed, count(*), count(c.key),
          sum(h.high * (c.key IS NOT NULL)), sum(h.low * (c.key IS NOT NULL))
        FROM held h CROSS JOIN disk d ON d.oid = h.oid LEFT JOIN chosen c ON c.key = h.session GROUP BY h.oid
        """
    )
