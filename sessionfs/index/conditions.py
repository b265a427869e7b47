"""A query's terms as SQL: each as an expression that is true or false of one row, and never NULL.

The rows are ``a`` of the table artifacts, or ``s`` of the table sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sessionfs.artifacts import text_of
from sessionfs.index.functions import OF_NAMES, STYLES, meta_arguments
from sessionfs.index.row import fit
from sessionfs.index.schema import DIRECTORY, PAST, PRESENT
from sessionfs.query.globs import Glob, Style
from sessionfs.query.terms import (
    And,
    HasArtifact,
    HasText,
    Meta,
    MetaMatches,
    MetaWithin,
    Not,
    OfSession,
    OidIs,
    Or,
    Term,
    TextIs,
    TextMatches,
    Within,
    asks_for_kind,
)

_OID_BYTES = 32

# SQLite reads "a OR b OR c" as deep as it is long, and to a depth of 1,000.
_TOGETHER = 100


class Sql(NamedTuple):
    """A piece of SQL, and the values for its question marks."""

    text: str
    values: tuple[Any, ...] = ()


TRUE = Sql("1")
FALSE = Sql("0")

ARTIFACT_COLUMNS = {
    "name": "a.name",
    "path": "a.path",
    "type": "a.type",
    "mime": "a.mime_type",
    "kind": "a.kind",
    "description": "a.description",
    "by": "a.created_by",
    "size": "a.size",
    "stored": "a.stored_size",
    "version": "a.version",
    "links": "a.links",
    "created": "a.created_ns",
    "updated": "a.updated_ns",
    "modified": "a.mtime_ns",
    "id": "(ifnull(a.maker, (SELECT o.id FROM sessions o WHERE o.key = a.session)) || ':' || a.seq)",
}

SESSION_COLUMNS = {
    "id": "s.id",
    "name": "s.name",
    "status": "s.status",
    "description": "s.description",
    "parent": "s.parent",
    "template": "s.template",
    "reason": "s.reason",
    "by": "s.created_by",
    "size": "s.size",
    "stored": "s.stored_size",
    "artifacts": "s.artifact_count",
    "events": "s.event_count",
    "state": "s.state_count",
    "created": "s.created_ns",
    "updated": "s.updated_ns",
    "started": "s.started_ns",
    "ended": "s.ended_ns",
}

_MAY_BE_NULL = frozenset(
    {"a.description", "s.name", "s.description", "s.parent", "s.template", "s.reason", "s.ended_ns", "j.value", "a.oid"}
)

_OF_ARTIFACT = "t.standing = a.standing AND t.created_ns = a.created_ns AND t.artifact = a.key"


def join(pieces: list[Sql], word: str) -> Sql:
    """Return *pieces* joined by AND or OR; what is always true is left out of AND."""
    if word == "AND":
        pieces = [piece for piece in pieces if piece != TRUE] or [TRUE]
    if len(pieces) > _TOGETHER:
        return join([join(some, word) for some in in_parts(pieces, _TOGETHER)], word)
    text = f" {word} ".join(piece.text for piece in pieces)
    values = tuple(value for piece in pieces for value in piece.values)
    return Sql(f"({text})" if len(pieces) > 1 else text, values)


def in_parts(pieces: list[Sql], length: int) -> list[list[Sql]]:
    """Return *pieces* in lists of at most so many."""
    return [pieces[at : at + length] for at in range(0, len(pieces), length)]


def is_any(column: str, values: Iterable[Any]) -> Sql:
    """Return the condition that a column is one of *values*."""
    chosen = tuple(dict.fromkeys(values))
    if len(chosen) == 1:
        return Sql(f"{column} = ?", chosen)
    return Sql(f"{column} IN ({', '.join('?' * len(chosen))})", chosen)


def by_field(parts: Iterable[Term]) -> tuple[dict[str, list[str]], list[Term]]:
    """Return the texts of which a field is one, by field, and the other terms: what any of *parts* stands for."""
    texts: dict[str, list[str]] = {}
    others: list[Term] = []
    for part in parts:
        if isinstance(part, TextIs):
            texts.setdefault(part.field, []).append(part.text)
        else:
            others.append(part)
    return texts, others


def standings(where: Term, *, versions: bool) -> tuple[int, ...]:
    """Return the standings of the artifacts that are looked at; see :mod:`sessionfs.index.schema`."""
    found: tuple[int, ...] = (PRESENT, DIRECTORY) if asks_for_kind(where) else (PRESENT,)
    for part in where.parts if isinstance(where, And) else (where,):
        if isinstance(part, TextIs) and part.field == "kind":
            found = (DIRECTORY,) if part.text == "directory" else (PRESENT,)
    return (PAST, *found) if versions else found


def has_standing(chosen: tuple[int, ...], column: str = "a.standing") -> Sql:
    """Return the condition that a row has one of these standings."""
    if len(chosen) == 1:
        return Sql(f"{column} = {chosen[0]}")
    return Sql(f"{column} IN ({', '.join(map(str, chosen))})")


# Artifacts


def of_artifact(term: Term) -> Sql:
    """Return the condition that an artifact fits *term*."""
    if isinstance(term, And | Or | Not):
        return _joined(term, of_artifact, _of_artifact_texts)
    if isinstance(term, HasText):
        return _has_text(term, Sql("a.name"), Sql("a.description"), is_name=True)
    if isinstance(term, OfSession):
        return _in_session(of_session(term.part))
    if isinstance(term, OidIs):
        low, high = oid_bounds(term)
        return Sql(_never_null("a.oid", "a.oid BETWEEN ? AND ?"), (low, high))
    if isinstance(term, Within):
        return within(ARTIFACT_COLUMNS[term.field], term)
    if isinstance(term, MetaWithin) and term.is_one:
        values = (bindable(term.key), bindable(term.low))
        return Sql(f"EXISTS (SELECT 1 FROM metadata t WHERE t.name = ? AND t.value = ? AND {_OF_ARTIFACT})", values)
    if isinstance(term, Meta | MetaMatches | MetaWithin):
        return _fits_metadata(term, "a.metadata")
    if isinstance(term, TextIs):
        return _of_artifact_texts(term.field, [term.text])
    assert isinstance(term, TextMatches)
    if term.field == "session":
        return _in_session(of_session(TextMatches("id", term.glob)))
    if term.field == "tag":
        return _matches_tags(term, "a.tags")
    column = ARTIFACT_COLUMNS[term.field]
    return _name(column, term.glob) if term.field in ("name", "path") else _matches(column, term.glob)


def _of_artifact_texts(field: str, texts: list[str]) -> Sql:
    """Return the condition that a field of an artifact is one of *texts*."""
    if field == "session":
        return _in_session(_of_session_texts("id", texts))
    if field == "tag":
        tagged = is_any("t.tag", map(bindable, texts))
        return Sql(f"EXISTS (SELECT 1 FROM tags t WHERE {tagged.text} AND {_OF_ARTIFACT})", tagged.values)
    return _is_text(ARTIFACT_COLUMNS[field], map(text_of if field in ("name", "path") else bindable, texts))


def _in_session(chosen: Sql) -> Sql:
    return Sql(f"a.session IN (SELECT s.key FROM sessions s WHERE s.is_there AND {chosen.text})", chosen.values)


def _name(column: str, glob: Glob) -> Sql:
    """Return the condition that a name or path, which is in text form, matches.

    Where text form and name are the same, SQLite's GLOB says what ours does, in a tenth of the time.
    """
    pattern = text_of(glob.pattern)
    exact = Sql(f"sfs_matches({column}, ?, ?)", (pattern, STYLES[glob.style, glob.folded] + OF_NAMES))
    if pattern != glob.pattern or "[" in pattern:
        return join([*_prefix(column, glob), exact], "AND")
    is_plain = f"instr({column}, '\\') = 0"
    if glob.style is Style.PATH:
        if glob.folded:
            return exact
        wider = pattern.replace("**/", "*").replace("**", "*")
        fast = Sql(f"({column} GLOB ? OR NOT {is_plain})", (wider,))
        return join([*_prefix(column, glob), fast, exact], "AND")
    if glob.folded:
        folded = pattern.casefold()
        if not folded.isascii():
            return exact
        fast = Sql(f"lower({column}) GLOB ?", (folded,))
        is_plain += f" AND {_is_ascii(column)}"
    else:
        fast = Sql(f"{column} GLOB ?", (pattern,))
    case = f"CASE WHEN {is_plain} THEN {fast.text} ELSE {exact.text} END"
    return join([*_prefix(column, glob), Sql(case, fast.values + exact.values)], "AND")


def _prefix(column: str, glob: Glob) -> list[Sql]:
    """Return what can be looked up of a pattern that begins with something fixed."""
    bounds = prefix_bounds(text_of(glob.prefix))
    return [] if bounds is None else [Sql(f"({column} >= ? AND {column} < ?)", bounds)]


def prefix_bounds(prefix: str) -> tuple[str, str] | None:
    """Return between which texts all lie that begin with *prefix*; the second is not among them."""
    for length in range(len(prefix), 0, -1):
        code = ord(prefix[length - 1]) + 1
        code = 0xE000 if code == 0xD800 else code
        if code <= 0x10FFFF:
            return prefix, prefix[: length - 1] + chr(code)
    return None


def oid_bounds(term: OidIs) -> tuple[bytes, bytes]:
    """Return the first and the last oid that begins with these digits."""
    return tuple(bytes.fromhex(term.digits.ljust(2 * _OID_BYTES, fill)) for fill in "0f")  # type: ignore[return-value]


# Sessions


def of_session(term: Term) -> Sql:
    """Return the condition that a session fits *term*."""
    if isinstance(term, And | Or | Not):
        return _joined(term, of_session, _of_session_texts)
    if isinstance(term, HasText):
        return _has_text(term, Sql("s.name"), Sql("s.description"), is_name=False)
    if isinstance(term, HasArtifact):
        # Late: a query about artifacts may hold one about sessions, and the other way round.
        from sessionfs.index.lookup import find_lookup

        chosen = standings(term.part, versions=False)
        parts = [has_standing(chosen), of_artifact(term.part)]
        lookup = find_lookup(term.part, chosen)
        if lookup is not None:
            parts.append(Sql(f"a.key IN ({lookup.keys.text})", lookup.keys.values))
        inner = join(parts, "AND")
        hint = "NOT INDEXED " if lookup is not None else ""
        return Sql(f"s.key IN (SELECT a.session FROM artifacts a {hint}WHERE {inner.text})", inner.values)
    if isinstance(term, Within):
        return within(SESSION_COLUMNS[term.field], term)
    if isinstance(term, MetaWithin) and term.is_one:
        values = (bindable(term.key), bindable(term.low))
        return Sql("s.key IN (SELECT t.session FROM session_metadata t WHERE t.name = ? AND t.value = ?)", values)
    if isinstance(term, Meta | MetaMatches | MetaWithin):
        return _fits_metadata(term, "s.metadata")
    if isinstance(term, TextIs):
        return _of_session_texts(term.field, [term.text])
    assert isinstance(term, TextMatches)
    return _matches_tags(term, "s.tags") if term.field == "tag" else _matches(SESSION_COLUMNS[term.field], term.glob)


def _of_session_texts(field: str, texts: list[str]) -> Sql:
    """Return the condition that a field of a session is one of *texts*."""
    if field == "tag":
        tagged = is_any("t.tag", map(bindable, texts))
        return Sql(f"s.key IN (SELECT t.session FROM session_tags t WHERE {tagged.text})", tagged.values)
    return _is_text(SESSION_COLUMNS[field], map(bindable, texts))


# Both


def _joined(term: And | Or | Not, of_one: Callable[[Term], Sql], of_texts: Callable[[str, list[str]], Sql]) -> Sql:
    if isinstance(term, Not):
        inner = of_one(term.part)
        return Sql(f"NOT ({inner.text})", inner.values)
    if not term.parts:
        return TRUE if isinstance(term, And) else FALSE
    if isinstance(term, And):
        return join([of_one(part) for part in term.parts], "AND")
    texts, others = by_field(term.parts)
    return join([*(of_texts(field, some) for field, some in texts.items()), *map(of_one, others)], "OR")


def within(column: str, term: Within) -> Sql:
    """Return the condition that a number lies within bounds."""
    parts: list[Sql] = []
    if term.low is not None:
        parts.append(Sql(f"{column} >= ?", (fit(term.low),)))
    if term.high is not None:
        parts.append(Sql(f"{column} < ?", (fit(term.high),)))
    if not parts:
        return TRUE
    both = join(parts, "AND")
    return Sql(_never_null(column, both.text), both.values)


def _is_text(column: str, texts: Iterable[str]) -> Sql:
    chosen = is_any(column, texts)
    return Sql(_never_null(column, chosen.text), chosen.values)


def _matches(column: str, glob: Glob) -> Sql:
    exact = Sql(f"sfs_matches({column}, ?, ?)", (bindable(glob.pattern), STYLES[glob.style, glob.folded]))
    if not glob.is_simple or "\0" in glob.pattern:
        return exact
    # SQLite's GLOB ends at NUL.
    case = f"CASE WHEN instr({column}, char(0)) THEN {exact.text} ELSE {column} GLOB ? END"
    return Sql(_never_null(column, case), (*exact.values, bindable(glob.pattern)))


def _never_null(column: str, condition: str) -> str:
    """Return a condition that is false where the column has no value; as it is, where it always has one."""
    return f"ifnull({condition}, 0)" if column in _MAY_BE_NULL else condition


def _matches_tags(term: TextMatches, column: str) -> Sql:
    inner = _matches("j.value", term.glob)
    return Sql(f"EXISTS (SELECT 1 FROM json_each({column}) j WHERE {inner.text})", inner.values)


def _fits_metadata(term: Meta | MetaMatches | MetaWithin, column: str) -> Sql:
    arguments = tuple(bindable(value) for value in meta_arguments(term))
    return Sql(f"({column} IS NOT NULL AND sfs_meta({column}, ?, ?, ?, ?, ?))", arguments)


def _has_text(term: HasText, name: Sql, description: Sql, *, is_name: bool) -> Sql:
    column, part = name.text, term.text.casefold()
    exact = f"sfs_has({column}, ?, {int(is_name)})"
    in_name = Sql(exact, (text_of(part) if is_name else bindable(part),))
    if is_name and part.isascii():
        case = f"CASE WHEN instr({column}, '\\') = 0 AND {_is_ascii(column)} THEN instr(lower({column}), ?) > 0"
        in_name = Sql(f"{case} ELSE {exact} END", (part, *in_name.values))
    in_description = f"({description.text} IS NOT NULL AND sfs_has({description.text}, ?, 0))"
    return join([in_name, Sql(in_description, (bindable(part),))], "OR")


def _is_ascii(column: str) -> str:
    return f"length({column}) = length(CAST({column} AS BLOB))"


def bindable(value: Any) -> Any:
    """Return a value that SQLite takes; a stray byte of a command line is in no text but a name, and matches none."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return text_of(value)
    return value
