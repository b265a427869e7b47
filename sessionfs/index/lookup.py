"""Which artifacts can be looked up in an index by a term, instead of being checked one by one.

A lookup gives the keys of at least all artifacts that fit. Some lookups can also be walked through in the order of
creation.
"""

from __future__ import annotations

from typing import NamedTuple

from sessionfs.artifacts import text_of
from sessionfs.index.conditions import (
    ARTIFACT_COLUMNS,
    Sql,
    bindable,
    by_field,
    has_standing,
    in_parts,
    is_any,
    join,
    of_session,
    oid_bounds,
    prefix_bounds,
    within,
)
from sessionfs.query.globs import Glob, Style
from sessionfs.query.terms import (
    And,
    Meta,
    MetaMatches,
    MetaWithin,
    OfSession,
    OidIs,
    Or,
    Term,
    TextIs,
    TextMatches,
    Within,
    any_of,
)


class Walk(NamedTuple):
    """A table or index to go through in the order of creation: what stands after FROM, and the rows that are meant."""

    source: str
    created: str  # the column that it is sorted by
    where: Sql


class Lookup(NamedTuple):
    """How the artifacts that fit a term are looked up."""

    keys: Sql  # a SELECT of their keys
    fits: bool = False  # all of these fit
    is_unique: bool = True  # each comes once
    walk: Walk | None = None


_INDEX_OF = {"type": "artifacts_by_type", "mime": "artifacts_by_mime", "by": "artifacts_by_creator"}

# SQLite joins 500 SELECTs with UNION ALL, and no more.
_TOGETHER = 100

_SORTED_BY = {"size": "artifacts_by_size", "created": "artifacts_by_created", "updated": "artifacts_by_updated"}


def find_lookup(term: Term, standings: tuple[int, ...]) -> Lookup | None:
    """Return how the artifacts that fit *term* and have one of *standings* are looked up; None when they cannot be."""
    if isinstance(term, TextIs):
        return _of_texts(term.field, [term.text], standings)
    if isinstance(term, TextMatches):
        return _of_pattern(term, standings)
    if isinstance(term, Within) and term.field in _SORTED_BY:
        bounds = within(ARTIFACT_COLUMNS[term.field], term)
        return Lookup(_keys(_SORTED_BY[term.field], [has_standing(standings), bounds]), fits=True)
    if isinstance(term, OidIs):
        between = Sql("a.oid BETWEEN ? AND ?", oid_bounds(term))
        return Lookup(_keys("artifacts_by_oid", [between, has_standing(standings)]), fits=True)
    if isinstance(term, Meta | MetaMatches | MetaWithin):
        return _of_metadata(term, standings)
    if isinstance(term, OfSession):
        where = join([Sql("s.is_there"), of_session(term.part), has_standing(standings)], "AND")
        source = "sessions s CROSS JOIN artifacts a INDEXED BY artifacts_by_path ON a.session = s.key"
        return Lookup(Sql(f"SELECT a.key FROM {source} WHERE {where.text}", where.values), fits=True)
    if isinstance(term, And):
        found = [lookup for part in term.parts if (lookup := find_lookup(part, standings)) is not None]
        return found[0]._replace(fits=False, walk=None) if found else None
    if isinstance(term, Or) and term.parts:
        return _of_any(term, standings)
    return None


def _of_any(term: Or, standings: tuple[int, ...]) -> Lookup | None:
    texts, others = by_field(term.parts)
    found = [_of_texts(field, some, standings) for field, some in texts.items()]
    found += [find_lookup(part, standings) for part in others]
    known = [lookup for lookup in found if lookup is not None]
    if len(known) < len(found):
        return None
    if len(known) == 1:
        return known[0]
    keys = _united([lookup.keys for lookup in known])
    return Lookup(keys, fits=all(lookup.fits for lookup in known), is_unique=False)


def _united(selects: list[Sql]) -> Sql:
    if len(selects) > _TOGETHER:
        parts = [_united(some) for some in in_parts(selects, _TOGETHER)]
        return _united([Sql(f"SELECT * FROM ({part.text})", part.values) for part in parts])
    text = " UNION ALL ".join(select.text for select in selects)
    return Sql(text, tuple(value for select in selects for value in select.values))


def _keys(index: str, where: list[Sql]) -> Sql:
    chosen = join(where, "AND")
    return Sql(f"SELECT a.key FROM artifacts a INDEXED BY {index} WHERE {chosen.text}", chosen.values)


def _of_texts(field: str, texts: list[str], standings: tuple[int, ...]) -> Lookup | None:
    """Return the lookup by a field that is one of *texts*."""
    is_one = len(set(texts)) == 1
    if field == "session":
        return find_lookup(OfSession(any_of([TextIs("id", text) for text in texts])), standings)
    if field in ("name", "path"):  # of a path its last part
        name = is_any("a.name", (text_of(text.rpartition("/")[2]) for text in texts))
        return Lookup(_keys("artifacts_by_name", [has_standing(standings), name]), fits=field == "name")
    if field == "tag":
        return _of_table("tags", [is_any("t.tag", map(bindable, texts))], standings, fits=True, is_one=is_one)
    index = _INDEX_OF.get(field)
    if index is None:
        return None
    chosen = is_any(ARTIFACT_COLUMNS[field], map(bindable, texts))
    return _of_column(index, chosen, standings, fits=True, is_one=is_one)


