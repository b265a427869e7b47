"""The tables of tags and metadata: what they repeat of the rows of artifacts, so that these can be looked up by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from sessionfs.query.flat import flatten

Filed = tuple[int, int, str | None, str | None]
"""What is repeated of a row: standing, time of creation, tags and metadata as JSON."""

_decode = msgspec.json.Decoder().decode


def file(database: sqlite3.Connection, rows: Iterable[tuple[int, Filed]]) -> None:
    """File rows, by their keys."""
    tags, pairs = _collect(rows)
    database.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?, ?, ?)", tags)
    database.executemany("INSERT INTO metadata VALUES (?, ?, ?, ?, ?)", pairs)


def unfile(database: sqlite3.Connection, rows: Iterable[tuple[int, Filed]]) -> None:
    """Take rows out again."""
    tags, pairs = _collect(rows)
    database.executemany("DELETE FROM tags WHERE tag = ? AND standing = ? AND created_ns = ? AND artifact = ?", tags)
    database.executemany(
        "DELETE FROM metadata WHERE name = ? AND value = ? AND standing = ? AND created_ns = ? AND artifact = ?", pairs
    )


def _collect(rows: Iterable[tuple[int, Any]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return what the two tables hold of *rows*."""
    tags: list[tuple[Any, ...]] = []
    pairs: list[tuple[Any, ...]] = []
    for key, (standing, created_ns, tags_json, metadata_json) in rows:
        if tags_json is not None:
            tags += [(tag, standing, created_ns, key) for tag in _decode(tags_json)]
        if metadata_json is not None:
            pairs += [(name, value, standing, created_ns, key) for name, value in flatten(_decode(metadata_json))]
    return tags, pairs
