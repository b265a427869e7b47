"""Which of a query's terms is looked up, and which are only checked; and in which order rows come.

Two ways lead to the first so many of the artifacts that fit:

- *look up* those that one term stands for, check the others, sort. Its cost grows with how many there are.
- *walk* through an index in the order that is wanted, and check each until there are enough. Its cost grows with how
  few fit.

Which is better depends on how many artifacts each term stands for. So they are counted, up to where it does not matter
any more, which takes about a millisecond; terms are taken to be independent of each other.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from sessionfs.index.conditions import TRUE, Sql, bindable, has_standing, join, of_artifact, of_session, standings
from sessionfs.index.lookup import Lookup, find_lookup
from sessionfs.index.row import COLUMNS, fit
from sessionfs.index.schema import PRESENT
from sessionfs.index.sessions import INFO_COLUMNS
from sessionfs.query.order import Page
from sessionfs.query.terms import And, Query, Subject, Term

# What one row costs, in microseconds: looked up by its key, wherever it is, and sorted; or met on a walk.
_LOOKED_UP_US = 5.0
_WALKED_US = 1.5

# Counting so many takes about a millisecond, and twice that for each of several.
_COUNTED = 20_000
_COUNTED_OF_SEVERAL = 50_000

# The part of all artifacts that a term is taken to stand for that nobody counts, or that are more than are counted.
_UNCOUNTED_PART = 0.3

_SORTED_INDEX = {
    "created": "artifacts_by_created",
    "updated": "artifacts_by_updated",
    "size": "artifacts_by_size",
    "name": "artifacts_by_name",
}

_ARTIFACT_ORDER = {
    "created": "a.created_ns",
    "updated": "a.updated_ns",
    "modified": "a.mtime_ns",
    "size": "a.size",
    "name": "a.name",
    "path": "a.path",
    "type": "a.type",
    "session": "s.id",
}
_ARTIFACT_TIES = ("s.id", "a.path", "a.seq", "a.version", "a.key")

_SESSION_ORDER = {
    "created": "s.created_ns",
    "updated": "s.updated_ns",
    "size": "s.size",
    "artifacts": "s.artifact_count",
    "events": "s.event_count",
    "name": "ifnull(s.name, '')",
    "status": "s.status",
    "id": "s.id",
}
_SESSION_TIES = ("s.id",)

_ARTIFACT_SELECT = f"SELECT s.id, {', '.join(f'a.{name}' for name in COLUMNS)}"
_SESSION_SELECT = f"SELECT {', '.join(f's.{name}' for name in INFO_COLUMNS)}"
_WITH_SESSION = "CROSS JOIN sessions s ON s.key = a.session"
_BY_SESSION = "sessions s INDEXED BY sessions_by_id CROSS JOIN artifacts a INDEXED BY artifacts_by_path"


class Plan(NamedTuple):
    """A statement, and in a few words how it finds what it finds."""

    sql: Sql
    way: str


class _Way(NamedTuple):
    """What to go through: what stands behind FROM, a condition that belongs to it, what that makes sure of."""

    source: str
    where: Sql
    text: str
    sure: Term | None = None
    created: str = "a.created_ns"
    is_sorted: bool = True


class _Known(NamedTuple):
    """A term that can be looked up, and how many artifacts it stands for, as far as they were counted."""

    term: Term
    lookup: Lookup
    number: int | None = None

    @property
    def name(self) -> str:
        """What it is about, for people."""
        return str(getattr(self.term, "field", None) or getattr(self.term, "key", None) or type(self.term).__name__)


def plan_page(database: sqlite3.Connection, query: Query, page: Page) -> Plan:
    """Return the statement that gives the rows of a page, in order."""
    if query.subject is Subject.SESSIONS:
        return _plan_sessions(query, page)
    chosen = standings(query.where, versions=query.versions)
    way = _choose(database, query, page, chosen)
    parts = [way.where, has_standing(chosen), *_checked(query, way.sure)]
    if page.after is not None:
        parts.append(_after(page, _ARTIFACT_ORDER, _ARTIFACT_TIES))
    where = join(parts, "AND")
    source = way.source if way.source == _BY_SESSION else f"{way.source} {_WITH_SESSION}"
    order = _order(page, {**_ARTIFACT_ORDER, "created": way.created}, _ARTIFACT_TIES)
    limit = _limit(page)
    if way.is_sorted or page.limit is None:
        text = f"{_ARTIFACT_SELECT} FROM {source} WHERE {where.text}{order}{limit.text}"
        return Plan(Sql(text, where.values + limit.values), way.text)
    # What is sorted is small: the rows are read when it is known which.
    keys = f"SELECT a.key FROM {source} WHERE {where.text}{order}{limit.text}"
    text = f"{_ARTIFACT_SELECT} FROM artifacts a NOT INDEXED {_WITH_SESSION} WHERE a.key IN ({keys}){order}"
    return Plan(Sql(text, where.values + limit.values), way.text)


def plan_count(database: sqlite3.Connection, query: Query) -> Plan:
    """Return the statement that counts what a query asks for."""
    if query.subject is Subject.SESSIONS:
        where = of_session(query.where)
        text = f"SELECT count(*) FROM sessions s WHERE s.is_there AND {where.text}"
        return Plan(Sql(text, where.values), "all sessions")
    chosen = standings(query.where, versions=query.versions)
    if query.where == And(()) and chosen == (PRESENT,):
        return Plan(Sql("SELECT ifnull(sum(artifact_count), 0) FROM sessions WHERE is_there"), "counts of sessions")
    known = _lookups(query, chosen)
    if len(query.parts) == 1 and known and known[0].lookup.fits:
        keys = known[0].lookup.keys
        every = "" if known[0].lookup.is_unique else "DISTINCT "
        return Plan(Sql(f"SELECT count(*) FROM (SELECT {every}* FROM ({keys.text}))", keys.values), known[0].name)
    counted = _count_all(database, known, _COUNTED_OF_SEVERAL)
    fewest = min((one for one in counted if one.number is not None), key=lambda one: one.number or 0, default=None)
    way = _Way("artifacts a", TRUE, "all artifacts")
    if fewest is not None:
        way = _looked_up(fewest)
    elif any(one.lookup.walk is not None for one in counted):
        way = _walked(next(one for one in counted if one.lookup.walk is not None))
    where = join([way.where, has_standing(chosen), *_checked(query, way.sure)], "AND")
    return Plan(Sql(f"SELECT count(*) FROM {way.source} WHERE {where.text}", where.values), way.text)


def _choose(database: sqlite3.Connection, query: Query, page: Page, chosen: tuple[int, ...]) -> _Way:
    """Return the way to a page's rows that is likely to cost least."""
    known = _lookups(query, chosen)
    if page.order.key == "created" and len(query.parts) == 1 and known and known[0].lookup.walk is not None:
        return _walked(known[0])  # each row on it is wanted
    total = _total(database)
    counted = _count_all(database, known, min(_COUNTED if len(known) == 1 else _COUNTED_OF_SEVERAL, total))
    parts = {id(one.term): _UNCOUNTED_PART if one.number is None else one.number / max(total, 1) for one in counted}
    part_of_all = 1.0
    for term in query.parts:
        part_of_all *= parts.get(id(term), _UNCOUNTED_PART)
    wanted = total if page.limit is None else page.offset + page.limit
    met = min(total, wanted / max(part_of_all, 1 / max(total, 1)))  # on a walk through all
    ways: list[tuple[float, _Way]] = [(met * _WALKED_US, _walk_through_all(page, chosen, total))]
    if not ways[0][1].is_sorted:
        ways = [(total * _WALKED_US, ways[0][1])]
    for one in counted:
        count = total * _UNCOUNTED_PART if one.number is None else one.number
        ways.append((count * _LOOKED_UP_US, _looked_up(one)))
        if one.lookup.walk is not None and page.order.key == "created":
            ways.append((min(count, met * parts[id(one.term)]) * _LOOKED_UP_US, _walked(one)))
    return min(ways, key=lambda way: way[0])[1]


