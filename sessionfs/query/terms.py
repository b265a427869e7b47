"""A query as a value: terms, joined by and, or and not.

A term is about one field (see :mod:`sessionfs.query.fields`). Whatever has no value for a field fits no term about it,
and so fits each such term's ``Not``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

from sessionfs.query.globs import Glob


class Subject(Enum):
    """What a query is about."""

    ARTIFACTS = "artifacts"
    SESSIONS = "sessions"


class TextIs(msgspec.Struct, frozen=True):
    """The text of a field, or one of its texts, is this one."""

    field: str
    text: str


class TextMatches(msgspec.Struct, frozen=True):
    """The text of a field, or one of its texts, matches a pattern."""

    field: str
    glob: Glob


class HasText(msgspec.Struct, frozen=True):
    """This is in the name or the description, whatever the case."""

    text: str


class Within(msgspec.Struct, frozen=True):
    """A whole number - bytes, nanoseconds, a count - is at least *low* and less than *high*; None is no bound."""

    field: str
    low: int | None
    high: int | None


class OidIs(msgspec.Struct, frozen=True):
    """The content's oid begins with these hex digits, 64 or fewer."""

    digits: str


Plain = str | int | float


class Meta(msgspec.Struct, frozen=True):
    """The metadata has this key (dots lead into objects), or one below it."""

    key: str


class MetaMatches(msgspec.Struct, frozen=True):
    """A text in the metadata, at this key, matches a pattern."""

    key: str
    glob: Glob


class MetaWithin(msgspec.Struct, frozen=True):
    """A value in the metadata, at this key, lies between two others of its own kind; None is no bound.

    Numbers are compared with numbers, and with texts that read as one; texts with texts.
    """

    key: str
    low: Plain | None
    high: Plain | None
    low_included: bool = True
    high_included: bool = True

    @property
    def is_one(self) -> bool:
        """Whether it asks for one value."""
        return self.low == self.high and self.low is not None


class OfSession(msgspec.Struct, frozen=True):
    """The artifact is in a session that fits."""

    part: Term


class HasArtifact(msgspec.Struct, frozen=True):
    """The session has an artifact that fits."""

    part: Term


class And(msgspec.Struct, frozen=True):
    """All of these; of none of them, everything."""

    parts: tuple[Term, ...]


class Or(msgspec.Struct, frozen=True):
    """At least one of these."""

    parts: tuple[Term, ...]


class Not(msgspec.Struct, frozen=True):
    """Not this."""

    part: Term


Term = (
    TextIs
    | TextMatches
    | HasText
    | Within
    | OidIs
    | Meta
    | MetaMatches
    | MetaWithin
    | OfSession
    | HasArtifact
    | And
    | Or
    | Not
)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for."""

    subject: Subject
    where: Term = And(())
    versions: bool = False  # of artifacts: what was there once, too

    @property
    def parts(self) -> tuple[Term, ...]:
        """The terms that must all fit."""
        return self.where.parts if isinstance(self.where, And) else (self.where,)


def all_of(parts: Iterator[Term] | list[Term]) -> Term:
    """Return the term that asks for all of *parts*."""
    flat: list[Term] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: list[Term]) -> Term:
    """Return the term that asks for at least one of *parts*."""
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def count_terms(term: Term) -> int:
    """Return of how many terms a term is made that are about one field and one value."""
    if isinstance(term, And | Or):
        return sum(map(count_terms, term.parts))
    return count_terms(term.part) if isinstance(term, Not | OfSession | HasArtifact) else 1


def asks_for_kind(term: Term) -> bool:
    """Say whether *term* says what kind an artifact is to be: only then are directories looked at."""
    if isinstance(term, And | Or):
        return any(map(asks_for_kind, term.parts))
    if isinstance(term, Not):
        return asks_for_kind(term.part)
    return isinstance(term, TextIs | TextMatches) and term.field == "kind"
