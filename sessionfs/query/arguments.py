"""From the keywords of Python's ``find`` to a query: each keyword is a term, and all must fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack

from sessionfs.clock import parse_any_time, system_clock
from sessionfs.errors import InvalidInput
from sessionfs.query import values
from sessionfs.query.fields import CHOICES
from sessionfs.query.flat import plain_value
from sessionfs.query.globs import Glob, Style
from sessionfs.query.parse import parse_query
from sessionfs.query.scan import find_half
from sessionfs.query.terms import (
    HasArtifact,
    HasText,
    MetaWithin,
    Not,
    OfSession,
    OidIs,
    Query,
    Subject,
    Term,
    TextIs,
    TextMatches,
    Within,
    all_of,
    any_of,
    count_terms,
)

Texts = str | Iterable[str]
"""One text, or several of which any will do; patterns with ``*``, ``?`` and ``[…]``."""

Time = int | str | datetime
"""Nanoseconds since the epoch; a text as queries have it (``2026-11-20``, ``7d``, ``7 days ago``); a datetime."""

# Each may need seven parameters of a statement, and a usual SQLite has room for 32,766.
_MAX_TERMS = 4_000

_Result = TypeVar("_Result")

_Make = Callable[[str, Any, int], Term]
"""Makes the term of a keyword's name and value, at a time in nanoseconds since the epoch."""


class BadFilter(InvalidInput):
    """A keyword that has a value it cannot have."""


class _Filters(TypedDict, total=False):
    tags: Texts | None  # all of them
    any_tags: Texts | None
    no_tags: Texts | None
    metadata: Mapping[str, Any] | None  # values by key; dots lead into objects
    created_by: Texts | None
    created_after: Time | None
    created_before: Time | None
    updated_after: Time | None
    updated_before: Time | None
    min_size: int | str | None  # bytes, also as "1M"; both included
    max_size: int | str | None
    contains: str | None  # in the name or description, whatever the case


class ArtifactFilters(_Filters, total=False):
    """What artifacts can be found by, each of it with None for anything."""

    session: Texts | None  # ids
    sessions: str | None  # a query that their sessions fit
    name: Texts | None  # with "/" in it a path, where ** stands for any number of directories
    iname: Texts | None  # the same, whatever the case
    type: Texts | None
    mime_type: Texts | None
    kind: Texts | None
    oid: str | None  # of the content, or its start


class SessionFilters(_Filters, total=False):
    """What sessions can be found by, each of it with None for anything."""

    id: Texts | None
    name: Texts | None
    iname: Texts | None
    status: Texts | None
    parent: Texts | None
    template: Texts | None
    has: str | None  # a query that one of their artifacts fits


def artifact_query(text: str | None = None, *, versions: bool = False, **filters: Unpack[ArtifactFilters]) -> Query:
    """Return the query for artifacts that *text*, a query, and all of *filters* fit.

    Args:
        versions: Look at what was there once, too.

    Raises:
        BadQuery: A query is none.
        BadFilter: A keyword is unknown, or cannot be what was given.
    """
    query = _query(Subject.ARTIFACTS, text, filters)
    return Query(subject=query.subject, where=query.where, versions=query.versions or versions)


def session_query(text: str | None = None, **filters: Unpack[SessionFilters]) -> Query:
    """Return the query for sessions that *text*, a query, and all of *filters* fit; see :func:`artifact_query`."""
    return _query(Subject.SESSIONS, text, filters)


def _query(subject: Subject, text: str | None, filters: Mapping[str, Any]) -> Query:
    now_ns = system_clock()
    query = parse_query(_text("the query", text or ""), subject, now_ns=now_ns)
    terms = [query.where]
    for keyword, value in filters.items():
        make = _KEYWORDS[subject].get(keyword)
        if make is None:
            raise BadFilter(f"{subject.value} cannot be found by {keyword!r}; by: {', '.join(_KEYWORDS[subject])}")
        if value is not None:
            terms.append(make(keyword, value, now_ns))
    where = all_of(terms)
    if (count := count_terms(where)) > _MAX_TERMS:
        raise BadFilter(f"{count} values were given, and {_MAX_TERMS} are the most; ask for some of them at a time")
    return Query(subject=subject, where=where, versions=query.versions)


# What each keyword means


def _any_of_texts(field: str, choices: tuple[str, ...] = ()) -> _Make:
    def make(keyword: str, value: Any, now_ns: int) -> Term:
        texts = _texts(keyword, value)
        for text in texts:
            if choices and Glob(text).is_literal and text not in choices:
                raise BadFilter(f"{keyword} is one of {', '.join(choices)}; not {text!r}")
        return any_of([_matching(field, text) for text in texts])

    return make