def _walk_through_all(page: Page, chosen: tuple[int, ...], total: int) -> _Way:
    if page.order.key == "session":
        return _Way(_BY_SESSION, Sql("a.session = s.key"), "walk through all by session")
    index = _SORTED_INDEX.get(page.order.key)
    if index is None or len(chosen) > 1:
        return _Way("artifacts a", TRUE, "all artifacts; sort", is_sorted=False)
    return _Way(f"artifacts a INDEXED BY {index}", TRUE, f"walk through all by {page.order.key}")


def _walked(known: _Known) -> _Way:
    walk = known.lookup.walk
    assert walk is not None
    sure = known.term if known.lookup.fits else None
    return _Way(walk.source, walk.where, f"walk through {known.name} in the order of creation", sure, walk.created)


def _looked_up(known: _Known) -> _Way:
    keys = known.lookup.keys
    sure = known.term if known.lookup.fits else None
    where = Sql(f"a.key IN ({keys.text})", keys.values)
    text = f"look up {known.name}" + ("" if known.number is None else f", {known.number} artifacts") + "; sort"
    return _Way("artifacts a NOT INDEXED", where, text, sure, is_sorted=False)


def _checked(query: Query, sure: Term | None) -> list[Sql]:
    """Return the conditions that have to be checked, when one term is made sure of already."""
    return [of_artifact(part) for part in query.parts if part is not sure]


