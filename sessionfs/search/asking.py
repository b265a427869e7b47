"""What words find: artifacts by name, description, tags and content, sessions by theirs, events by their texts.

The index of texts says which texts have each word, and how well it fits (bm25); the index says what has these texts. So
all words must be somewhere in an artifact, one in its name and another in its content if it comes so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec

from sessionfs.index import IndexedArtifact
from sessionfs.index.conditions import Sql, has_standing, join, of_artifact, standings
from sessionfs.index.find import artifact_of
from sessionfs.index.row import COLUMNS
from sessionfs.query.terms import Query
from sessionfs.search.words import Find, Words

_COLUMNS = f"s.id, {', '.join(f'a.{name}' for name in COLUMNS)}"

# How much more a word counts in a name, a description, a tag than in a content.
_LABEL_WEIGHTS = "10.0, 3.0, 5.0"

_HITS = """
CREATE TEMP TABLE content_hits (oid BLOB, term INTEGER, score REAL, PRIMARY KEY (oid, term)) WITHOUT ROWID;
CREATE TEMP TABLE label_hits (name TEXT, description TEXT, tags TEXT, term INTEGER, score REAL,
  PRIMARY KEY (name, description, tags, term)) WITHOUT ROWID;
CREATE TEMP TABLE event_hits (session TEXT, seq INTEGER, term INTEGER, score REAL,
  PRIMARY KEY (session, seq, term)) WITHOUT ROWID;
"""
_TABLES = ("content_hits", "label_hits", "event_hits")

_MATCH = {
    "content_hits": "SELECT c.oid, ?, bm25(content_words) FROM content_words w JOIN contents c ON c.key = w.rowid "
    "WHERE content_words MATCH ?",
    "label_hits": f"SELECT l.name, l.description, l.tags, ?, bm25(label_words, {_LABEL_WEIGHTS}) FROM label_words w "
    "JOIN labels l ON l.key = w.rowid WHERE label_words MATCH ?",
    "event_hits": "SELECT e.session, e.seq, ?, bm25(event_words) FROM event_words w JOIN events e ON e.key = w.rowid "
    "WHERE event_words MATCH ?",
}

# What joins a row of artifacts or sessions, r, with a label.
_SAME = "h.name = ifnull(r.name, '') AND h.description = ifnull(r.description, '') AND h.tags = ifnull(r.tags, '')"


class Kind(Enum):
    """What can be found."""

    ARTIFACT = "artifact"
    SESSION = "session"
    EVENT = "event"


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the words were found in."""

    kind: Kind
    score: float  # higher fits better
    session: str
    artifact: IndexedArtifact | None = None
    seq: int | None = None  # of an event


class Asked(msgspec.Struct, frozen=True):
    """What is looked for."""

    words: tuple[Words, ...]
    query: Query  # in which artifacts
    kinds: frozenset[Kind]
    limit: int | None = None

    @property
    def finds(self) -> list[Find]:
        """All words and phrases, each once."""
        return list(dict.fromkeys(find for one in self.words for find in (*one.wanted, *one.unwanted)))