def _of_pattern(term: TextMatches, standings: tuple[int, ...]) -> Lookup | None:
    if term.field == "session":
        return find_lookup(OfSession(TextMatches("id", term.glob)), standings)
    if term.field in ("name", "path"):
        return _of_name(term.field, term.glob, standings)
    if term.field == "tag":
        tagged = _beginning("t.tag", term.glob)
        return None if tagged is None else _of_table("tags", [tagged], standings, fits=False, is_one=False)
    index = _INDEX_OF.get(term.field)
    chosen = None if index is None else _beginning(ARTIFACT_COLUMNS[term.field], term.glob)
    if index is None or chosen is None:
        return None
    return _of_column(index, chosen, standings, fits=False, is_one=False)


def _of_column(index: str, chosen: Sql, standings: tuple[int, ...], *, fits: bool, is_one: bool) -> Lookup:
    """Return the lookup by an index that begins with a column, and goes on with standing and time of creation.

    Args:
        is_one: One value of the column is chosen.
    """
    where = [chosen, has_standing(standings)]
    walk = Walk(f"artifacts a INDEXED BY {index}", "a.created_ns", join(where, "AND"))
    return Lookup(_keys(index, where), fits=fits, walk=walk if is_one and len(standings) == 1 else None)


def _of_table(table: str, chosen: list[Sql], standings: tuple[int, ...], *, fits: bool, is_one: bool) -> Lookup:
    """Return the lookup by the table of tags or of metadata; otherwise as :func:`_of_column`."""
    where = join([*chosen, has_standing(standings, "t.standing")], "AND")
    walk = Walk(f"{table} t CROSS JOIN artifacts a ON a.key = t.artifact", "t.created_ns", where)
    keys = Sql(f"SELECT t.artifact FROM {table} t WHERE {where.text}", where.values)
    return Lookup(keys, fits=fits, is_unique=is_one, walk=walk if is_one and len(standings) == 1 else None)


def _beginning(column: str, glob: Glob) -> Sql | None:
    """Return the part of an index that the beginning of a pattern stands for."""
    bounds = prefix_bounds(bindable(glob.prefix))
    return None if bounds is None else Sql(f"({column} >= ? AND {column} < ?)", bounds)


def _of_name(field: str, glob: Glob, standings: tuple[int, ...]) -> Lookup | None:
    """Return the lookup by the name that matches; of a path by its last part."""
    of_name = field == "name"
    if glob.style is Style.PATH:
        glob = Glob(glob.pattern.rpartition("/")[2], folded=glob.folded)
    if glob.folded:
        return None  # nothing is sorted without regard to case
    if glob.ending is not None:
        ending = Sql("a.ending = ?", (text_of(glob.ending),))
        return _of_column("artifacts_by_ending", ending, standings, fits=of_name, is_one=True)
    bounds = prefix_bounds(text_of(glob.prefix))
    if bounds is None:
        return None
    name = Sql("(a.name >= ? AND a.name < ?)", bounds)
    return Lookup(_keys("artifacts_by_name", [has_standing(standings), name]))


def _of_metadata(term: Meta | MetaMatches | MetaWithin, standings: tuple[int, ...]) -> Lookup:
    key = bindable(term.key)
    named = Sql("t.name = ?", (key,))
    if isinstance(term, Meta):
        chosen = [Sql("(t.name = ? OR (t.name >= ? AND t.name < ?))", (key, f"{key}.", f"{key}/"))]
        return _of_table("metadata", chosen, standings, fits=True, is_one=False)
    if isinstance(term, MetaMatches):
        bounds = prefix_bounds(bindable(term.glob.prefix))
        chosen = [named, Sql("t.value >= ''") if bounds is None else Sql("t.value >= ? AND t.value < ?", bounds)]
        return _of_table("metadata", chosen, standings, fits=False, is_one=False)
    return _of_table("metadata", [named, *_bounds(term)], standings, fits=True, is_one=term.is_one)


def _bounds(term: MetaWithin) -> list[Sql]:
    """Return the bounds of a value; for SQLite every number is less than every text."""
    low, high = bindable(term.low), bindable(term.high)
    if term.is_one:
        return [Sql("t.value = ?", (low,))]
    are_texts = isinstance(low if low is not None else high, str)
    parts: list[Sql] = []
    if low is not None:
        parts.append(Sql(f"t.value {'>=' if term.low_included else '>'} ?", (low,)))
    elif are_texts:
        parts.append(Sql("t.value >= ''"))
    if high is not None:
        parts.append(Sql(f"t.value {'<=' if term.high_included else '<'} ?", (high,)))
    elif not are_texts:
        parts.append(Sql("t.value < ''"))
    return parts