def _lookups(query: Query, chosen: tuple[int, ...]) -> list[_Known]:
    """Return which of the terms that must all fit can be looked up."""
    found = [(part, find_lookup(part, chosen)) for part in query.parts]
    return [_Known(part, lookup) for part, lookup in found if lookup is not None]


def _count_all(database: sqlite3.Connection, known: list[_Known], limit: int) -> list[_Known]:
    """Return *known* with how many artifacts each stands for; None for *limit* or more."""
    counted = []
    for one in known:
        statement = f"SELECT count(*) FROM (SELECT 1 FROM ({one.lookup.keys.text}) LIMIT ?)"
        (count,) = database.execute(statement, (*one.lookup.keys.values, limit)).fetchone()
        counted.append(one._replace(number=count if count < limit else None))
        if count == 0:
            break
    return counted


def _total(database: sqlite3.Connection) -> int:
    """Return about how many rows there are: the highest key, which is looked up at once."""
    (highest,) = database.execute("SELECT max(key) FROM artifacts").fetchone()
    return highest or 0


def _plan_sessions(query: Query, page: Page) -> Plan:
    parts = [Sql("s.is_there"), of_session(query.where)]
    if page.after is not None:
        parts.append(_after(page, _SESSION_ORDER, _SESSION_TIES))
    where, limit = join(parts, "AND"), _limit(page)
    order = _order(page, _SESSION_ORDER, _SESSION_TIES)
    text = f"{_SESSION_SELECT} FROM sessions s WHERE {where.text}{order}{limit.text}"
    return Plan(Sql(text, where.values + limit.values), "all sessions; sort")


def _after(page: Page, by_name: dict[str, str], ties: tuple[str, ...]) -> Sql:
    """Return the condition that a row comes after the place where another page ended."""
    assert page.after is not None
    column = by_name[page.order.key]
    sign = "<" if page.order.reverse else ">"
    columns = ", ".join([column, *ties])
    marks = ", ".join("?" * len(page.after))
    place = tuple(fit(value) if isinstance(value, int) else bindable(value) for value in page.after)
    # The first part alone is what an index can be entered with.
    return Sql(f"{column} {sign}= ? AND ({columns}) {sign} ({marks})", (place[0], *place))


def _order(page: Page, by_name: dict[str, str], ties: tuple[str, ...]) -> str:
    way = " DESC" if page.order.reverse else ""
    columns = dict.fromkeys([by_name[page.order.key], *ties])
    return " ORDER BY " + ", ".join(f"{column}{way}" for column in columns)


def _limit(page: Page) -> Sql:
    if page.limit is None and not page.offset:
        return Sql("")
    return Sql(" LIMIT ? OFFSET ?", (-1 if page.limit is None else page.limit, page.offset))