def matches(texts: sqlite3.Connection, asked: Asked) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield which texts have which words: the table of hits, and a row for it."""
    wanted = {find for one in asked.words for find in one.wanted}
    for number, find in enumerate(asked.finds):
        for table in _tables(asked.kinds):
            for row in texts.execute(_MATCH[table], (number, find.match)):
                yield table, (*row[:-1], -row[-1] if find in wanted else 0.0)


def _tables(kinds: frozenset[Kind]) -> list[str]:
    needed = {
        "content_hits": Kind.ARTIFACT in kinds,
        "label_hits": Kind.ARTIFACT in kinds or Kind.SESSION in kinds,
        "event_hits": Kind.EVENT in kinds,
    }
    return [table for table in _TABLES if needed[table]]


def find_hits(database: sqlite3.Connection, asked: Asked, found: Iterator[tuple[str, tuple[Any, ...]]]) -> list[Hit]:
    """Return what the words find, the best first.

    Args:
        database: The index.
        found: As :func:`matches` gives it.
    """
    for statement in _HITS.split(";"):
        database.execute(statement)
    try:
        _insert(database, found)
        ask = {Kind.ARTIFACT: _artifacts, Kind.SESSION: _sessions, Kind.EVENT: _events}
        hits = [hit for kind in Kind if kind in asked.kinds for hit in ask[kind](database, asked)]
    finally:
        for table in _TABLES:
            database.execute(f"DROP TABLE temp.{table}")
    hits.sort(key=lambda hit: -hit.score)
    return hits if asked.limit is None else hits[: asked.limit]


def _insert(database: sqlite3.Connection, found: Iterator[tuple[str, tuple[Any, ...]]]) -> None:
    waiting: dict[str, list[tuple[Any, ...]]] = {}

    def write(table: str) -> None:
        rows = waiting.pop(table)
        database.executemany(f"INSERT OR REPLACE INTO temp.{table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    for table, row in found:
        waiting.setdefault(table, []).append(row)
        if len(waiting[table]) >= 10_000:
            write(table)
    for table in list(waiting):
        write(table)


def _fits(asked: Asked, has: Callable[[int], str]) -> Sql:
    """Return the condition that something has the words; *has* says that it has one of them, by its number."""
    number = {find: place for place, find in enumerate(asked.finds)}
    ways = [
        join(
            [
                *(Sql(has(number[find])) for find in one.wanted),
                *(Sql(f"NOT {has(number[find])}") for find in one.unwanted),
            ],
            "AND",
        )
        for one in asked.words
    ]
    return join(ways, "OR")


def _starts(database: sqlite3.Connection, asked: Asked, tables: Sequence[str]) -> list[int]:
    """Return for each alternative the word that the fewest texts have: what fits it is among what has that."""
    number = {find: place for place, find in enumerate(asked.finds)}
    counts: dict[int, int] = {}
    for table in tables:
        for term, count in database.execute(f"SELECT term, count(*) FROM temp.{table} GROUP BY term"):
            counts[term] = counts.get(term, 0) + count
    return [min((number[find] for find in one.wanted), key=lambda term: counts.get(term, 0)) for one in asked.words]


def _artifacts(database: sqlite3.Connection, asked: Asked) -> Iterator[Hit]:
    same = _SAME.replace("r.", "a.").replace("ifnull(a.name, '')", "a.name")
    chosen = standings(asked.query.where, versions=asked.query.versions)
    standing = has_standing(chosen).text

    def has(term: int) -> str:
        return (
            f"(EXISTS (SELECT 1 FROM temp.content_hits h WHERE h.oid = a.oid AND h.term = {term}) "
            f"OR EXISTS (SELECT 1 FROM temp.label_hits h WHERE {same} AND h.term = {term}))"
        )

    terms = ", ".join(map(str, _starts(database, asked, ("content_hits", "label_hits"))))
    keys = (
        "SELECT a.key FROM temp.content_hits h CROSS JOIN artifacts a INDEXED BY artifacts_by_oid ON a.oid = h.oid "
        f"WHERE h.term IN ({terms}) AND {standing} UNION "
        "SELECT a.key FROM temp.label_hits h CROSS JOIN artifacts a INDEXED BY artifacts_by_name "
        f"ON {same} WHERE h.term IN ({terms}) AND {standing}"
    )
    score = (
        "(SELECT total(h.score) FROM temp.content_hits h WHERE h.oid = a.oid) + "
        f"(SELECT total(h.score) FROM temp.label_hits h WHERE {same})"
    )
    where = join([_fits(asked, has), of_artifact(asked.query.where)], "AND")
    order = "ORDER BY score DESC, a.created_ns DESC, a.key"
    best = (
        f"SELECT a.key, {score} AS score FROM artifacts a NOT INDEXED WHERE a.key IN ({keys}) AND {where.text} "
        f"{order} LIMIT {-1 if asked.limit is None else asked.limit}"
    )
    text = (
        f"SELECT b.score, {_COLUMNS} FROM ({best}) b CROSS JOIN artifacts a ON a.key = b.key "
        f"CROSS JOIN sessions s ON s.key = a.session {order.replace('score', 'b.score')}"
    )
    for value, *columns in database.execute(text, where.values):
        artifact = artifact_of(tuple(columns))
        yield Hit(kind=Kind.ARTIFACT, score=value, session=artifact.session, artifact=artifact)


def _sessions(database: sqlite3.Connection, asked: Asked) -> Iterator[Hit]:
    same = _SAME.replace("r.", "s.")

    def has(term: int) -> str:
        return f"EXISTS (SELECT 1 FROM temp.label_hits h WHERE {same} AND h.term = {term})"

    text = (
        f"SELECT (SELECT total(h.score) FROM temp.label_hits h WHERE {same}) AS score, s.id FROM sessions s "
        f"WHERE s.is_there AND {_fits(asked, has).text} ORDER BY score DESC, s.created_ns DESC, s.id {_limit(asked)}"
    )
    for score, session_id in database.execute(text):
        yield Hit(kind=Kind.SESSION, score=score, session=session_id)


def _events(database: sqlite3.Connection, asked: Asked) -> Iterator[Hit]:
    def has(term: int) -> str:
        return (
            "EXISTS (SELECT 1 FROM temp.event_hits h "
            f"WHERE h.session = e.session AND h.seq = e.seq AND h.term = {term})"
        )

    terms = ", ".join(map(str, _starts(database, asked, ("event_hits",))))
    text = (
        "SELECT (SELECT total(h.score) FROM temp.event_hits h WHERE h.session = e.session AND h.seq = e.seq) AS score, "
        f"e.session, e.seq FROM (SELECT DISTINCT session, seq FROM temp.event_hits WHERE term IN ({terms})) e "
        "JOIN sessions s ON s.id = e.session "
        f"WHERE s.is_there AND {_fits(asked, has).text} ORDER BY score DESC, e.session, e.seq DESC {_limit(asked)}"
    )
    for score, session_id, seq in database.execute(text):
        yield Hit(kind=Kind.EVENT, score=score, session=session_id, seq=seq)


def _limit(asked: Asked) -> str:
    return "" if asked.limit is None else f"LIMIT {asked.limit}"