def _any_of_names(*, folded: bool = False, of_artifacts: bool = True) -> _Make:
    def make(keyword: str, value: Any, now_ns: int) -> Term:
        texts = _texts(keyword, value)
        fields = ["path" if of_artifacts and "/" in text else "name" for text in texts]
        return any_of([_matching(field, text, folded=folded) for field, text in zip(fields, texts, strict=True)])

    return make


def _all_tags(keyword: str, value: Any, now_ns: int) -> Term:
    return all_of([TextIs("tag", tag) for tag in _texts(keyword, value)])


def _no_tags(keyword: str, value: Any, now_ns: int) -> Term:
    return Not(any_of([TextIs("tag", tag) for tag in _texts(keyword, value)]))


def _metadata(keyword: str, value: Any, now_ns: int) -> Term:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadFilter(f"{keyword} is a mapping from texts to values; {value!r} was given")
    terms: list[Term] = []
    for key, wanted in value.items():
        plain = plain_value(_text(f"the value of {key!r}", wanted) if isinstance(wanted, str) else wanted)
        if plain is None:
            raise BadFilter(f"{keyword} {key!r} is compared with a text, a number, true, false or null, not {wanted!r}")
        terms.append(MetaWithin(_text("a key", key), plain, plain))
    return all_of(terms)


def _later(field: str) -> _Make:
    return lambda keyword, value, now_ns: Within(field, _time(keyword, value, now_ns) + 1, None)


def _earlier(field: str) -> _Make:
    return lambda keyword, value, now_ns: Within(field, None, _time(keyword, value, now_ns))


def _at_least(keyword: str, value: Any, now_ns: int) -> Term:
    return Within("size", _size(keyword, value), None)


def _at_most(keyword: str, value: Any, now_ns: int) -> Term:
    return Within("size", None, _size(keyword, value) + 1)


def _oid(keyword: str, value: Any, now_ns: int) -> Term:
    return OidIs(_read(keyword, value, values.check_digits))


def _contains(keyword: str, value: Any, now_ns: int) -> Term:
    return HasText(_text(keyword, value))


def _of_sessions(keyword: str, value: Any, now_ns: int) -> Term:
    return OfSession(parse_query(_text(keyword, value), Subject.SESSIONS, now_ns=now_ns).where)


def _has(keyword: str, value: Any, now_ns: int) -> Term:
    return HasArtifact(parse_query(_text(keyword, value), now_ns=now_ns).where)


_BOTH: dict[str, _Make] = {
    "tags": _all_tags,
    "any_tags": _any_of_texts("tag"),
    "no_tags": _no_tags,
    "metadata": _metadata,
    "created_by": _any_of_texts("by"),
    "created_after": _later("created"),
    "created_before": _earlier("created"),
    "updated_after": _later("updated"),
    "updated_before": _earlier("updated"),
    "min_size": _at_least,
    "max_size": _at_most,
    "contains": _contains,
}

_KEYWORDS: dict[Subject, dict[str, _Make]] = {
    Subject.ARTIFACTS: {
        **_BOTH,
        "session": _any_of_texts("session"),
        "sessions": _of_sessions,
        "name": _any_of_names(),
        "iname": _any_of_names(folded=True),
        "type": _any_of_texts("type"),
        "mime_type": _any_of_texts("mime"),
        "kind": _any_of_texts("kind", CHOICES[Subject.ARTIFACTS, "kind"]),
        "oid": _oid,
    },
    Subject.SESSIONS: {
        **_BOTH,
        "id": _any_of_texts("id"),
        "name": _any_of_names(of_artifacts=False),
        "iname": _any_of_names(folded=True, of_artifacts=False),
        "status": _any_of_texts("status", CHOICES[Subject.SESSIONS, "status"]),
        "parent": _any_of_texts("parent"),
        "template": _any_of_texts("template"),
        "has": _has,
    },
}


# Values


def _matching(field: str, text: str, *, folded: bool = False) -> Term:
    glob = Glob(text, Style.PATH if field == "path" else Style.TEXT, folded)
    return TextIs(field, text) if glob.is_literal and not folded else TextMatches(field, glob)


def _texts(name: str, texts: Any) -> list[str]:
    if not isinstance(texts, Iterable):
        raise BadFilter(f"{name} is a text or several; {texts!r} was given")
    return [_text(name, text) for text in ([texts] if isinstance(texts, str) else texts)]


def _text(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise BadFilter(f"{name} is a text; {text!r} was given")
    if find_half(text) is not None:
        raise BadFilter(f"{name} is no valid Unicode: {text!r} has half of a surrogate pair")
    return text


def _time(name: str, value: Any, now_ns: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return parse_any_time(value.isoformat())
    return _read(name, value, lambda text: values.parse_time(text, now_ns)[0])


def _size(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _read(name, value, lambda text: values.parse_bytes(text)[0])


def _read(name: str, value: Any, read: Callable[[str], _Result]) -> _Result:
    try:
        return read(_text(name, value))
    except values.BadValue as failure:
        raise BadFilter(f"{name}: {failure}") from failure
